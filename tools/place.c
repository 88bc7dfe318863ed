#include "place.h"

#include <string.h>

saker_err_t place_parse (call_t *call, const char *word, const char *pointer, place_t *place)
{
    const char *slash = strchr (word, '/');
    if (!slash || slash == word || !slash[1]) {
        return call_fail (call, SAKER_EUSAGE,
                          "%s: \"%s\" does not name a document; write COLL/DOC, as in "
                          "languages/fra",
                          call->command->name, word);
    }
    size_t size = (size_t) (slash - word);
    if (size > SAKER_COLLECTION_BYTES_MAX) {
        return call_fail (call, SAKER_ELIMIT,
                          "%s: the name of a collection has %d bytes at most, not %zu",
                          call->command->name, SAKER_COLLECTION_BYTES_MAX, size);
    }
    if (pointer && *pointer && *pointer != '/') {
        return call_fail (call, SAKER_EUSAGE,
                          "%s: the path \"%s\" is no JSON Pointer; it begins with '/', as in "
                          "/name/first",
                          call->command->name, pointer);
    }
    memcpy (place->collection, word, size);
    place->collection[size] = 0;
    place->document = slash + 1;
    place->pointer = pointer ? pointer : "";
    return SAKER_OK;
}
