/* What the files api*.c share. Nobody else includes this.

   Every command takes a map of arguments and answers with a map; `?` marks what may be absent.
   Names, ids and pointers are texts; paths are the bytes of crdt/path.h; times are milliseconds.

     command      arguments                                  answer
     HELLO                                                   0 device's name, 1 role, 2 mesh's name,
                                                             3 writer
     WRITE        0 collection, 1 intents,                   0 writer, 1 seq, 2 repeated, ?3 note
                  ?2 operation id, ?3 note,
                  ?4 writer that may have written it
     READ         0 collection, 1 document, 2 path,          ?0 rest, 1 leaves
                  ?3 skip, ?4 digest, ?5 time
     ITERATE      0 collection, 1 first document,            ?0 rest, 1 leaves
                  ?3 skip, ?4 digest
     COLLECTIONS  0 first name                               0 [[name, documents]], ?1 next name
     DOCUMENTS    0 collection, 1 first document             0 [document], ?1 next document
     NOW          ?0 collection                              0 epoch, 1 position
     WATCH        ?0 collection, 1 epoch, 2 position,        0 events, 1 position
                  3 timeout
     CURSOR_SAVE  0 name, 1 epoch, 2 position
     CURSOR_LOAD  0 name                                     0 epoch, 1 position
     WAIT         ?0 [name or id], 1 timeout
     PEERS        ?0 first device                            0 peers, ?1 next device
     STATUS       0 number of the first collection           0 [pointer, value, ...], ?1 next number
     VERIFY       ?0 collection, 1 timeout, 2 number of the  0 verdicts, ?1 next number
                  first collection
     INVITE       0 role, 1 time until it expires            0 ticket
     ROLE         0 name or id, 1 role or "none",            0 name
                  ?2 collection
     KEYS         0 number of the first statement            0 keys, ?1 next number
     ROTATE                                                  0 generation of the mesh's key
     LOG          0 collection, 1 document, 2 position       0 changes, 1 [whole, begin],
                  below which to begin; 0: the last          ?2 next position
     RESTORE      0 collection, 1 document, 2 path, 3 time   as WRITE
     CONFLICTS    0 of all collections, from 1 on,           0 conflicts, ?1 next collection,
                  or of this one; 1 collection,              ?2 next key
                  ?2 document, ?3 path, ?4 key to begin at
     BACKUP       ?0 number, ?1 page                         0 number, 1 items (backup.h), 2 last,
                                                             3 mesh id, 4 used bytes of the store
     GC           0 begin now, 1 number of the first         0 logs, ?1 next number, 2 busy,
                  collection                                 3 changes, 4 bytes cut since the start

     LINKS        ?0 first device                            0 links, ?1 next device
     PING         0 name or id, 1 timeout                    0 name, 1 id, 2 address, 3 rtt
     WHY          0 collection, 1 document, ?2 name or id    0 reason
     TRENDS                                                  0 trends
     SUBSCRIBE    0 how: 0 these too, 1 not these, 2 only    0 did it change anything?
                  these, 3 all; 1 [collection]
     SUBSCRIPTIONS 0 number of the first                     0 is the rest carried?,
                                                             1 subscriptions, ?2 next number
     CARRY        ?0 collection, 2 number of the first       0 parts, ?1 next number
                  row, or 1 [prefix]: to be wanted
     SEEN         0 collection                               0 token (seen.h)
     WAIT_SEEN    0 token, 1 timeout

     intent  = [kind, document, path, ? value]; the end of a replacement: [kind]
     leaf    = [document, path, cell, value, flags, time, writer, seq, author]
     event   = [position, collection, document, author, writer, seq, time]
     peer    = [name, id, role, link, address, seen, behind, lag, rtt]
     link    = [name, id, role, state, address, fenced, doubled, calls, greeted, heard, seen,
                rtt, skew known, skew, behind, ahead, lag, requests, timeouts, bad answers, changes,
                bytes, snapshots, published, [id]]
     reason  = [cause, name, id, own, role, link, seen, other, other's link, other's seen, seq,
                changes, estimated, rivals, author, author's seq, time]
     trend   = [name, step, [value]]
     subscription = [collection, "carried", "empty", "fetching", "leaving" or "left", changes here,
                an admin's peer that has all of them, number of members that carry it]
     key     = [collection, key id, generation, time, author, used for what is new]
     verdict = [collection, peer, reached, same clock, same data, fingerprint, documents, ahead,
                behind, carried, part in words or "", compared]
     part    = [collection, [prefix], is some of it fetched, is something else removed]
     change  = [position, time, author, writer, seq, state, [operation]], the newest first;
               state 0, or 1 when its key is not here, 2 when its record is damaged
     operation = [kind (crdt/op.h), path, ? value, [base], more]
     base    = [path, cell, ? value, time, author, writer, seq, known]: what an operation was
               written on top of; not known: not kept, or not readable here. There are `more`.
     conflict = [collection, document, path, [rival]], the winner first
     rival   = [cell, ? value, flags, time, author, writer, seq, [base], more]; a map with keys
               has no value, and the author of the latest that is in it

     An absent value in these is null, which is also a value: kind and cell tell.

     log     = [collection, changes, bytes, going, bytes going, estimated, what holds the next, its
               time, holders]; holder = [peer, id, verdict, missing, since, changes, bytes]
     rest    = [document, skip, digest]: what to ask with for the next page. When `skip` is not 0
               the page ended inside that document, and the digest is of its leaves so far: if they
               have changed by then, SAKER_EWAIT is answered, and the reader begins the document
               again. So every document is seen as of one moment. */

