#include "tests/lib/temp_folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void temp_folder_make (char path[TEMP_FOLDER_BYTES])
{
    const char *base = getenv ("TMPDIR");
    if (!base || strlen (base) > 32) {
        base = "/tmp";
    }
    snprintf (path, TEMP_FOLDER_BYTES, "%s/saker-test-XXXXXX", base);
    if (!mkdtemp (path)) {
        perror (path);
        exit (1);
    }
}

static int remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove (path);
}

void temp_folder_remove (const char *path)
{
    nftw (path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
