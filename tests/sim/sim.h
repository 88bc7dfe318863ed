/* Simulator: a whole mesh in one process, in virtual time. The object files are the daemon's own
   (crdt/, peer/, mesh/ from the event loop down); what is replaced is what comes from outside:

     zmq.c      libzmq and zbeacon: sockets on a network whose paths delay, lose and break
     disk.c     open, write, sync and their like: what was not synced may be lost in a crash
     memory.c   allocation, which may fail
     signing.c  signatures, which would take most of the time
     chance.c   all randomness, libsodium's too: everything follows from the seed
     peers.c    clocks, start, crash and restart of peers; the mesh that they are founded in
     clients.c  applications that write through the local API of their peer
     faults.c   what goes wrong, and when
     made.c     every change that was ever made, for the oracle
     oracle.c   what must hold, compared with a naive reading of the history
     main.c     runs seeds, replays and shrinks those that fail

   The simulated world is one, so its state is one global: `sim`. */

#ifndef TESTS_SIM_SIM_H_INCLUDED
#define TESTS_SIM_SIM_H_INCLUDED

#include "mesh/node_internal.h"

#include <stdlib.h>
#include <string.h>

#define SIM_PEERS_MAX 32
#define SIM_COLLECTIONS_MAX 8
#define SIM_LATE_NAME "late" /* of a device that joined while the others were at work */
#define SIM_DAY_MS (24ull * 3600 * 1000)
#define SIM_HEAL_MS 60000 /* after healing, all peers are equal within that */
/* And then, without history, no log holds anything within that: a member tells for 30 s that a
   device runs twice, which is believed for 30 s, and the device closes what it was after 20 s of
   calm. */
#define SIM_QUIET_MS 90000
#define SIM_MESSAGES_MAX 400000 /* sent in one simulated second, by all: more is a storm */

/* Everything that goes wrong: name in C, name for people. Each is counted when it takes effect. */
#define SIM_FAULTS(X)                                                                              \
    X (LOSS, "loss")                                                                               \
    X (DUPLICATE, "duplicate")                                                                     \
    X (REORDER, "reorder")                                                                         \
    X (DELAY, "delay")                                                                             \
    X (DAMAGE, "damaged-message")                                                                  \
    X (SPLIT, "split")                                                                             \
    X (ONE_WAY, "one-way")                                                                         \
    X (RING, "ring")                                                                               \
    X (FLAP, "flap")                                                                               \
    X (SLOW, "slow-path")                                                                          \
    X (PUB_LOST, "pub-lost")                                                                       \
    X (NO_PUB, "no-pub")                                                                           \
    X (RESET, "reset")                                                                             \
    X (STRANGER, "stranger")                                                                       \
    X (LIAR, "unauthorised-write")                                                                 \
    X (CRASH, "crash")                                                                             \
    X (CRASH_WRITE, "crash-at-write")                                                              \
    X (CRASH_SYNC, "crash-at-sync")                                                                \
    X (LOST_WRITES, "lost-writes")                                                                 \
    X (TORN_WRITE, "torn-write")                                                                   \
    X (FAILED_WRITE, "failed-write")                                                               \
    X (FULL_DISK, "full-disk")                                                                     \
    X (FAILED_SYNC, "failed-sync")                                                                 \
    X (BIT_FLIP, "bit-flip")                                                                       \
    X (CLOCK_JUMP, "clock-jump")                                                                   \
    X (CLOCK_STOP, "clock-stop")                                                                   \
    X (CLOCK_BACK, "clock-back")                                                                   \
    X (CLOCK_DRIFT, "clock-drift")                                                                 \
    X (SNAPSHOT_CRASH, "crash-in-snapshot")                                                        \
    X (SNAPSHOT_STOP, "restart-in-snapshot")                                                       \
    X (AWAY, "away-400-days")                                                                      \
    X (CUT, "cut")                                                                                 \
    X (JOIN, "join")                                                                               \
    X (OLD_COPY, "old-copy")                                                                       \
    X (CLONE, "clone")                                                                             \
    X (NO_MEMORY, "no-memory")                                                                     \
    X (ROLE, "role")                                                                               \
    X (REVOKE, "revoke")                                                                           \
    X (ROTATE, "rotate")                                                                           \
    X (FENCE, "fence")                                                                             \
    X (SUCCESSION, "succession")                                                                   \
    X (LEAVE, "leave")                                                                             \
    X (COME_BACK, "come-back")                                                                     \
    X (DROP, "drop")                                                                               \
    X (PART, "part")                                                                               \
    X (NARROWED, "narrowed")                                                                       \
    X (WIDENED, "widened")

