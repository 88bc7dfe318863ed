/* Replica: one peer's copy of the mesh. It admits changes (checks signature, rights, form, order),
   keeps those that must wait in a bounded buffer, applies them, makes local changes, and tells
   about itself. It knows no network. One thread uses it.

   Work is done in groups: skr_replica_begin, any number of offers and writes, skr_replica_commit.
   Nothing of a group counts before the commit: no acknowledgement, no publication, no beat. If the
   commit fails, the group never happened; local writers get the error, foreign changes will be
   pulled again. */

#ifndef SKR_PEER_REPLICA_H_INCLUDED
#define SKR_PEER_REPLICA_H_INCLUDED

#include "crdt/apply.h"
#include "crdt/view.h"
#include "peer/cells_store.h"
#include "peer/collection.h"
#include "peer/keyring.h"
#include "peer/log.h"
#include "peer/ticket.h"

#define SKR_WAITING_CHANGES_MAX 4096
#define SKR_WAITING_BYTES_MAX (16u << 20)
#define SKR_COLLECTIONS_MAX 65536

typedef struct skr_replica_stats_t {
    uint64_t applied;  /* changes, since start */
    uint64_t written;  /* of these, local */
    uint64_t repeated; /* offers that were known */
    uint64_t waiting;  /* changes in the buffer now */
    uint64_t waiting_bytes;
    uint64_t dropped; /* pushed out of the buffer */
    uint64_t refused; /* all reasons */
    uint64_t refused_form, refused_signature, refused_right, refused_fork, refused_key;
    uint64_t delayed; /* of these: statements that are too much for today, see toll.h */
    uint64_t future;  /* applied although more than 60 s ahead of our clock */
    uint64_t voided;  /* applied, and taken back later */
    uint64_t outside; /* offers of collections that are not carried here */
} skr_replica_stats_t;

typedef struct skr_replica_t skr_replica_t;

/* Founds a mesh in a new store. */
saker_err_t skr_replica_found (const char *folder, const char *mesh_name, const char *device_name,
                               const skr_world_t *world) SKR_MUST_USE;
/* Makes a store for a device that was admitted: `roster` holds the roster's signed changes, a CBOR
   array of byte strings in causal order. SAKER_EFORGED when they do not add up to the mesh, or do
   not admit this device. Writes the device key. On failure nothing is left. */
saker_err_t skr_replica_adopt (const char *folder, const skr_device_t *device, const skr_id_t *mesh,
                               skr_span_t roster, const skr_world_t *world) SKR_MUST_USE;
/* The same; what it carries is chosen from the first moment on (choosing.h). */
typedef struct skr_choice_t skr_choice_t;
saker_err_t skr_replica_adopt_only (const char *folder, const skr_device_t *device,
                                    const skr_id_t *mesh, skr_span_t roster,
                                    const skr_choice_t *choice,
                                    const skr_world_t *world) SKR_MUST_USE;
/* Opens. On the first start of a writer, it introduces itself (INCARNATE) in a group of its own. */
saker_err_t skr_replica_open (skr_replica_t **self_p, const char *folder,
                              const skr_world_t *world) SKR_MUST_USE;
void skr_replica_close (skr_replica_t **self_p);

/* ---- what it is */
const skr_device_t *skr_replica_device (const skr_replica_t *self);
const skr_roster_t *skr_replica_roster (const skr_replica_t *self);
skr_keyring_t *skr_replica_keyring (skr_replica_t *self);
skr_store_t *skr_replica_store (skr_replica_t *self);
const skr_id_t *skr_replica_writer (const skr_replica_t *self);
const skr_id_t *skr_replica_epoch (const skr_replica_t *self); /* of the feed */
const skr_member_t *skr_replica_self (const skr_replica_t *self);
/* What this device may do in a collection now. */
skr_role_t skr_replica_role (const skr_replica_t *self, const skr_id_t *collection);
/* Did this device write as it, in this incarnation or an earlier one? */
bool skr_replica_is_own (const skr_replica_t *self, const skr_id_t *writer);
/* When it was opened: wall time in ms, but later than at any earlier opening of this store,
   whatever the clock says. */
uint64_t skr_replica_started_ms (const skr_replica_t *self);
/* Counts as started after another process of this device. */
void skr_replica_start_after (skr_replica_t *self, uint64_t other_ms);
void skr_replica_stats (const skr_replica_t *self, skr_replica_stats_t *stats);
/* Changes with each change of the roster. */
uint64_t skr_replica_roster_version (const skr_replica_t *self);

