/* The key file: 16 bytes of magic, the Ed25519 seed (32), the X25519 secret (32), and BLAKE2b-128
   of all before. Public keys are computed again from the secrets: they cannot disagree. */

#include "peer/device.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "saker device 1\n"
#define MAGIC_BYTES 16
#define SEED_BYTES 32
#define CHECK_BYTES 16
#define FILE_BYTES (MAGIC_BYTES + SEED_BYTES + SKR_TRANSPORT_KEY_BYTES + CHECK_BYTES)
#define CHECKED_BYTES (FILE_BYTES - CHECK_BYTES)
#define FILE_NAME "device.key"
#define FILE_PATH_MAX 4096

typedef struct secrets_t {
    uint8_t sign[SKR_SIGN_SECRET_BYTES];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES];
} secrets_t;

struct skr_device_t {
    uint8_t key[SKR_DEVICE_KEY_BYTES];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES];
    secrets_t *secrets; /* design 8: in sodium_malloc memory */
};

static saker_err_t make_empty (skr_device_t **self_p)
{
    if (sodium_init () < 0) {
        return skr_fail (SAKER_EIO, "no source of randomness");
    }
    skr_device_t *self = calloc (1, sizeof *self);
    secrets_t *secrets = sodium_malloc (sizeof *secrets);
    if (!self || !secrets) {
        free (self);
        sodium_free (secrets);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->secrets = secrets;
    *self_p = self;
    return SAKER_OK;
}

saker_err_t skr_device_new (skr_device_t **self_p)
{
    SKR_TRY (make_empty (self_p));
    skr_device_t *self = *self_p;
    crypto_sign_keypair (self->key, self->secrets->sign);
    randombytes_buf (self->secrets->transport, sizeof self->secrets->transport);
    crypto_scalarmult_base (self->transport, self->secrets->transport);
    return SAKER_OK;
}

void skr_device_destroy (skr_device_t **self_p)
{
    if (*self_p) {
        sodium_free ((*self_p)->secrets);
        free (*self_p);
        *self_p = NULL;
    }
}

static saker_err_t file_path (char path[FILE_PATH_MAX], const char *folder, const char *name)
{
    int size = snprintf (path, FILE_PATH_MAX, "%s/%s", folder, name);
    if (size < 0 || size >= FILE_PATH_MAX) {
        return skr_fail (SAKER_EINPUT, "the name of the store folder is too long");
    }
    return SAKER_OK;
}

static saker_err_t io_failed (const char *what, const char *path)
{
    saker_err_t error = errno == ENOSPC || errno == EDQUOT ? SAKER_EFULL : SAKER_EIO;
    return skr_fail (error, "%s %s: %s", what, path, strerror (errno));
}

static bool write_all (int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write (fd, data, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        data += done;
        size -= (size_t) done;
    }
    return true;
}

static saker_err_t write_durably (const char *path, const uint8_t *data, size_t size)
{
    if (unlink (path) < 0 && errno != ENOENT) {
        return io_failed ("remove", path);
    }
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return io_failed ("create", path);
    }
    bool written = fchmod (fd, 0600) == 0 && write_all (fd, data, size) && fsync (fd) == 0;
    if (close (fd) < 0 || !written) {
        saker_err_t error = io_failed ("write", path);
        unlink (path);
        return error;
    }
    return SAKER_OK;
}

static saker_err_t sync_folder (const char *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return io_failed ("open", folder);
    }
    bool synced = fsync (fd) == 0;
    saker_err_t error = synced ? SAKER_OK : io_failed ("sync", folder);
    close (fd);
    return error;
}

static void fill_file (const skr_device_t *self, uint8_t *file)
{
    memcpy (file, MAGIC, MAGIC_BYTES);
    crypto_sign_ed25519_sk_to_seed (file + MAGIC_BYTES, self->secrets->sign);
    memcpy (file + MAGIC_BYTES + SEED_BYTES, self->secrets->transport, SKR_TRANSPORT_KEY_BYTES);
    crypto_generichash (file + CHECKED_BYTES, CHECK_BYTES, file, CHECKED_BYTES, NULL, 0);
}

static saker_err_t write_and_rename (const skr_device_t *self, const char *folder,
                                     const char *temporary, const char *path)
{
    uint8_t *file = sodium_malloc (FILE_BYTES);
    if (!file) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    fill_file (self, file);
    saker_err_t error = write_durably (temporary, file, FILE_BYTES);
    sodium_free (file);
    SKR_TRY (error);
    if (rename (temporary, path) < 0) {
        error = io_failed ("rename to", path);
        unlink (temporary);
        return error;
    }
    return sync_folder (folder);
}

saker_err_t skr_device_save (const skr_device_t *self, const char *folder)
{
    char path[FILE_PATH_MAX], temporary[FILE_PATH_MAX];
    struct stat there;
    SKR_TRY (file_path (path, folder, FILE_NAME));
    SKR_TRY (file_path (temporary, folder, FILE_NAME ".new"));
    if (lstat (path, &there) == 0) {
        return skr_fail (SAKER_EEXIST, "there is a device key already: %s", path);
    }
    return write_and_rename (self, folder, temporary, path);
}