#ifndef SKR_PEER_API_INTERNAL_H_INCLUDED
#define SKR_PEER_API_INTERNAL_H_INCLUDED

#include "peer/api.h"
#include "peer/backup.h"
#include "peer/fields.h"
#include "peer/opening.h"
#include "peer/trend.h"

#define SKR_API_PAGE_BYTES (256u << 10)
#define SKR_API_DIGEST_BYTES 16
#define SKR_API_INTENTS_MAX 16384
#define SKR_API_CLIENT_BYTES_MAX 256
#define SKR_API_HELD_BYTES_MAX (16u << 20)    /* answers that wait for a commit */
#define SKR_API_WAITERS_BYTES_MAX (16u << 20) /* what waits in all */
#define SKR_API_WATCH_MS_MAX 60000            /* clients ask again */
#define SKR_API_WAIT_MS_MAX 3600000
#define SKR_API_VERIFY_COLLECTIONS 32 /* in one request */
#define SKR_API_EVENT_CHANGES 1024    /* in one answer */

/* Bits of a leaf's flags. */
#define SKR_API_RIVAL 1u
#define SKR_API_SHOWN 2u

typedef struct skr_api_waiter_t skr_api_waiter_t;

struct skr_api_t {
    skr_replica_t *replica;
    skr_neighbours_t neighbours;
    skr_api_send_fn *send;
    void *context;
    const skr_world_t *world;
    struct skr_cutter_t *cutter; /* NULL: none was given */

    skr_buf_t held; /* client size u32, answer size u32, number u64, client, answer; repeated */
    skr_api_waiter_t *waiters[SKR_API_WAITERS_MAX];
    size_t waiters_count;
    size_t waiters_bytes;

    struct {
        uint64_t number; /* 0: none is under way */
        uint64_t page;   /* the next */
        uint64_t begun_ms, asked_ms;
        skr_backup_place_t place;
    } backup;
    uint64_t backups; /* begun so far */

    skr_trend_t trend;
    uint64_t since_ms; /* mono: when it was made */
    uint64_t requests, bad_requests, refused, clients, full;

    skr_buf_t body, answer, scratch; /* kept for their memory */
};

/* What becomes of a request whose handler succeeded. */
typedef enum skr_api_when_t {
    SKR_API_NOW = 0,
    SKR_API_HELD,     /* answered after the commit */
    SKR_API_DEFERRED, /* a waiter has it */
} skr_api_when_t;

typedef struct skr_api_call_t {
    skr_span_t client;
    uint64_t number;
    skr_cbor_t cbor;
    skr_fields_t fields; /* the arguments */
    skr_buf_t *body;     /* receives one map */
    skr_api_when_t when;
} skr_api_call_t;

typedef saker_err_t skr_api_handler_t (skr_api_t *self, skr_api_call_t *call);

/* After the last argument: nothing must be left. */
saker_err_t skr_api_arguments_end (skr_api_call_t *call) SKR_MUST_USE;
/* Sends an answer: the body on SAKER_OK, else the sentence. */
void skr_api_answer (skr_api_t *self, skr_span_t client, uint64_t number, saker_err_t error,
                     skr_span_t body, const char *sentence);
uint64_t skr_api_now_ms (const skr_api_t *self);

