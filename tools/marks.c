#include "marks.h"

#include <string.h>

bool mark_like (const char *key, size_t dollars_min)
{
    static const char *const marks[] = {MARK_BYTES, MARK_SET, MARK_COUNTER};
    size_t dollars = strspn (key, "$");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strcmp (key + dollars, &marks[i][1]) == 0) {
            return dollars >= dollars_min;
        }
    }
    return false;
}

json_t *mark_inside (const json_t *json, const char *mark)
{
    return json_object_size (json) == 1 ? json_object_get (json, mark) : NULL;
}
