/* Deliver: one attempt to hand a message to its receiver. The address that was checked is the one
   that is connected to; redirects are not followed, proxies of the environment not used, and of an
   answer little is read. */

#ifndef TOOLS_GATEWAY_DELIVER_H_INCLUDED
#define TOOLS_GATEWAY_DELIVER_H_INCLUDED

#include "gateway/allow.h"
#include "gateway/letter.h"

#include <stdatomic.h>

#define DELIVER_DEFAULT_MS 15000
#define DELIVER_CONNECT_MS 5000
#define DELIVER_ANSWER_BYTES_MAX (64 << 10)

typedef enum deliver_result_t {
    DELIVER_DONE,
    DELIVER_REFUSED, /* this message was; others may not be */
    DELIVER_FAILED,  /* the receiver does not work at the moment */
    DELIVER_GONE,    /* 410: it wants no more */
    DELIVER_BROKEN,  /* off by ourselves: it is the end */
} deliver_result_t;

typedef struct deliver_outcome_t {
    deliver_result_t result;
    unsigned status;  /* 0: no answer */
    int64_t asked_ms; /* Retry-After; 0: none */
    int64_t took_ms;
    char why[HOOK_REASON_MAX + 1];
} deliver_outcome_t;

typedef struct deliver_t deliver_t;

/* `allow` and `ending` are borrowed; an attempt ends soon when `ending` becomes true. `authority`:
   a file of certificates in PEM, or "" for those of the system. NULL: out of memory. */
deliver_t *deliver_new (const allow_t *allow, const char *authority, int64_t timeout_ms,
                        const atomic_bool *ending);
void deliver_destroy (deliver_t **self_p);
void deliver_send (deliver_t *self, const hook_t *hook, const char *message, const strbuf_t *body,
                   deliver_outcome_t *outcome);

#endif