typedef enum sim_fault_t {
#define SIM_FAULT_ENUM(name, text) SIM_##name,
    SIM_FAULTS (SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
} sim_fault_t;

/* What a run is made of: with equal options, two runs are equal. */
typedef struct sim_options_t {
    uint64_t seed;
    int peers;         /* 0: chosen by the seed */
    int operations;    /* at most; 0: chosen by the seed */
    uint64_t disabled; /* bits of faults that are not to happen */
    bool trace;
} sim_options_t;

/* ---- chance.c */

/* Streams that do not disturb each other: leaving a fault out leaves the operations alone. */
typedef enum sim_stream_t {
    SIM_MIX,        /* what kind of run this is */
    SIM_OPERATIONS, /* what clients do */
    SIM_NETWORK,
    SIM_DISK,
    SIM_TROUBLE, /* when faults come */
    SIM_SODIUM,
    SIM_CALLS, /* who listens */
    SIM_STREAMS
} sim_stream_t;

void sim_chance_seed (uint64_t seed);
uint64_t sim_random (sim_stream_t stream);
uint64_t sim_below (sim_stream_t stream, uint64_t bound);
bool sim_one_in (sim_stream_t stream, uint64_t number); /* 0: never */

/* ---- peers.c */

typedef struct sim_peer_t {
    int no;
    skr_node_t *node; /* NULL: it is down */
    skr_world_t world;
    saker_config_t config;
    char folder[64];
    uint64_t wake_ms;    /* its next round */
    bool crashed;        /* in this round: it is as good as down */
    bool stops;          /* in order, before its next round */
    uint64_t restart_ms; /* when down; UINT64_MAX: not by itself */
    int64_t wall_offset_ms;
    int drift_percent;
    uint64_t drift_since_ms;
    bool wall_stopped;
    uint64_t wall_stopped_ms;
    int machine;                          /* whose id its world tells */
    uint64_t born;                        /* when the file of its store was made */
    bool forked;                          /* its store was copied back, or runs twice */
    bool damaged;                         /* bits were flipped in its store */
    uint8_t device[SKR_DEVICE_KEY_BYTES]; /* zeros before its first start */
    int starts;
    bool joined; /* while the others were at work */
    bool calls;  /* it does not listen */
    uint64_t rounds;
} sim_peer_t;

typedef struct sim_t {
    sim_options_t options;
    uint64_t now_ms; /* virtual, monotonic */
    int peers_count; /* with clones */
    int members;     /* without */
    sim_peer_t peers[SIM_PEERS_MAX + 1];
    int current; /* whose code runs; -1: the simulator's own */
    char root[40];
    uint64_t counts[SIM_FAULT_COUNT]; /* of this run */
    bool healing;                     /* no more faults */
    bool forks;                       /* some store was copied: not all promises hold */
    bool rights;  /* some right was given or taken: what was written may be void */
    bool fences;  /* some device was fenced: its changes may come again, with their times of then */
    bool copies;  /* some store was put back from an old copy: it lacks what it reported */
    bool leaves;  /* some device left a collection */
    bool twins;   /* a store runs twice, and could tell */
    int cloned;   /* whose store the peer after the members has */
    bool large;   /* a collection that is handed over as a snapshot */
    bool history; /* kept beyond stability */
    bool folds;   /* counters */
    bool parts;   /* some peer was to carry a part of a collection */
    bool ghost;   /* a device may have been admitted that never came: it is waited for */
    uint64_t rounds;
    uint64_t beats;     /* sent by processes that have ended */
    uint64_t heap_most; /* the most that a peer held after a round, beside what waits */
    bool failed;
    char failure[2048];
} sim_t;

extern sim_t sim;

/* Makes the mesh of a run; false with sim.failure. */
bool sim_peers_found (int members, bool large);
/* Where its store lies and where it listens, by its number. */
void sim_peer_place (sim_peer_t *peer);
void sim_peer_start (sim_peer_t *peer);
/* One more device is admitted by the founder, which is up, and gets a store. False when that could
   not be done now. */
bool sim_peer_join (void);
/* As kill -9 and a power cut: what was not synced may be gone. */
void sim_peer_crash (sim_peer_t *peer);
void sim_peer_stop (sim_peer_t *peer); /* in order */
void sim_peer_round (sim_peer_t *peer);
/* A copy of a store as it is on the disk; the peer must be down. */
void sim_store_copy (const char *from, const char *to);
void sim_store_remove (const char *folder);
void sim_peers_end (void);
/* Has any of them a damaged store? What is in that alone may never come. */
bool sim_peers_damaged (void);
void sim_peers_remove_templates (void);

/* ---- zmq.c: the network */

typedef struct sim_path_t {
    bool blocked;
    uint32_t delay_ms, jitter_ms;
    uint32_t loss, duplicate, reorder, damage; /* one in; 0: never */
    uint32_t bytes_a_second;                   /* 0: no bound */
    bool pub_lost;
} sim_path_t;

extern sim_path_t sim_paths[SIM_PEERS_MAX + 1][SIM_PEERS_MAX + 1]; /* from, to */

void sim_network_begin (void);
void sim_network_end (void);
/* When something happens next; UINT64_MAX: never. Then lets happen what is due. */
uint64_t sim_network_due_ms (void);
void sim_network_run (void);
/* All sockets of a peer vanish. */
void sim_network_cut (int peer);
/* Connections of this peer break, with what was on its way. */
void sim_network_reset (int peer);
/* All paths are good again, and what was slow comes now. */
void sim_network_heal (void);
/* Time leaps: what was on its way comes then. */
void sim_network_leap (uint64_t by_ms);
/* A frame as if published by `from`'s PUB, to all who hear it. */
void sim_network_inject (int from, skr_span_t frame);
/* Somebody without a place in the roster dials. */
void sim_network_stranger (int peer);

/* ---- local.c */

/* A request of a local client. */
void sim_local_ask (int peer, uint32_t client, skr_span_t request);

/* ---- disk.c */

void sim_disk_begin (void);
void sim_disk_end (void);
typedef struct sim_disk_t {
    uint64_t writes, syncs;           /* so far */
    uint64_t crash_write, crash_sync; /* at which; 0: never */
    uint64_t fail_write, fail_count;  /* from which, and how many */
    uint64_t short_write;             /* at which */
    uint64_t fail_sync;               /* at which */
    bool full;                        /* nothing grows and nothing is written */
    uint64_t write_errors, sync_errors;
} sim_disk_t;
extern sim_disk_t sim_disks[SIM_PEERS_MAX + 1];
/* The power is gone: none, some or all of what was not synced. Its files are closed. */
void sim_disk_lose (int peer);
/* Everything is on the disk, as after a stop in order and time. */
void sim_disk_settle (int peer);
/* Flips one bit in a used page of the peer's store, which is down. */
bool sim_disk_flip (int peer);

/* ---- memory.c */

/* What a peer may hold beside the changes that wait, whatever it has been through: twice the most
   that was seen in a thousand runs, which have up to 32 peers. */
#define SIM_HEAP_BYTES_MAX (1536u << 10) /* documents that stay decoded included */

/* From the n-th allocation of the peers' code on, `count` fail. 0: none. */
void sim_memory_fail (uint64_t nth, uint64_t count);
/* Bytes that this peer's code holds now. */
uint64_t sim_memory_held (int peer);
/* The simulator's own allocations do not fail. */
void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *memory, size_t size);
char *__real_strdup (const char *text);
#define malloc(size) __real_malloc (size)
#define calloc(count, size) __real_calloc (count, size)
#define realloc(memory, size) __real_realloc (memory, size)
#undef strdup
#define strdup(text) __real_strdup (text)

