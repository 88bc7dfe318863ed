#include "where.h"

#include <stdio.h>
#include <stdlib.h>

bool where_store (const char *given, char path[PATH_MAX])
{
    const char *named = given ? given : getenv ("SAKER_STORE");
    const char *home = getenv ("HOME");
    int size = -1;
    if (named && *named) {
        size = snprintf (path, PATH_MAX, "%s", named);
    } else if (home && *home) {
        size = snprintf (path, PATH_MAX, "%s/.saker", home);
    }
    return size > 0 && size < PATH_MAX;
}
