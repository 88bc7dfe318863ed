/* Nearest: the name that a person may have meant who mistyped another. */

#ifndef SKR_PEER_NEAREST_H_INCLUDED
#define SKR_PEER_NEAREST_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

#define SKR_NEAREST_BYTES_MAX 64 /* longer names are like no other */

typedef struct skr_nearest_t {
    const char *wanted;
    size_t distance;                      /* of the best so far */
    char name[SKR_NEAREST_BYTES_MAX + 1]; /* "": none is like it */
} skr_nearest_t;

/* Borrows `wanted`. */
void skr_nearest_begin (skr_nearest_t *self, const char *wanted);
/* Is this one meant? The first of those that are equally near is kept. */
void skr_nearest_look (skr_nearest_t *self, const char *name);

#endif