/* ---- clients.c */

void sim_clients_begin (int operations_max);
uint64_t sim_clients_due_ms (void);
void sim_clients_run (void);
void sim_clients_end (void);
/* An answer of a peer's local API. */
void sim_client_answer (int peer, uint32_t client, skr_span_t answer);
void sim_clients_lost (int peer); /* it went down */
void sim_clients_leap (void);     /* a long time passes: what is open is not asked again */
void sim_clients_stop (void);     /* nothing new; what is open is asked again until answered */
bool sim_clients_done (void);

/* ---- faults.c */

void sim_faults_begin (void);
uint64_t sim_faults_due_ms (void);
void sim_faults_run (void);
void sim_faults_heal (void);
bool sim_may (sim_fault_t fault); /* in this run, now */
void sim_count (sim_fault_t fault, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
const char *sim_fault_text (sim_fault_t fault);
/* A part of a snapshot goes from one peer to another: either may fall, or be started anew. */
void sim_faults_on_part (int from, int to);
/* Does nothing that is published arrive in this run, ever? Then all comes by pull. */
bool sim_faults_no_pub (void);

/* ---- made.c */

/* Takes what is new of a peer's collection. */
void sim_made_note (const sim_peer_t *peer, const skr_collection_t *collection);
typedef void sim_made_fn (skr_span_t change, void *argument);
/* Visits what was made of a collection, up to a clock. False when it is not known. */
bool sim_made_each (const skr_id_t *collection, const skr_clock_t *up_to, sim_made_fn *visit,
                    void *argument);
void sim_made_end (void);

/* ---- oracle.c */

void sim_oracle_begin (void);
void sim_oracle_end (void);
/* A write was acknowledged. */
void sim_oracle_acked (int peer, const char *collection, const uint8_t operation_id[16],
                       const skr_id_t *writer, uint64_t seq, bool repeated);
/* What a client reads back of a write that was acknowledged, and what it must find: the value that
   was written, or something that replaced it. */
typedef struct sim_wanted_t {
    int peer;
    char collection[8], document[8];
    skr_id_t writer;
    uint64_t seq;
    skr_kind_t kind;
    uint8_t path[32];
    size_t path_size;
    int64_t value; /* of a member */
} sim_wanted_t;
/* It does not show it: so the history must say that it was replaced. */
void sim_oracle_not_shown (const sim_wanted_t *wanted);
/* A deletion was refused: there is nothing at and below that path. */
void sim_oracle_refused (const sim_wanted_t *refused);
/* After each round of a peer: what can be told at once. */
void sim_oracle_round (sim_peer_t *peer);
/* After its start: what the store must still hold. */
void sim_oracle_started (sim_peer_t *peer);
/* All of a peer's data against its own history. */
void sim_oracle_check (sim_peer_t *peer);
/* Is the end of a writer known to a peer, and this seq above it? */
bool sim_oracle_is_void (const sim_peer_t *peer, const char *collection, const skr_id_t *writer,
                         uint64_t seq);
/* A device was admitted: by then the founder had this. */
void sim_oracle_joined (const sim_peer_t *peer);
/* Does a peer carry a collection, as far as it knows? And did it leave it once, and lacks this? */
bool sim_oracle_carries (const sim_peer_t *peer, const char *collection);
bool sim_oracle_is_away (const sim_peer_t *peer, const char *collection, const skr_id_t *writer,
                         uint64_t seq);
/* Does nobody speak with it any more, since it was revoked? */
bool sim_oracle_is_outside (const sim_peer_t *peer);
/* It states in its next round that it leaves a collection. */
void sim_oracle_left (const sim_peer_t *peer, const skr_id_t *collection);
/* Do all peers hold the same? */
bool sim_oracle_converged (void);
/* Is anything in a log that all have stored? Only where no history is kept. */
bool sim_oracle_logs_empty (void);
/* Is it the first, or unlike the first? For messages. */
bool sim_oracle_differs (const sim_peer_t *peer);
/* Its store is copied, and later put back: what was acknowledged in between may be gone. */
void sim_oracle_copied (const sim_peer_t *peer);
/* Has it changes of others that nobody else has, as after who wrote them handed them over and left?
   If its store is put back to before that, they are gone, whatever the mesh does. True also while
   it does not run. */
bool sim_oracle_holds_alone (const sim_peer_t *peer);
void sim_oracle_put_back (const sim_peer_t *peer);
/* At the end. */
void sim_oracle_final (void);

/* ---- main.c */

void sim_trace (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/* The first failure counts. */
void sim_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

#endif
