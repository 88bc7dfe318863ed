#include "peer/incoming.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file's name: 32 digits of the collection, '-', size, '-', 64 digits of the hash. */
#define NAME_FORMAT "%32[0-9a-f]-%20[0-9]-%64[0-9a-f]"

static saker_err_t failed (const char *what, const char *file)
{
    saker_err_t error = errno == ENOSPC || errno == EDQUOT ? SAKER_EFULL : SAKER_EIO;
    return skr_fail (error, "%s %s: %s", what, file, strerror (errno));
}

static saker_err_t open_file (skr_incoming_t *self)
{
    struct stat status;
    self->descriptor =
        open (self->file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->descriptor < 0) {
        return failed ("open", self->file);
    }
    if (fstat (self->descriptor, &status) != 0) {
        return failed ("look at", self->file);
    }
    self->have = (uint64_t) status.st_size;
    if (self->have > self->size && ftruncate (self->descriptor, 0) == 0) {
        self->have = 0;
    }
    return SAKER_OK;
}

static saker_err_t name_folder (char *path, size_t size, const char *folder)
{
    int length = snprintf (path, size, "%s/incoming", folder);
    if (length < 0 || (size_t) length >= size) {
        return skr_fail (SAKER_ELIMIT, "the path of the store is too long");
    }
    if (mkdir (path, 0700) != 0 && errno != EEXIST) {
        return failed ("make", path);
    }
    return SAKER_OK;
}

saker_err_t skr_incoming_open (skr_incoming_t *self, const char *folder, const skr_id_t *collection,
                               uint64_t size, const uint8_t hash[32])
{
    char path[PATH_MAX - 256];
    char collection_text[33];
    char hash_text[65];
    memset (self, 0, sizeof *self);
    self->descriptor = -1;
    self->collection = *collection;
    self->size = size;
    memcpy (self->hash, hash, sizeof self->hash);
    if (size == 0 || size > SKR_INCOMING_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a snapshot of %llu bytes", (unsigned long long) size);
    }
    SKR_TRY (name_folder (path, sizeof path, folder));
    skr_hex (collection_text, collection->bytes, sizeof collection->bytes);
    skr_hex (hash_text, hash, 32);
    snprintf (self->file, sizeof self->file, "%s/%s-%llu-%s", path, collection_text,
              (unsigned long long) size, hash_text);
    return open_file (self);
}

/* Does a file's name say that it belongs to the collection? */
static bool fits (const char *name, const char *collection_text, uint64_t *size, uint8_t hash[32])
{
    char of[33];
    char size_text[21];
    char hash_text[65];
    size_t bytes = 0;
    if (sscanf (name, NAME_FORMAT, of, size_text, hash_text) != 3
        || strcmp (of, collection_text) != 0) {
        return false;
    }
    *size = strtoull (size_text, NULL, 10);
    return sodium_hex2bin (hash, 32, hash_text, strlen (hash_text), NULL, &bytes, NULL) == 0
           && bytes == 32;
}

saker_err_t skr_incoming_find (skr_incoming_t *self, const char *folder, const skr_id_t *collection)
{
    char path[PATH_MAX - 256];
    char text[33];
    uint8_t hash[32];
    uint64_t size = 0;
    bool found = false;
    SKR_TRY (name_folder (path, sizeof path, folder));
    skr_hex (text, collection->bytes, sizeof collection->bytes);
    DIR *listing = opendir (path);
    if (!listing) {
        return failed ("list", path);
    }
    for (struct dirent *entry; !found && (entry = readdir (listing));) {
        found = fits (entry->d_name, text, &size, hash);
    }
    closedir (listing);
    if (!found) {
        return SAKER_ENOTFOUND;
    }
    return skr_incoming_open (self, folder, collection, size, hash);
}

saker_err_t skr_incoming_append (skr_incoming_t *self, skr_span_t bytes)
{
    if (bytes.size > self->size - self->have) {
        return skr_fail (SAKER_EINPUT, "snapshot: more bytes than were offered");
    }
    while (bytes.size) {
        ssize_t written = write (self->descriptor, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return failed ("write", self->file);
        }
        bytes.data += written;
        bytes.size -= (size_t) written;
        self->have += (uint64_t) written;
    }
    return SAKER_OK;
}

saker_err_t skr_incoming_check (skr_incoming_t *self)
{
    crypto_generichash_state state;
    uint8_t block[65536];
    uint8_t hash[32];
    off_t at = 0;
    ssize_t got;
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    while ((got = pread (self->descriptor, block, sizeof block, at)) > 0) {
        crypto_generichash_update (&state, block, (unsigned long long) got);
        at += got;
    }
    if (got < 0) {
        return failed ("read", self->file);
    }
    crypto_generichash_final (&state, hash, sizeof hash);
    if ((uint64_t) at != self->size || sodium_memcmp (hash, self->hash, sizeof hash) != 0) {
        return skr_fail (SAKER_EDAMAGED, "snapshot: size or hash is not what was offered");
    }
    return SAKER_OK;
}

void skr_incoming_close (skr_incoming_t *self, bool discard)
{
    if (self->descriptor >= 0) {
        close (self->descriptor);
        if (discard) {
            unlink (self->file);
        }
    }
    self->descriptor = -1;
}
