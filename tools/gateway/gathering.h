/* Gathering: the feed names one document an event; here the events of one change become one, so
   that a cursor is always between two changes. */

#ifndef TOOLS_GATEWAY_GATHERING_H_INCLUDED
#define TOOLS_GATEWAY_GATHERING_H_INCLUDED

#include "saker.h"
#include "strbuf.h"

#include <jansson.h>

typedef struct gathered_t {
    uint64_t position;
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    json_t *json; /* the change as clients see it; borrowed */
} gathered_t;

/* Called once a change. A value other than 0: it is enough. */
typedef int gathered_fn (const gathered_t *gathered, void *argument);

typedef struct gathering_t {
    uint8_t epoch[16];
    gathered_fn *gathered_fn;
    void *argument;
    gathered_t at; /* the change whose events come; json NULL: none */
    bool enough, failed;
} gathering_t;

/* For saker_watch; its argument is a gathering_t. Ends it before the change that is too much. */
int gathering_event (const saker_event_t *event, void *argument);
/* After it: hands over what came last, if all went well. False: out of memory. */
bool gathering_end (gathering_t *self, bool well);

/* A change as a server-sent event. */
void gathering_text (const gathered_t *gathered, strbuf_t *text);

#endif
