/* Tally: which requests were answered, how, and how long that took. Counted by the threads of all
   servers. */

#ifndef TOOLS_GATEWAY_TALLY_H_INCLUDED
#define TOOLS_GATEWAY_TALLY_H_INCLUDED

#include "strbuf.h"

#include <stdatomic.h>
#include <stdint.h>

#define TALLY_ROUTES_MAX 64 /* and one for what fits no route */
#define TALLY_CODES_MAX 32  /* and one for all others */
#define TALLY_BUCKETS_MAX 16

struct request_t;

typedef struct tally_t {
    atomic_uint_fast64_t answers[TALLY_ROUTES_MAX + 1][TALLY_CODES_MAX + 1];
    atomic_uint_fast64_t buckets[TALLY_BUCKETS_MAX];
    atomic_uint_fast64_t sum_us;
} tally_t;

/* A request has got its answer. */
void tally_count (tally_t *self, const struct request_t *request);
/* As metrics. */
void tally_text (tally_t *self, strbuf_t *text);

#endif
