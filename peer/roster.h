/* Roster: who is a member, with which role and keys. It is what the statements in the roster
   collection (id all zeros) add up to; statements merge in any order to the same roster.

   A statement is the argument of a STATEMENT operation, a CBOR map {0: kind, ...}:

     FOUND      {0: 1, 1: device key, 2: random 32, 3: mesh name, 4: transport key, 5: name}
                by the founder, first operation of its first change; its hash is the mesh id
     INCARNATE  {0: 2, 1: device key, 2: incarnation 16, ? 3: seen}
                by the device itself, in the first roster change of every writer; seen: what
                closed its earlier writers, [+ dot of a ROLE or FENCE]
     ADMIT      {0: 3, 1: device key, 2: transport key, 3: name, 4: role, 5: ticket public key}
                by an admin
     KEY        {0: 4, 1: collection id (zeros: the mesh), 2: key id 8,
                 3: [+ [device key, key sealed to its transport key]], ? 4: generation}
                by an admin; of several keys the one of the highest generation seals
     ROLE       {0: 5, 1: device key, 2: collection id (zeros: the mesh), 3: role, 4: seen,
                 5: cutoffs, 6: from, 7: to}
                by an admin; the role from now on, none to revoke it
     FENCE      {0: 6, 1: device key, 4: seen, 5: cutoffs, 6: from, 7: to}
                by an admin; closes the writers, the device stays a member. Or by the device itself,
                which took a new incarnation (succession.h): closes its other writers
     FORK       {0: 7, 1: device key, 2: collection id, 3: writer, 4: seq, 5: hash 32, 6: upto}
                by the device itself: two stores wrote as this writer, each its own changes from
                `seq` on. Those of both are void, and are issued again by other writers: each by the
                store that made it; and by the one that states this the branch that begins with the
                change of this hash, up to `upto` (zeros: none)

     SUBSCRIBE  {0: 8, 1: device key, 2: number, 3: rest, 4: named}
                by the device itself: what it carries from now on (subscription.h). The highest
                number of its present writer counts: a new one states it again

     named   = [* [collection id, carried, left]], ascending; rest: are
               those that are not named carried? left = [* [writer, seq]]: how far the device's
               writers got in one that it does not carry
     seen    = [* [writer, seq, index]]: dots of the statements about the same device that this one
               knows, and so supersedes: of all of them, up to SKR_SEEN_MAX
     cutoffs = [* [collection id, writer, seq]], ascending: in the collections from `from` to `to`,
               what the writers of the device did above that seq, or above 0 where nothing stands,
               is void

   Statements merge in any order to the same roster; rights.h says what of them counts. A statement
   of an unknown kind is kept and passed on, and has no effect. */

#ifndef SKR_PEER_ROSTER_H_INCLUDED
#define SKR_PEER_ROSTER_H_INCLUDED

#include "crdt/change.h"
#include "peer/device.h"
#include "peer/subscription.h"

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
#define SKR_ROSTER_ROLES_MAX 1024 /* statements of roles and fences, by admins */
#define SKR_ROSTER_OWN_MAX 1024   /* fences of devices by themselves: no device keeps admins out */
#define SKR_ROSTER_FORKS_MAX 1024
#define SKR_ROSTER_SUBSCRIPTIONS_MAX 8192 /* writers whose last one is remembered */
#define SKR_CUTOFFS_MAX 1024              /* in one statement; more collections take several */
#define SKR_SEEN_MAX 256

typedef struct skr_member_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES];
    char name[SKR_NAME_BYTES_MAX + 1]; /* a label; made unique for people by the device's text */
    skr_role_t role;
} skr_member_t;

/* What a writer did in a collection above `seq` is void (design 8). */
typedef struct skr_cutoff_t {
    skr_id_t collection;
    skr_id_t writer;
    uint64_t seq;
} skr_cutoff_t;

/* What became of a fork. */
typedef struct skr_fork_settled_t {
    skr_id_t collection, writer;
    uint64_t seq;
    uint8_t hash[SKR_HASH_BYTES];
    uint64_t upto;
} skr_fork_settled_t;

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
   order: a device's role is the highest that it was admitted with, unless a ROLE says otherwise;
   its name and transport key are those of the latest admission. */
saker_err_t skr_roster_add (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                            skr_span_t statement) SKR_MUST_USE;
/* The same in two steps, for many: nothing is asked of the roster between the first and the
   second. */
saker_err_t skr_roster_keep (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                             skr_span_t statement) SKR_MUST_USE;
saker_err_t skr_roster_settle (skr_roster_t *self) SKR_MUST_USE;

/* Borrowed until the next add. NULL when there is none. A device that lost all rights is still
   found, with SKR_ROLE_NONE, but not by its transport key. */
