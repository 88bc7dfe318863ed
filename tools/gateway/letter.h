/* Letter: one event for one subscription: a document was changed. Its id is derived from the
   change, so it is the same on every peer; its body is a CloudEvent (version 1.0, structured). One
   that could not be delivered is kept as a document aside/HOOK/EVENT until its next attempt, and as
   dead/HOOK/EVENT when there are no more. */

#ifndef TOOLS_GATEWAY_LETTER_H_INCLUDED
#define TOOLS_GATEWAY_LETTER_H_INCLUDED

#include "gateway/hook.h"
#include "strbuf.h"

#define LETTER_ID_SIZE 33      /* 32 hexadecimal digits and a zero */
#define LETTER_MESSAGE_SIZE 37 /* "msg_", 32 digits and a zero */
#define LETTER_TYPE "saker.document.changed"
#define LETTER_VALUE_BYTES_MAX (256u << 10) /* a larger document is left out of its event */

typedef struct letter_t {
    char id[LETTER_ID_SIZE]; /* of the event */
    uint8_t writer[16];
    uint64_t seq;
    uint64_t time_ms; /* by the writer's clock */
    int64_t number;   /* delivered_number: when it is done with */
    char author[65];
    char document[HOOK_DOCUMENT_SIZE];
    /* what was tried */
    unsigned attempts;
    int64_t since_ms; /* 1970: when it was set aside; 0: it was not */
    int64_t next_ms;  /* 1970: its next attempt */
    unsigned status;  /* of the last one; 0: no answer */
    char why[HOOK_REASON_MAX + 1];
} letter_t;

/* The letter of an event of the feed. */
void letter_of (letter_t *self, const saker_event_t *event);
void letter_id (const char *collection, const char *document, const uint8_t writer[16],
                uint64_t seq, char id[LETTER_ID_SIZE]);
/* webhook-id: the same at each attempt, from whichever peer; another for each subscription. */
void letter_message (const char *hook, const char *event, char message[LETTER_MESSAGE_SIZE]);
/* The body, the same bytes at every peer. `value` NULL: the hook wants none. `place`: of JSON null
   when the document is gone. */
void letter_body (const letter_t *self, const hook_t *hook, const json_t *value, strbuf_t *body);

/* Between a letter and its document. */
bool letter_take (letter_t *self, const json_t *json);
json_t *letter_json (const letter_t *self);
/* The same for people. */
json_t *letter_show (const letter_t *self);
/* Older first: by time, writer and seq. As for qsort. */
int letter_compare (const letter_t *a, const letter_t *b);

#endif
