/* Feeds a target the files of its corpus, and mutations of each: replay FOLDER [MUTATIONS]. */

#include "tests/fuzz/fuzz.h"

#include <dirent.h>

#define BYTES_MAX 65536

static uint64_t state = 88172645463325252ull;

static uint64_t next (void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Flips, sets, cuts and repeats a little. */
static size_t mutate (uint8_t *bytes, size_t size)
{
    for (uint64_t i = 0; i <= next () % 4 && size; i++) {
        size_t at = next () % size;
        switch (next () % 5) {
        case 0:
            bytes[at] ^= (uint8_t) (1u << next () % 8);
            break;
        case 1:
            bytes[at] = (uint8_t) next ();
            break;
        case 2:
            bytes[at] = (uint8_t[]){0, 0xff, 0x1b, 0x5b, 0x7f, 0x80}[next () % 6];
            break;
        case 3:
            size = at + 1;
            break;
        default:
            if (size < BYTES_MAX / 2) {
                memmove (bytes + at + 1, bytes + at, size - at);
                size++;
            }
        }
    }
    return size;
}

static long feed (const char *path, long mutations)
{
    static uint8_t whole[BYTES_MAX], bytes[BYTES_MAX];
    FILE *file = fopen (path, "re");
    size_t size = file ? fread (whole, 1, sizeof whole, file) : 0;
    if (!file) {
        perror (path);
        exit (1);
    }
    fclose (file);
    LLVMFuzzerTestOneInput (whole, size);
    for (long i = 0; i < mutations; i++) {
        memcpy (bytes, whole, size);
        LLVMFuzzerTestOneInput (bytes, mutate (bytes, size));
    }
    return 1 + mutations;
}

static int named (const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main (int argc, char **argv)
{
    struct dirent **entries = NULL;
    long mutations = argc > 2 ? strtol (argv[2], NULL, 10) : 0;
    long fed = 0;
    int count = argc > 1 ? scandir (argv[1], &entries, named, alphasort) : -1;
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf (path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        fed += feed (path, mutations);
        free (entries[i]);
    }
    free (entries);
    if (count <= 0) {
        printf ("no corpus: %s\n", argc > 1 ? argv[1] : "usage: replay FOLDER [MUTATIONS]");
        printf ("0 passed, 1 failed, 0 skipped\n");
        return 1;
    }
    printf ("%d files, %ld inputs\n%d passed, 0 failed, 0 skipped\n", count, fed, count);
    return 0;
}