const skr_member_t *skr_roster_by_writer (const skr_roster_t *self, const skr_id_t *writer);
const skr_member_t *skr_roster_by_device (const skr_roster_t *self, const uint8_t device[32]);
const skr_member_t *skr_roster_by_transport (const skr_roster_t *self, const uint8_t key[32]);
/* By name, or by the first digits (at least 4) of the device's text. SAKER_ENOTFOUND, or
   SAKER_EINPUT when it fits several; the sentence lists them. */
saker_err_t skr_roster_by_name (const skr_roster_t *self, const char *name,
                                const skr_member_t **member) SKR_MUST_USE;
size_t skr_roster_count (const skr_roster_t *self);
/* Has it a right, and was not fenced: does anybody ask whether it has stored something? */
bool skr_roster_awaits (const skr_roster_t *self, const skr_member_t *member);
/* Ascending by device key. */
const skr_member_t *skr_roster_at (const skr_roster_t *self, size_t index);
/* Of two writers of a device: is `one` the later? What a fence closed comes before what goes on. */
bool skr_roster_is_later (const skr_roster_t *self, const skr_id_t *one, const skr_id_t *other);
/* Writers of a device, most recent first; returns how many of up to `count` were set. */
size_t skr_roster_writers (const skr_roster_t *self, const uint8_t device[32], skr_id_t *writers,
                           size_t count);
const skr_id_t *skr_roster_mesh (const skr_roster_t *self);
const char *skr_roster_mesh_name (const skr_roster_t *self); /* "" before FOUND */

/* Is the cut of a collection held until this member has stored what goes (design 5)? By every
   member that may read it and carries it: one that does not cannot apply, nor write, anything in
   it; and one that was fenced is not waited for. See skr_roster_undrained for what it may still be
   heard of. */
bool skr_roster_counts (const skr_roster_t *self, const skr_member_t *member,
                        const skr_id_t *collection);

/* Keys. A copy sealed to the device with crypto_box_seal; opened with its transport secret. */
typedef struct skr_roster_key_t {
    skr_id_t collection; /* zeros: of the mesh */
    uint8_t key_id[SKR_KEY_ID_BYTES];
    uint64_t generation;
    uint64_t hlc;
    skr_id_t writer;
    uint64_t seq;
    bool counts;       /* its author might state it: only such a key seals */
    skr_span_t copies; /* encoded array; borrowed from the roster */
} skr_roster_key_t;
/* Statements, of which several may be of one key. */
size_t skr_roster_keys (const skr_roster_t *self);
const skr_roster_key_t *skr_roster_key_at (const skr_roster_t *self, size_t index);

/* The highest seq of a writer in a collection (the roster: zeros) that stands; UINT64_MAX: its end
   is open; 0: nothing of it does. */
uint64_t skr_roster_limit (const skr_roster_t *self, const skr_id_t *writer,
                           const skr_id_t *collection);
/* Would a new incarnation of the writer's device see what closed the writer's statements? Where a
   right was taken for good it would not stand either. */
bool skr_roster_renewing_helps (const skr_roster_t *self, const skr_id_t *writer);
/* What a device may do in a collection now. An admin reads every one; it may write where no role of
   its own in that collection says otherwise. Who may only relay in the mesh reads none. */
skr_role_t skr_roster_role (const skr_roster_t *self, const uint8_t device[32],
                            const skr_id_t *collection);
/* What a device carries, by the last statement of its present writer; borrowed until the next add.
   Never NULL: who stated nothing carries all. */
const skr_subscription_t *skr_roster_subscription (const skr_roster_t *self,
                                                   const uint8_t device[32]);
/* The statement with the highest number, of whichever of its writers (that of none: as above), and
   the roster change that has it (`dot` may be NULL). Where its number is above that of the present
   writer's, the device is to state it again. */
const skr_subscription_t *skr_roster_subscription_any (const skr_roster_t *self,
                                                       const uint8_t device[32], skr_dot_t *dot);
/* Does a device carry a collection, if it may? An admin carries all: what is void hangs on what its
   peer has. So does everybody carry the roster. */
bool skr_roster_carries (const skr_roster_t *self, const uint8_t device[32],
                         const skr_id_t *collection);
/* Did it ever state that it does not carry something: may it lack what it once reported? */
bool skr_roster_has_left (const skr_roster_t *self, const uint8_t device[32]);
/* The first member that did, or NULL. */
const skr_member_t *skr_roster_leaver (const skr_roster_t *self);

/* Is all of the writers that were closed here, up to where they were (design 5), and all of those
   whose device left the collection, up to there? Only then do they leave the reckoning of what is
   stable. The first device (or this one, unless it is NULL) of which
   some is missing, and how much; or NULL. */
const skr_member_t *skr_roster_undrained (const skr_roster_t *self, const uint8_t *device,
                                          const skr_id_t *collection, const skr_clock_t *clock,
                                          uint64_t *missing);
/* Did a device come back: had two writers (restored, cloned, closed and opened again), or got the
   right to read back after it was taken? It may lack what it reported once, or what others have
   cut, and so may name as seen, or as a cutoff, what is below a cut: nothing is folded any more,
   and it states no cutoff before it has what the others have. The first that did and may read the
   collection, or NULL; and one device, in a collection or (NULL) any. */