/* ---- collections; borrowed until the next begin, or abort. The roster is index 0. */
size_t skr_replica_collections (const skr_replica_t *self);
const skr_collection_t *skr_replica_collection_at (const skr_replica_t *self, size_t index);
const skr_collection_t *skr_replica_collection (const skr_replica_t *self, const skr_id_t *id);
/* SAKER_ENOTFOUND: "no collection called ..." */
saker_err_t skr_replica_collection_named (const skr_replica_t *self, const char *name,
                                          const skr_collection_t **collection) SKR_MUST_USE;
/* The first 8 bytes of the hash of each writer's last change, in the order of the clock: what is
   told beside it. *hashes is allocated (free ()), NULL for an empty clock. */
saker_err_t skr_replica_hashes (const skr_replica_t *self, const skr_collection_t *collection,
                                uint64_t **hashes) SKR_MUST_USE;
/* BLAKE2b-128 of "saker collection name", mesh id, name: any peer finds the same id. */
void skr_replica_collection_id (const skr_replica_t *self, const char *name, skr_id_t *id);
/* UTF-8, 1 to 64 bytes, no '/', no control characters, not starting with '@'. */
saker_err_t skr_collection_name_check (const char *name) SKR_MUST_USE;

/* ---- groups */
saker_err_t skr_replica_begin (skr_replica_t *self) SKR_MUST_USE;
bool skr_replica_in_group (const skr_replica_t *self);
saker_err_t skr_replica_commit (skr_replica_t *self) SKR_MUST_USE;
void skr_replica_abort (skr_replica_t *self);
/* After a commit whose fate is unknown (skr_store_settled): opens the store anew and reads again
   what it holds. Tried at each begin and abort, too. Between groups only. */
saker_err_t skr_replica_settle (skr_replica_t *self) SKR_MUST_USE;

/* Takes back what the roster says is void and is still here, in a group of its own: after a start,
   and after a snapshot of a peer that did not know it yet. Costs nothing when that was done. */
saker_err_t skr_replica_tidy (skr_replica_t *self) SKR_MUST_USE;
/* Lets go of what is in memory for groups to come. */
void skr_replica_rest (skr_replica_t *self);

typedef enum skr_outcome_t {
    SKR_APPLIED,
    SKR_KNOWN,   /* done before */
    SKR_WAITING, /* in the buffer until what it needs is here: pull */
    SKR_REFUSED, /* counted; skr_error () says why */
} skr_outcome_t;

/* Offers a foreign change, in a group. It, and what waited for it, is applied when possible.
   Returns an error only when the store fails (then abort); what is wrong with the change is the
   outcome's matter. */
saker_err_t skr_replica_offer (skr_replica_t *self, skr_span_t change,
                               skr_outcome_t *outcome) SKR_MUST_USE;

/* One operation of a local write. Borrows. */
typedef enum skr_intent_kind_t {
    SKR_INTENT_SET = 1,
    SKR_INTENT_SET_LWW,
    SKR_INTENT_SET_MAP,
    SKR_INTENT_DELETE,
    SKR_INTENT_INCR,
    SKR_INTENT_ADD,
    SKR_INTENT_REMOVE,
    SKR_INTENT_REPLACE, /* what follows, up to the end, is all that stays at and below */
    SKR_INTENT_REPLACE_END,
    SKR_INTENT_EXPECT, /* the state that must be there, else nothing is written */
} skr_intent_kind_t;

typedef struct skr_intent_t {
    skr_intent_kind_t kind;
    skr_span_t document;
    skr_span_t path;  /* see crdt/path.h */
    skr_span_t value; /* encoded; INCR: an integer; else empty */
} skr_intent_t;

typedef struct skr_local_t {
    const char *collection;
    const skr_intent_t *intents;
    size_t count;
    skr_span_t operation_id;        /* empty: none */
    skr_span_t origin;              /* empty: none */
    uint8_t note[SAKER_NOTE_BYTES]; /* kept with the operation id; zeros: none */
    skr_span_t tried; /* 16 bytes: the writer that may have written it already; empty: it
                         was never tried */
} skr_local_t;

/* Makes, signs and applies one local change, in a group. Nothing is left of it when it fails:
   SAKER_EINPUT, SAKER_ELIMIT, SAKER_ETYPE ("/a holds a number, not a map: ..."), SAKER_ERIGHT
   (this device may only read), SAKER_ECHANGED (it was tried with another writer than the present
   one, and its operation id is not known). Errors of the store (SAKER_EFULL, EIO, EDAMAGED) ask for
   an abort. Receipt as in saker_write; seq 0 when nothing had to be done. Acknowledge after the
   commit. */
saker_err_t skr_replica_write (skr_replica_t *self, const skr_local_t *local,
                               saker_receipt_t *receipt) SKR_MUST_USE;
