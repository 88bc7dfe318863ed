/* Wire: every message between peers, and every limit, on one screen.

   All sockets speak CURVE; all messages are exactly one body frame (ROUTER adds its routing id).

   PUB -> SUB, first byte tells which:
     'L'  live    CBOR array [+ bstr]: signed changes, in the writer's order
     'B'  beat    CBOR array [body: bstr, signature: bstr 64]; signature by the device over
                  "saker beat 1" 00, mesh id, body, so that a beat can be passed on by others

   A part (peer/part.h) is an array of prefixes; one that is told of, in a beat or an answer, is
   [1 while documents beside it are being removed, else 0; part].

   DEALER -> ROUTER, CBOR array [version, number, kind, arguments ...], and its one answer
   [version, number, kind, results ...] or [version, number, 0, error, sentence]:

     kind      arguments                           results
     HELLO     instance 8, PUB port,               device 32, writer 16, PUB port, instance 8,
               addresses [* text]                  addresses [* [device 32, text]]
     STATE     after: collection id, or h''        [* [collection id, clock digest, fingerprint]],
                                                   more
     CLOCK     collection id, ? part               fingerprint, documents, clock, hashes, kept
                                                   (see skr_beat_entry_t), clock of the roster,
                                                   ? its part, and then [part, fingerprint,
                                                   documents] of the one that was asked for, or null
                                                   (also: too much was asked for, see ration.h)
     PULL      collection id, clock, credit        clock digest of the answerer, more,
                                                   [* bstr signed change]; more may be 2: "take a
                                                   snapshot instead", without changes
     SNAPSHOT  collection id, ? part, clock        snapshot id 16, size, BLAKE2b-256; it reaches at
                                                   least to that clock
     PART      snapshot id, offset, credit         bytes (empty: unknown snapshot, ask anew)
     RANGE     collection id, from, to, detail     [clock digest, documents, whole, sum, entries]:
                                                   see peer/ranging.h
     JOIN      device 32, transport 32, name,      mesh id, [+ bstr] roster changes,
               signature 64                        addresses as in HELLO
               over "saker join 1" 00, mesh id, ticket public key, transport 32; with a ticket's key
               as CURVE key; the only kind that such a caller may send

   Whoever says PUB port 0 does not listen: nobody can dial it. So who is called by it uses that
   connection in both directions, and a first byte tells what is neither a request of the caller nor
   the answer to it:

     ROUTER -> DEALER   'A'  ask       a request of who was called
     DEALER -> ROUTER   'R'  reply     the answer to it
                        'L' 'B' 'Q'    what others publish (live.h); on a connection of its own

   Version 4: HELLO has a PUB port, and the direction back is new. */

#ifndef SKR_MESH_WIRE_H_INCLUDED
#define SKR_MESH_WIRE_H_INCLUDED

#include "peer/part.h"
#include "peer/replica.h"

#define SKR_WIRE_VERSION 4
#define SKR_WIRE_MESSAGE_BYTES_MAX (1u << 20)     /* ROUTER, DEALER */
#define SKR_WIRE_FRAME_BYTES_MAX (65536u + 4096u) /* PUB, SUB */
#define SKR_WIRE_CREDIT_MAX (512u << 10)          /* bytes of changes or of a part in one answer */
#define SKR_WIRE_ADDRESSES_MAX 64                 /* gossiped in one HELLO */
#define SKR_WIRE_ADDRESS_BYTES_MAX SKR_ADDRESS_BYTES_MAX
#define SKR_WIRE_STATES_MAX 4096 /* collections in one STATE answer */
#define SKR_WIRE_PULL_MAX 8192   /* changes in one PULL answer */
#define SKR_WIRE_BEAT_BYTES_MAX (48u << 10)
#define SKR_WIRE_BEAT_COLLECTIONS_MAX 32
#define SKR_WIRE_BEAT_LINKS_MAX 256
#define SKR_WIRE_INSTANCE_BYTES 8
#define SKR_WIRE_HASH_BYTES 8 /* of a change's hash, beside its seq in a clock that is told */

#define SKR_WIRE_NOWHERE "none" /* the address of a device that calls as two processes */
#define SKR_WIRE_ASK 'A'
#define SKR_WIRE_REPLY 'R'

#define SKR_BEAT_EVERY_MS 1000
#define SKR_LINK_SLOW_MS 3000    /* no beat for so long: slow */
#define SKR_LINK_SILENT_MS 10000 /* silent */
#define SKR_REQUEST_TIMEOUT_MS 10000

typedef enum skr_wire_kind_t {
    SKR_WIRE_ERROR = 0,
    SKR_WIRE_HELLO = 1,
    SKR_WIRE_STATE = 2,
    SKR_WIRE_CLOCK = 3,
    SKR_WIRE_PULL = 4,
    SKR_WIRE_SNAPSHOT = 5,
    SKR_WIRE_PART = 6,
    SKR_WIRE_JOIN = 7,
    SKR_WIRE_RANGE = 8, /* a peer that does not know it does not answer */
    SKR_WIRE_LAST = SKR_WIRE_RANGE,
} skr_wire_kind_t;

