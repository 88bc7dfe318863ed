/* Book: where this peer can be reached, as told to others. */

#ifndef SKR_MESH_BOOK_H_INCLUDED
#define SKR_MESH_BOOK_H_INCLUDED

#include "mesh/wire.h"

#define SKR_BOOK_OWN_MAX SKR_TICKET_ADDRESSES_MAX

typedef struct skr_book_t {
    char own[SKR_BOOK_OWN_MAX][SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    const char *own_list[SKR_BOOK_OWN_MAX];
    size_t own_count;
} skr_book_t;

/* From the address that the ROUTER is bound to: itself, or for a wildcard the addresses of the
   machine's interfaces that are up (loopback only when there is no other). */
saker_err_t skr_book_fill (skr_book_t *self, const char *bound) SKR_MUST_USE;

#endif