static saker_err_t check_mode (int fd, const char *path)
{
    struct stat status;
    if (fstat (fd, &status) < 0) {
        return io_failed ("read", path);
    }
    if (!S_ISREG (status.st_mode)) {
        return skr_fail (SAKER_EDAMAGED, "%s is not a file", path);
    }
    if (status.st_mode & 077) {
        return skr_fail (SAKER_ERIGHT, "others may read the device key: chmod 600 %s", path);
    }
    return SAKER_OK;
}

/* One byte more than a key file has, so that a longer file shows. */
static saker_err_t read_file (int fd, const char *path, uint8_t file[FILE_BYTES + 1])
{
    size_t size = 0;
    while (size < FILE_BYTES + 1) {
        ssize_t done = read (fd, file + size, FILE_BYTES + 1 - size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return io_failed ("read", path);
        }
        if (done == 0) {
            break;
        }
        size += (size_t) done;
    }
    if (size != FILE_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "%s: wrong size; restore it from a backup", path);
    }
    return SAKER_OK;
}

static saker_err_t take_file (skr_device_t *self, const char *path, const uint8_t *file)
{
    uint8_t check[CHECK_BYTES];
    if (memcmp (file, MAGIC, MAGIC_BYTES) != 0) {
        return skr_fail (SAKER_EDAMAGED, "%s is not a device key of this version", path);
    }
    crypto_generichash (check, sizeof check, file, CHECKED_BYTES, NULL, 0);
    if (memcmp (check, file + CHECKED_BYTES, CHECK_BYTES) != 0) {
        return skr_fail (SAKER_EDAMAGED, "%s: checksum differs; restore it from a backup", path);
    }
    crypto_sign_seed_keypair (self->key, self->secrets->sign, file + MAGIC_BYTES);
    memcpy (self->secrets->transport, file + MAGIC_BYTES + SEED_BYTES, SKR_TRANSPORT_KEY_BYTES);
    crypto_scalarmult_base (self->transport, self->secrets->transport);
    return SAKER_OK;
}

static saker_err_t load_open_file (skr_device_t **self_p, int fd, const char *path)
{
    SKR_TRY (check_mode (fd, path)); /* design 8: 0600, and refused otherwise */
    SKR_TRY (make_empty (self_p));
    uint8_t *file = sodium_malloc (FILE_BYTES + 1);
    saker_err_t error =
        file ? read_file (fd, path, file) : skr_fail (SAKER_ENOMEM, "out of memory");
    if (error == SAKER_OK) {
        error = take_file (*self_p, path, file);
    }
    sodium_free (file);
    if (error != SAKER_OK) {
        skr_device_destroy (self_p);
    }
    return error;
}

saker_err_t skr_device_load (skr_device_t **self_p, const char *folder)
{
    char path[FILE_PATH_MAX];
    *self_p = NULL;
    SKR_TRY (file_path (path, folder, FILE_NAME));
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return skr_fail (SAKER_ENOTFOUND, "no device key: %s", path);
    }
    if (fd < 0) {
        return io_failed ("open", path);
    }
    saker_err_t error = load_open_file (self_p, fd, path);
    close (fd);
    return error;
}

const uint8_t *skr_device_key (const skr_device_t *self)
{
    return self->key;
}

const uint8_t *skr_device_secret (const skr_device_t *self)
{
    return self->secrets->sign;
}

const uint8_t *skr_device_transport_key (const skr_device_t *self)
{
    return self->transport;
}

const uint8_t *skr_device_transport_secret (const skr_device_t *self)
{
    return self->secrets->transport;
}

static void hash_two (const char *words, const uint8_t first[32], const uint8_t *second,
                      size_t second_size, skr_id_t *id)
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof id->bytes);
    crypto_generichash_update (&state, (const uint8_t *) words, strlen (words));
    crypto_generichash_update (&state, first, 32);
    crypto_generichash_update (&state, second, second_size);
    crypto_generichash_final (&state, id->bytes, sizeof id->bytes);
}

void skr_device_writer (const uint8_t device[SKR_DEVICE_KEY_BYTES],
                        const uint8_t incarnation[SKR_INCARNATION_BYTES], skr_id_t *writer)
{
    hash_two ("saker writer", device, incarnation, SKR_INCARNATION_BYTES, writer);
}

void skr_device_mesh (const uint8_t founder[SKR_DEVICE_KEY_BYTES], const uint8_t random[32],
                      skr_id_t *mesh)
{
    hash_two ("saker mesh", founder, random, 32, mesh);
}

void skr_device_text (const uint8_t device[SKR_DEVICE_KEY_BYTES], char text[17])
{
    skr_hex (text, device, 8);
}