/* The same for roster statements (encoded, one operation each). */
saker_err_t skr_replica_state (skr_replica_t *self, const skr_span_t *statements,
                               size_t count) SKR_MUST_USE;

/* After a commit: the signed changes that this peer made in the group, to be published: visits
   each, then forgets them. */
typedef void skr_made_fn (const skr_id_t *collection, skr_span_t change, void *argument);
void skr_replica_made (skr_replica_t *self, skr_made_fn *visit, void *argument);

/* ---- answering */

/* Appends up to bytes_max bytes of signed changes (each as a CBOR byte string, at least one if any
   is missing) that `have` lacks, in the order of application here, as committed. */
saker_err_t skr_replica_pull (skr_replica_t *self, const skr_id_t *collection,
                              const skr_clock_t *have, size_t bytes_max, skr_buf_t *changes,
                              size_t *count, bool *more) SKR_MUST_USE;

/* What a document shows, as committed. See crdt/view.h. SAKER_ENOTCARRIED: this peer carries only a
   part of the collection (partial.h), which lists no others, either. */
saker_err_t skr_replica_read (skr_replica_t *self, const skr_collection_t *collection,
                              skr_span_t document, skr_span_t path, skr_leaf_visit_fn *visit,
                              void *argument) SKR_MUST_USE;
saker_err_t skr_replica_documents (skr_replica_t *self, const skr_collection_t *collection,
                                   skr_span_t from, skr_document_fn *visit,
                                   void *argument) SKR_MUST_USE;
/* The clear content of a change in the log; `buf` holds it. For the feed. */
saker_err_t skr_replica_content (skr_replica_t *self, const skr_change_t *change, skr_buf_t *buf,
                                 skr_content_t *content) SKR_MUST_USE;

/* SAKER_ERIGHT, with the sentence for whoever was revoked and wants to write. */
saker_err_t skr_write_revoked (void);

/* ---- admission */

/* Makes and keeps an invitation, in a group. SAKER_ERIGHT: only an admin invites. */
saker_err_t skr_replica_invite (skr_replica_t *self, skr_role_t role, uint64_t expires_ms,
                                const char *const *addresses, size_t addresses_count,
                                skr_ticket_t *ticket) SKR_MUST_USE;
/* Admits a device with a ticket, in a group: checks the invitation (SAKER_EINPUT: used, expired)
   and writes admission and keys to the roster. The same device again with the same ticket is
   answered as before (its first answer may have been lost). */
saker_err_t skr_replica_admit (skr_replica_t *self, const uint8_t ticket_key[32],
                               const skr_member_t *candidate) SKR_MUST_USE;

/* ---- rights (design 8), in a group, by an admin; see revocation.c */

/* Gives a member another role, none to revoke it, in the whole mesh (collection NULL) or in one
   collection. What takes a right away closes the member's writers at what this peer has of them,
   and changes the keys. SAKER_ERIGHT: not an admin, or the founder is meant; SAKER_EUSAGE: this
   device itself; SAKER_EEXIST: it has that role already. */
saker_err_t skr_replica_set_role (skr_replica_t *self, const uint8_t device[32],
                                  const char *collection, skr_role_t role) SKR_MUST_USE;
/* Fences a member that is away: nobody waits for it any more, its writers are closed at what this
   peer has of them, and it comes back as a new incarnation (reissue.h). SAKER_ERIGHT: not an admin,
   or an admin is meant; SAKER_EUSAGE: this device itself; SAKER_EEXIST: it is fenced already, or
   revoked. */
saker_err_t skr_replica_fence (skr_replica_t *self, const uint8_t device[32]) SKR_MUST_USE;
/* Closes all writers of this device but the present one, at what this peer has of them, or, where
   that is more, at what others keep of them (succession.h). */
saker_err_t skr_replica_close_others (skr_replica_t *self, const skr_cutoff_t *kept,
                                      size_t count) SKR_MUST_USE;
/* Makes new keys: of the mesh, and of each collection that has its own. */
saker_err_t skr_replica_rotate (skr_replica_t *self) SKR_MUST_USE;
/* States the keys that this device holds for members that may read and have no copy: they were
   admitted, or got the right, while another admin changed the keys. Does nothing when none lacks
   any. */
saker_err_t skr_replica_share_keys (skr_replica_t *self) SKR_MUST_USE;
/* How many admins are before this device in the order in which they take turns; SIZE_MAX: it is
   none. */
size_t skr_replica_turn (const skr_replica_t *self);
/* Is it time, and this device's turn, to make new keys? Admins take turns, hours apart. */
bool skr_replica_rotation_due (const skr_replica_t *self);
#define SKR_ROTATE_EVERY_MS (30ull * 24 * 3600 * 1000)

/* ---- snapshots (design 5); see snapshot.h */

#endif