typedef enum skr_wire_more_t {
    SKR_WIRE_NO_MORE = 0,
    SKR_WIRE_MORE = 1,
    SKR_WIRE_TAKE_SNAPSHOT = 2,
} skr_wire_more_t;

/* Begins a request or an answer: array header for `count` elements after kind. */
void skr_wire_begin (skr_buf_t *buf, uint64_t number, skr_wire_kind_t kind, size_t count);
void skr_wire_error (skr_buf_t *buf, uint64_t number, saker_err_t error, const char *sentence);
/* Reads the head; the reader stands at the first argument. *count: elements after kind.
   SAKER_EINPUT, SAKER_EVERSION. */
saker_err_t skr_wire_open (skr_cbor_t *cbor, skr_span_t message, uint64_t *number,
                           skr_wire_kind_t *kind, size_t *count) SKR_MUST_USE;

/* A beat: what a peer has stored, and whom it hears. What it tells of collections counts under the
   roster that it had then (design 5, "Stable"): its digest comes with every beat, its entry when it
   has changed and now and then. */
typedef struct skr_beat_entry_t {
    skr_id_t collection;
    skr_part_t part; /* of which fingerprint and documents are */
    bool removing;   /* and of some beside it, which go */
    skr_fingerprint_t fingerprint;
    uint64_t documents;
    skr_clock_t clock;
    uint64_t *hashes; /* one a tick: the first 8 bytes of the hash of that change, on the wire one
                         byte string. Allocated */
    uint64_t *kept;   /* one a tick: how many of that writer's changes are in the log; the rest is
                         below the cut. Allocated */
} skr_beat_entry_t;

/* Appends fingerprint, documents, clock, hashes and an array of what is kept. In a beat the part
   follows where it is not the whole. */
void skr_beat_entry_put (skr_buf_t *buf, const skr_beat_entry_t *entry);
/* The part, where it is not the whole and settled. */
bool skr_beat_entry_is_partial (const skr_beat_entry_t *entry);
void skr_beat_part_put (skr_buf_t *buf, const skr_beat_entry_t *entry);
void skr_beat_part_get (skr_cbor_t *cbor, skr_beat_entry_t *entry);
/* [part, fingerprint, documents], or null when there is none. Sticky errors; free the part in any
   case. */
void skr_wire_sum_put (skr_buf_t *buf, const skr_part_sum_t *sum);
void skr_wire_sum_get (skr_cbor_t *cbor, skr_part_sum_t *sum);
/* Reads all but the part, into an entry of zeros; sticky errors. Free with skr_beat_entry_free in
 * any case. */
void skr_beat_entry_get (skr_cbor_t *cbor, skr_beat_entry_t *entry);
void skr_beat_entry_free (skr_beat_entry_t *entry);

typedef struct skr_beat_t {
    skr_id_t writer;
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES]; /* of the process */
    uint64_t number;                           /* ascending within an instance */
    uint64_t started_ms; /* of its process, see skr_replica_started_ms: the latest counts */
    uint64_t wall_ms;    /* when it was made, by the clock of its author */
    uint64_t state;      /* digest over all collections, see skr_wire_state */
    uint64_t roster;     /* digest of the roster's clock */
    size_t links_count;  /* members that this peer hears directly */
    uint32_t links[SKR_WIRE_BEAT_LINKS_MAX]; /* by skr_wire_short */
    size_t entries_count;
    skr_beat_entry_t entries[SKR_WIRE_BEAT_COLLECTIONS_MAX];
} skr_beat_t;

/* Appends the signed beat, without the 'B'. */
void skr_beat_put (skr_buf_t *buf, const skr_beat_t *beat, const skr_id_t *mesh,
                   const uint8_t secret[SKR_SIGN_SECRET_BYTES]);
/* Reads of it only whose it is and which: writer, instance, number, started_ms. Verifies nothing,
   so all that may follow from it is that a beat is dropped. SAKER_EINPUT, SAKER_EVERSION. */
saker_err_t skr_beat_peek (skr_beat_t *beat, skr_span_t signed_beat) SKR_MUST_USE;
/* Reads and verifies; the roster tells the device of its writer. SAKER_EINPUT, SAKER_EFORGED,
   SAKER_EWAIT: unknown writer. Free with skr_beat_free also after an error. */
saker_err_t skr_beat_get (skr_beat_t *beat, skr_span_t signed_beat, const skr_roster_t *roster,
                          const skr_member_t **author) SKR_MUST_USE;
void skr_beat_free (skr_beat_t *beat);

/* By what a beat names a member: the first bytes of its key. Two that share them may be passed a
   beat less than they need, and hear it from its author. */
uint32_t skr_wire_short (const uint8_t device[SKR_DEVICE_KEY_BYTES]);

/* Digest over (id, clock, fingerprint) of all collections, in any order: the sum of those of each;
   0 for an empty one. */
uint64_t skr_wire_state (const skr_replica_t *replica);
uint64_t skr_wire_state_of (const skr_id_t *collection, const skr_clock_t *clock,
                            const skr_fingerprint_t *fingerprint);

#endif