const skr_member_t *skr_roster_returned (const skr_roster_t *self, const skr_id_t *collection);
bool skr_roster_has_returned (const skr_roster_t *self, const uint8_t device[32],
                              const skr_id_t *collection);
/* The first device of which more than one writer may still write in the collection, or NULL: it was
   restored or cloned, so what the other store of it has, and will say, nobody knows. The device
   itself closes its earlier writers (succession.h), or a fence all of them. */
const skr_member_t *skr_roster_doubled (const skr_roster_t *self, const skr_id_t *collection);
/* How many writers of a device nothing closed, so that it may go on as them; and the latest, which
   is left alone where the device has none yet. More than one: it was restored or cloned, and has
   not closed the others yet. */
size_t skr_roster_present (const skr_roster_t *self, const uint8_t device[32], skr_id_t *writer);
/* Was a writer closed when its device was revoked, and the device, a member again, is taken to go
   on as another of its writers? So nothing that its store tells counts. */
bool skr_roster_is_shut_out (const skr_roster_t *self, const skr_id_t *writer);
bool skr_roster_is_founder (const skr_roster_t *self, const uint8_t device[32]);
/* Was the device fenced, and has not come back with a writer that saw it? And the first member that
   was, or NULL. */
bool skr_roster_is_fenced (const skr_roster_t *self, const uint8_t device[32]);
const skr_member_t *skr_roster_fenced (const skr_roster_t *self);
/* Did a fence close this writer? And is it fences alone that make this change void? */
bool skr_roster_writer_is_fenced (const skr_roster_t *self, const skr_id_t *writer);
bool skr_roster_fence_closes (const skr_roster_t *self, const skr_id_t *writer,
                              const skr_id_t *collection, uint64_t seq);
/* Of a change that fences alone make void, while its device had lost the right to write by a ROLE
   that lets it stand: the admin who stated that, and so vouched for it. Issuing it again is not up
   to the device, which may not write, but to the admin. NULL otherwise. */
const skr_member_t *skr_roster_voucher (const skr_roster_t *self, const skr_id_t *writer,
                                        const skr_id_t *collection, uint64_t seq);
/* How many forks were settled. */
size_t skr_roster_forks (const skr_roster_t *self);
/* From which seq on a writer had two branches in a collection; 0: it is not known to. */
uint64_t skr_roster_forked_at (const skr_roster_t *self, const skr_id_t *writer,
                               const skr_id_t *collection);
/* Does the store that settled it issue this change again, of the branch whose first change has this
   hash? */
bool skr_roster_adopts (const skr_roster_t *self, const skr_id_t *collection,
                        const skr_id_t *writer, uint64_t seq, const uint8_t hash[SKR_HASH_BYTES]);
/* Changes whenever some writer's limit may have. */
uint64_t skr_roster_closings (const skr_roster_t *self);
/* The statements about a device, as `seen` (encoded): of `collection`, or
   with NULL all that may have closed its writers, fences too. */
void skr_roster_seen (const skr_roster_t *self, const uint8_t device[32],
                      const skr_id_t *collection, skr_buf_t *seen);
/* The highest generation of a collection's keys, also of those that do not count; 0: none. */
uint64_t skr_roster_generation (const skr_roster_t *self, const skr_id_t *collection);

/* Append the encoded statements. */
void skr_statement_found (skr_buf_t *buf, const skr_device_t *device, const uint8_t random[32],
                          const char *mesh_name, const char *name);
void skr_statement_incarnate (skr_buf_t *buf, const uint8_t device[32],
                              const uint8_t incarnation[SKR_INCARNATION_BYTES], skr_span_t seen);
void skr_statement_admit (skr_buf_t *buf, const skr_member_t *member, const uint8_t ticket[32]);
/* Seals `key` to each member that may read (role read and above). */
saker_err_t skr_statement_key (skr_buf_t *buf, const skr_id_t *collection, uint64_t generation,
                               const uint8_t key[SKR_SEAL_KEY_BYTES],
                               const skr_member_t *const *members, size_t count) SKR_MUST_USE;
/* What a ROLE or a FENCE says; for a fence collection and role are not looked at. Borrows. */
typedef struct skr_closing_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_id_t collection;
    skr_role_t role;
    skr_span_t seen; /* encoded */
    const skr_cutoff_t *cutoffs;
    size_t cutoffs_count;
    skr_id_t from, to;
} skr_closing_t;
void skr_statement_role (skr_buf_t *buf, const skr_closing_t *closing);
void skr_statement_fence (skr_buf_t *buf, const skr_closing_t *closing);
void skr_statement_fork (skr_buf_t *buf, const uint8_t device[32], const skr_fork_settled_t *fork);
void skr_statement_subscribe (skr_buf_t *buf, const uint8_t device[32],
                              const skr_subscription_t *subscription);

#endif
