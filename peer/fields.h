/* Fields: reading a CBOR map with ascending unsigned keys, some of which may be absent. For the
   requests and answers of the local API. Errors are the reader's sticky error. */

#ifndef SKR_PEER_FIELDS_H_INCLUDED
#define SKR_PEER_FIELDS_H_INCLUDED

#include "crdt/cbor.h"

#define SKR_FIELDS_MAX 16

typedef struct skr_fields_t {
    skr_cbor_t *cbor; /* stands at the value of the field that was found last */
    size_t left;
    int64_t last;
    uint64_t key;
    bool pending; /* key was read, its value was not asked for yet */
} skr_fields_t;

/* Takes the head of a map. Borrows the reader. */
void skr_fields_open (skr_fields_t *self, skr_cbor_t *cbor);
/* Is this the next field? If so the caller takes its value from the reader. Ask in ascending
   order. */
bool skr_fields_has (skr_fields_t *self, uint64_t key);
/* The same for a field that must be there. */
void skr_fields_need (skr_fields_t *self, uint64_t key);
/* Rejects what is left: nobody asked for it. */
void skr_fields_end (skr_fields_t *self);

/* Takes a text of less than `size` bytes without zero bytes; ended by a zero. */
void skr_fields_text (skr_cbor_t *cbor, char *text, size_t size);

#endif