/* Shorthands. The scratch is empty, and good until the next call. */
skr_buf_t *skr_api_scratch (skr_api_t *self);
void skr_api_put_text (skr_buf_t *buf, const char *text);
void skr_api_put_fingerprint (skr_buf_t *buf, const skr_fingerprint_t *fingerprint);
void skr_api_get_cursor (skr_api_call_t *call, saker_cursor_t *cursor);
/* The answer of a write, to be held. */
void skr_api_put_receipt (skr_api_call_t *call, const saker_receipt_t *receipt);
/* A collection by name; SAKER_ENOTFOUND, also where this peer does not carry it. */
saker_err_t skr_api_carried (const skr_replica_t *replica, const char *name,
                             const skr_collection_t **collection) SKR_MUST_USE;
/* The same, and SAKER_ERIGHT where this device only relays it. */
saker_err_t skr_api_readable (const skr_replica_t *replica, const char *name,
                              const skr_collection_t **collection) SKR_MUST_USE;
/* The name of a collection, or when it is not known yet, its id in digits after a '#'. */
const char *skr_api_collection_name (const skr_collection_t *collection, char text[64]);

/* api_read.c */
skr_api_handler_t skr_api_read, skr_api_iterate, skr_api_collections, skr_api_documents,
    skr_api_now, skr_api_cursor_save, skr_api_cursor_load, skr_api_seen;
/* api_mesh.c */
skr_api_handler_t skr_api_peers, skr_api_status;
/* api_links.c */
skr_api_handler_t skr_api_links, skr_api_trends, skr_api_log_level;
/* api_why.c */
skr_api_handler_t skr_api_why;
/* Looks how things are, when it is time. */
void skr_api_trend_turn (skr_api_t *self);
/* api_mesh.c: changes that we have and the member has not reported, and the reverse; -1 when it
   never told anything. */
int64_t skr_api_behind (skr_api_t *self, const skr_member_t *member);
int64_t skr_api_ahead (skr_api_t *self, const skr_member_t *member);
/* Age of the oldest of the changes that it is `behind`; 0: it is behind in none; -1: not known. */
int64_t skr_api_lag_ms (skr_api_t *self, const skr_member_t *member, int64_t behind);
/* Answers with a page of members, each by `put`, from the device on that the call may name. */
typedef void skr_api_member_fn (skr_api_t *self, const skr_member_t *member, skr_buf_t *buf);
saker_err_t skr_api_members (skr_api_t *self, skr_api_call_t *call, size_t page,
                             skr_api_member_fn *put) SKR_MUST_USE;
uint64_t skr_api_count_conflicts (const skr_api_t *self, const skr_collection_t *collection);
/* Name, id, role, link and address: what peers and links begin with. */
void skr_api_put_member (const skr_member_t *member, const skr_neighbour_t *neighbour,
                         skr_buf_t *buf);
void skr_api_neighbour (skr_api_t *self, const skr_member_t *member, skr_neighbour_t *neighbour);
bool skr_api_is_own (const skr_api_t *self, const skr_member_t *member);
/* api_rights.c */
skr_api_handler_t skr_api_role, skr_api_fence, skr_api_keys, skr_api_rotate;
/* api_subscribe.c */
skr_api_handler_t skr_api_subscribe, skr_api_subscriptions;
/* api_part.c */
skr_api_handler_t skr_api_carry;
/* api_gc.c */
skr_api_handler_t skr_api_gc;
/* api_wait.c */
skr_api_handler_t skr_api_watch, skr_api_wait, skr_api_wait_seen;
/* api_verify.c */
skr_api_handler_t skr_api_verify, skr_api_ping, skr_api_compare;
/* api_read.c */
/* The named collections that are carried, but the roster, from `from` on, sorted. *list is
   allocated. */
saker_err_t skr_api_list_collections (const skr_api_t *self, const char *from,
                                      const skr_collection_t ***list, size_t *count) SKR_MUST_USE;
/* api_history.c */
skr_api_handler_t skr_api_log, skr_api_restore;
#define SKR_API_BASES_MAX 16 /* of one operation */
/* Appends the array of bases and the number of what is more: the entries that an operation ended
   here (`undo`, its own part; empty: none), and what else its pred names. */
saker_err_t skr_api_put_bases (skr_opening_t *opening, const skr_content_t *content,
                               const skr_op_t *op, skr_span_t undo, skr_buf_t *buf) SKR_MUST_USE;
/* api_conflicts.c */
skr_api_handler_t skr_api_conflicts;
/* api_backup.c */
skr_api_handler_t skr_api_backup;
void skr_api_backup_turn (skr_api_t *self);
/* The client asks something else: it has given up what it waited for. */
void skr_api_forget_waiter (skr_api_t *self, skr_span_t client);
void skr_api_free_waiters (skr_api_t *self);

#endif
