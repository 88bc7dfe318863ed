#include "peer/nearest.h"

#include <stdio.h>
#include <string.h>

#define DISTANCE_MAX 2 /* two letters that changed places, say */

/* Letters to add, remove and replace (Levenshtein). `other` has at most SKR_NEAREST_BYTES_MAX. */
static size_t distance (const char *one, const char *other)
{
    size_t row[SKR_NEAREST_BYTES_MAX + 1];
    size_t width = strlen (other);
    for (size_t k = 0; k <= width; k++) {
        row[k] = k;
    }
    for (size_t i = 1; one[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t k = 1; k <= width; k++) {
            size_t change = corner + (one[i - 1] != other[k - 1]);
            corner = row[k];
            size_t least = row[k] < row[k - 1] ? row[k] + 1 : row[k - 1] + 1;
            row[k] = change < least ? change : least;
        }
    }
    return row[width];
}

void skr_nearest_begin (skr_nearest_t *self, const char *wanted)
{
    size_t most = strlen (wanted) > 3 ? DISTANCE_MAX : 1; /* all short words are near each other */
    *self = (skr_nearest_t){.wanted = wanted, .distance = most + 1};
}

void skr_nearest_look (skr_nearest_t *self, const char *name)
{
    bool short_enough =
        strlen (name) <= SKR_NEAREST_BYTES_MAX && strlen (self->wanted) <= SKR_NEAREST_BYTES_MAX;
    size_t far = short_enough ? distance (self->wanted, name) : self->distance;
    if (far < self->distance) {
        self->distance = far;
        snprintf (self->name, sizeof self->name, "%s", name);
    }
}
