/* Say: answers on stdout. */

#ifndef TOOLS_SAY_H_INCLUDED
#define TOOLS_SAY_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* Prints a value in canonical form and a newline. Takes `json`; NULL is out of memory. */
saker_err_t say_json (call_t *call, json_t *json);
/* Prints what a write did, with --json; nothing otherwise. */
saker_err_t say_receipt (call_t *call, const saker_receipt_t *receipt);
/* One leaf with its writer, as --json shows it. NULL: out of memory. Owned by the caller. */
json_t *say_leaf (const saker_leaf_t *leaf);
/* A member, as --json shows it. NULL: out of memory. Owned by the caller. */
json_t *say_peer (const saker_peer_t *peer);
/* What was replaced, as --json shows it. NULL: out of memory. Owned by the caller. */
json_t *say_bases (const saker_base_t *bases, size_t count);
/* The same for people: a line "over VALUE by AUTHOR at TIME" each, behind `indent`. The place is
   told where it is another than `pointer`. */
void say_over (const saker_base_t *bases, size_t count, uint64_t more, const char *pointer,
               const char *indent);
/* "register", "lww", "counter", "member", "map". Static. */
const char *say_cell (saker_cell_t cell);
/* 32 hexadecimal digits and a zero. */
void say_hex (const uint8_t writer[16], char text[33]);
/* What could not be written to stdout is an error too. */
saker_err_t say_end (call_t *call);

#endif
