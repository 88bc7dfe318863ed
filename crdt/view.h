/* View: from the live entries of a document to what a reader sees: one value a place, sums of
   counters, rivals.

   At one place there may be entries of several kinds (a type clash). The place shows the kind that
   holds the entry with the highest (hlc, writer, index), where keys below the place count for the
   map. Everything else is a rival and stays until somebody writes over it. A map with keys has no
   leaf of its own: its keys show it. Roster statements are not part of a view. */

#ifndef SKR_CRDT_VIEW_H_INCLUDED
#define SKR_CRDT_VIEW_H_INCLUDED

#include "crdt/cells.h"

typedef struct skr_leaf_t {
    skr_span_t path;
    skr_kind_t kind;
    saker_value_t value; /* counter: the sum (modulo 2^64), member: the member, map: SAKER_MAP */
    skr_dot_t dot;       /* of the entry; counter and member: the latest one */
    uint64_t hlc;
    bool rival;    /* not the winner of its place */
    bool shown;    /* part of what a plain read shows: neither it nor a map above it lost */
    bool conflict; /* to be listed: a rival register, or what lost a type clash, be it here or (for
                      keys of a lost map) above; not an lww rival of an lww winner */
} skr_leaf_t;

typedef saker_err_t skr_leaf_visit_fn (const skr_leaf_t *leaf, void *argument);

/* Visits the leaves at and below `path` in order of path, winner first, then by descending (hlc,
   writer); members by their encoded bytes. SAKER_ENOTFOUND when there is no entry. *conflicts, when
   not NULL, receives the number of places in conflict. A winner is judged by the whole document. */
saker_err_t skr_view_document (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                               skr_leaf_visit_fn *visit, void *argument,
                               size_t *conflicts) SKR_MUST_USE;

#endif
