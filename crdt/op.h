/* Operations: what a change does to cells, as [kind, document, path, pred, argument], where a null
   document is that of the operation before.

   The state of a collection is a set of live entries, one a dot. An operation adds at most one
   entry, under its own dot, and ends the entries that `pred` names in its scope:

     kind        adds                    scope of pred
     SET         register                every cell at and below the path
     SET_LWW     lww register            every cell at and below the path
     DELETE      nothing                 every cell at and below the path
     SET_MAP     map without keys        the cells at the path itself
     INCR        counter: the amount     the counter at the path
     ADD         set member              that member
     REMOVE      nothing                 that member
     STATEMENT   roster statement        nothing

   `pred` holds, for each writer of which an entry in the scope was seen, the highest dot seen:
   every live entry of that writer in the scope up to and including it ends. Delivery is causal, so
   this ends exactly what was seen. (design 4 names single dots; the bound says the same in less
   room: a delete of a thousand increments is one entry.)

   An increment or an add is written without pred: it ends nothing. An INCR with pred would replace
   the sum that its writer saw, an ADD with pred the earlier adds of that member. */

#ifndef SKR_CRDT_OP_H_INCLUDED
#define SKR_CRDT_OP_H_INCLUDED

#include "crdt/clock.h"
#include "crdt/path.h"

typedef enum skr_op_kind_t {
    SKR_OP_SET = 1,
    SKR_OP_SET_LWW = 2,
    SKR_OP_DELETE = 3,
    SKR_OP_SET_MAP = 4,
    SKR_OP_INCR = 5,
    SKR_OP_ADD = 6,
    SKR_OP_REMOVE = 7,
    SKR_OP_STATEMENT = 16,
} skr_op_kind_t;

/* One entry of pred: index into the content's table of writers, then seq and index. */
typedef struct skr_pred_t {
    uint32_t writer;
    uint64_t seq;
    uint32_t index;
} skr_pred_t;

/* Borrows document, path and argument. */
typedef struct skr_op_t {
    skr_op_kind_t kind;
    skr_span_t document;
    skr_span_t path;     /* see path.h */
    skr_span_t argument; /* an encoded value; INCR: an encoded integer, not 0; STATEMENT: any item;
                            empty for DELETE and SET_MAP, which have no fifth element */
    skr_span_t pred_raw; /* the encoded array of pred; after parsing, see skr_op_pred */
    size_t pred_count;
    skr_pred_t pred_first; /* mostly it is the only one */
} skr_op_t;

/* Appends one operation. pred must be sorted by writer index, one entry a writer. `document` empty:
   that of the operation before, which is then not written again (but a STATEMENT has none). */
void skr_op_put (skr_buf_t *buf, skr_op_kind_t kind, skr_span_t document, skr_span_t path,
                 const skr_pred_t *pred, size_t pred_count, skr_span_t argument);
/* Reads and checks one operation; writer indexes must be below writers_count. `before` is the
   document of the operation before; empty: there is none. */
void skr_op_get (skr_cbor_t *cbor, skr_op_t *op, size_t writers_count, skr_span_t before);
/* Reads the pred of a parsed operation; there is room for pred_count. */
saker_err_t skr_op_pred_get (const skr_op_t *op, skr_pred_t *pred) SKR_MUST_USE;
/* The same. *pred is allocated (free ()), NULL when empty. */
saker_err_t skr_op_pred (const skr_op_t *op, skr_pred_t **pred, size_t *count) SKR_MUST_USE;
/* Kind of the cell that an operation writes; 0 for DELETE. */
skr_kind_t skr_op_cell (skr_op_kind_t kind);

#endif
