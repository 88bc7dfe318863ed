/* Answer: the other side of a session: one request in, one answer out, from what is committed.
   All that is remembered about the asker is how much it took (ration.h); the files of offered
   snapshots are shared by all. */

#ifndef SKR_MESH_ANSWER_H_INCLUDED
#define SKR_MESH_ANSWER_H_INCLUDED

#include "mesh/wire.h"

#define SKR_ANSWER_SNAPSHOTS_MAX 16 /* files kept at a time; the oldest goes first */
#define SKR_ANSWER_PARTS_MAX 4      /* of them, of parts that one member asked for */
/* A collection of more changes is offered whole to who has nothing of it. */
#define SKR_ANSWER_SNAPSHOT_CHANGES 1024

/* Who asks, as its CURVE key tells. */
typedef struct skr_asker_t {
    const skr_member_t *member; /* NULL: it came with a ticket */
    const uint8_t *ticket;      /* 32 bytes, or NULL */
    uint64_t now_ms;            /* mono */
} skr_asker_t;

/* What an asker told of itself in a HELLO; empty for other requests. Borrowed from the request. */
typedef struct skr_said_t {
    skr_span_t instance;  /* of its process */
    uint16_t pub_port;    /* 0: it does not listen */
    skr_span_t addresses; /* raw array */
} skr_said_t;

typedef struct skr_answerer_t skr_answerer_t;

/* Borrows the replica. Removes files that an earlier process left. */
saker_err_t skr_answerer_new (skr_answerer_t **self_p, skr_replica_t *replica) SKR_MUST_USE;
void skr_answerer_destroy (skr_answerer_t **self_p);
/* What HELLO and JOIN answer with; copied. `book`: encoded array [* [device, address]]. */
saker_err_t skr_answerer_set (skr_answerer_t *self, uint16_t pub_port,
                              const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                              skr_span_t book) SKR_MUST_USE;
/* Appends the answer to one request; an empty answer means: drop it (it is not even a request, and
   was counted). JOIN begins a group on the replica: *held is then true, and the answer may be sent
   only once the group is committed (build it again with skr_answer_joined). *said is what
   a HELLO tells of the asker. */
void skr_answer (skr_answerer_t *self, const skr_asker_t *asker, skr_span_t request,
                 skr_buf_t *answer, bool *held, skr_said_t *said);
/* The answer to a JOIN whose group was committed. */
void skr_answer_joined (skr_answerer_t *self, skr_span_t request, skr_buf_t *answer);
uint64_t skr_answerer_bad_requests (const skr_answerer_t *self);

#endif
