/* Paths and cell addresses.

   A path is its keys as CBOR text items, one after the other: "/a/b" is 61 61 61 62. The items
   delimit themselves, so a path is a byte prefix of exactly the paths at and below it. (In an
   operation the same bytes follow an array header.)

   The address of a cell is its path, a kind byte (below 0x20, so it never starts a text item), and
   for a set member the encoded member. Sorted as bytes, all cells of a subtree are neighbours, and
   no address is a prefix of another. */

#ifndef SKR_CRDT_PATH_H_INCLUDED
#define SKR_CRDT_PATH_H_INCLUDED

#include "crdt/cbor.h"

/* The public saker_cell_t, and roster statements. */
typedef enum skr_kind_t {
    SKR_REGISTER = SAKER_REGISTER,
    SKR_LWW = SAKER_LWW,
    SKR_COUNTER = SAKER_COUNTER,
    SKR_MEMBER = SAKER_MEMBER,
    SKR_MAP = SAKER_EMPTY_MAP,
    SKR_STATEMENT = 6,
} skr_kind_t;

/* From a JSON Pointer. SAKER_EINPUT, SAKER_ELIMIT. Appends; on an error nothing. */
saker_err_t skr_path_from_pointer (skr_buf_t *path, const char *pointer) SKR_MUST_USE;
/* To a JSON Pointer ('~' and '/' escaped). Appends, without an ending zero. */
void skr_path_to_pointer (skr_buf_t *pointer, skr_span_t path);
/* Form, levels, bytes. */
saker_err_t skr_path_check (skr_span_t path) SKR_MUST_USE;
/* Number of keys of a checked path. */
size_t skr_path_levels (skr_span_t path);
/* Takes the first key off a checked path. False at its end. */
bool skr_path_next (skr_span_t *path, skr_span_t *key);

/* Appends path, kind and member (empty unless SKR_MEMBER). */
void skr_address_put (skr_buf_t *address, skr_span_t path, skr_kind_t kind, skr_span_t member);
/* Takes an address apart; borrowed from it. SAKER_EINPUT when it is not one. */
saker_err_t skr_address_parse (skr_span_t address, skr_span_t *path, skr_kind_t *kind,
                               skr_span_t *member) SKR_MUST_USE;

#endif
