#include "marks.h"

#include <string.h>

bool mark_like (const char *key, size_t dollars_min)
{
    size_t dollars = strspn (key, "$");
    const char *word = key + dollars;
    return dollars >= dollars_min
           && (strcmp (word, MARK_BYTES + 1) == 0 || strcmp (word, MARK_SET + 1) == 0
               || strcmp (word, MARK_COUNTER + 1) == 0);
}

json_t *mark_inside (const json_t *json, const char *mark)
{
    return json_object_size (json) == 1 ? json_object_get (json, mark) : NULL;
}
