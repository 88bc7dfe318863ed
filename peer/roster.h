/* Roster: who is a member, with which role and keys. It is what the statements in the roster
   collection (id all zeros) add up to; statements merge in any order to the same roster.

   A statement is the argument of a STATEMENT operation, a CBOR map {0: kind, ...}:

     FOUND      {0: 1, 1: device key, 2: random 32, 3: mesh name, 4: transport key, 5: name}
                by the founder, first operation of its first change; its hash is the mesh id
     INCARNATE  {0: 2, 1: device key, 2: incarnation 16}
                by the device itself, in the first roster change of every writer
     ADMIT      {0: 3, 1: device key, 2: transport key, 3: name, 4: role, 5: ticket public key}
                by an admin
     KEY        {0: 4, 1: collection id (zeros: the mesh), 2: key id 8,
                 3: [+ [device key, key sealed to its transport key]]}
                by an admin

   Later kinds (role, revoke, fence, return, fork, rights) are unknown here: a statement of an
   unknown kind is kept and passed on, and has no effect. */

#ifndef SKR_PEER_ROSTER_H_INCLUDED
#define SKR_PEER_ROSTER_H_INCLUDED

#include "crdt/change.h"
#include "peer/device.h"

typedef enum skr_role_t {
    SKR_ROLE_NONE = 0,
    SKR_ROLE_RELAY = 1,
    SKR_ROLE_READ = 2,
    SKR_ROLE_WRITE = 3,
    SKR_ROLE_ADMIN = 4,
} skr_role_t;

/* "relay", "read", "write", "admin"; SKR_ROLE_NONE for anything else. */
skr_role_t skr_role_parse (const char *text);
const char *skr_role_text (skr_role_t role);

#define SKR_ROSTER_MEMBERS_MAX 4096
#define SKR_ROSTER_KEYS_MAX 4096

typedef struct skr_member_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES];
    char name[SKR_NAME_BYTES_MAX + 1]; /* a label; made unique for people by the device's text */
    skr_role_t role;
} skr_member_t;

/* A name of a device or a mesh: UTF-8, 1 to 64 bytes, no control characters. SAKER_EINPUT with
   `what` ("device", "mesh") in the sentence. */
saker_err_t skr_roster_name_check (const char *what, const char *name) SKR_MUST_USE;

typedef struct skr_roster_t skr_roster_t;

saker_err_t skr_roster_new (skr_roster_t **self_p, const skr_id_t *mesh) SKR_MUST_USE;
void skr_roster_destroy (skr_roster_t **self_p);

/* May this change stand in the roster, given what is in it so far? Checks rights, form of each
   statement, self-introduction, and the signature. SAKER_ERIGHT, SAKER_EFORGED, SAKER_EINPUT;
   SAKER_EWAIT when its author is not known yet. */
saker_err_t skr_roster_check (const skr_roster_t *self, const skr_change_t *change,
                              const skr_content_t *content) SKR_MUST_USE;
/* Adds one statement of a change that passed the check (or was stored). Statements may come in any
   order: a device's role is the highest that it was admitted with (loss of rights is a statement of
   its own, with a cutoff), its name and transport key are those of the latest admission. */
saker_err_t skr_roster_add (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                            skr_span_t statement) SKR_MUST_USE;

/* Borrowed until the next add. NULL when there is none. */
const skr_member_t *skr_roster_by_writer (const skr_roster_t *self, const skr_id_t *writer);
const skr_member_t *skr_roster_by_device (const skr_roster_t *self, const uint8_t device[32]);
const skr_member_t *skr_roster_by_transport (const skr_roster_t *self, const uint8_t key[32]);
/* By name, or by the first digits (at least 4) of the device's text. SAKER_ENOTFOUND, or
   SAKER_EINPUT when it fits several; the sentence lists them. */
saker_err_t skr_roster_by_name (const skr_roster_t *self, const char *name,
                                const skr_member_t **member) SKR_MUST_USE;
size_t skr_roster_count (const skr_roster_t *self);
/* Ascending by device key. */
const skr_member_t *skr_roster_at (const skr_roster_t *self, size_t index);
/* Writers of a device, most recent first; returns how many of up to `count` were set. */
size_t skr_roster_writers (const skr_roster_t *self, const uint8_t device[32], skr_id_t *writers,
                           size_t count);
const skr_id_t *skr_roster_mesh (const skr_roster_t *self);
const char *skr_roster_mesh_name (const skr_roster_t *self); /* "" before FOUND */

/* Is the cut of a collection held until this member has stored what goes (design 5)? Every member
   that may read it is; one that may not cannot apply, nor write, anything in it. Revocations and
   fences are to be looked at here: a device whose writers are closed no longer counts, once our
   clock has reached their cutoff. */
bool skr_roster_counts (const skr_roster_t *self, const skr_member_t *member,
                        const skr_id_t *collection);

/* Keys. A copy sealed to the device with crypto_box_seal; opened with its transport secret. */
typedef struct skr_roster_key_t {
    skr_id_t collection; /* zeros: of the mesh */
    uint8_t key_id[SKR_KEY_ID_BYTES];
    uint64_t hlc;
    skr_id_t writer;
    skr_span_t copies; /* encoded array; borrowed from the roster */
} skr_roster_key_t;
size_t skr_roster_keys (const skr_roster_t *self);
const skr_roster_key_t *skr_roster_key_at (const skr_roster_t *self, size_t index);

/* Append the encoded statements. */
void skr_statement_found (skr_buf_t *buf, const skr_device_t *device, const uint8_t random[32],
                          const char *mesh_name, const char *name);
void skr_statement_incarnate (skr_buf_t *buf, const uint8_t device[32],
                              const uint8_t incarnation[SKR_INCARNATION_BYTES]);
void skr_statement_admit (skr_buf_t *buf, const skr_member_t *member, const uint8_t ticket[32]);
/* Seals `key` to each member that may read (role read and above). */
saker_err_t skr_statement_key (skr_buf_t *buf, const skr_id_t *collection,
                               const uint8_t key[SKR_SEAL_KEY_BYTES],
                               const skr_member_t *const *members, size_t count) SKR_MUST_USE;

#endif
