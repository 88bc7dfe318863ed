#include "peer/backup.h"

#include "peer/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "saker backup"
#define MAGIC_BYTES 16
#define SALT_BYTES crypto_pwhash_SALTBYTES
#define STREAM_BYTES crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define SEAL_BYTES crypto_secretstream_xchacha20poly1305_ABYTES
#define KEY_BYTES crypto_secretstream_xchacha20poly1305_KEYBYTES
#define OPERATIONS_USUAL crypto_pwhash_OPSLIMIT_MODERATE
#define MEMORY_USUAL crypto_pwhash_MEMLIMIT_MODERATE
#define RECORD_HEAD_BYTES 7
#define FILE_HEAD_BYTES 6
#define PART_SUFFIX ".part"

_Static_assert(SALT_BYTES == 16 && STREAM_BYTES == 24, "layout of the header");
_Static_assert(72 + STREAM_BYTES == SKR_BACKUP_HEADER_BYTES, "layout of the header");

void skr_backup_mesh (const skr_id_t *mesh, uint8_t digest[16])
{
    static const char words[] = "saker backup mesh";
    crypto_generichash (digest, 16, mesh->bytes, sizeof mesh->bytes, (const uint8_t *) words,
                        sizeof words - 1);
}

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t io_failed (const char *what, const char *path)
{
    saker_err_t error = errno == ENOSPC || errno == EDQUOT  ? SAKER_EFULL
                        : errno == ENOENT                   ? SAKER_ENOTFOUND
                        : errno == EACCES || errno == EPERM ? SAKER_ERIGHT
                                                            : SAKER_EIO;
    return skr_fail (error, "%s %s: %s", what, path, strerror (errno));
}

/* ---- pages of records */

typedef struct page_t {
    skr_backup_place_t *place;
    skr_buf_t *items;
    size_t start, bytes_max;
} page_t;

static bool is_full (const page_t *page)
{
    return page->items->size - page->start >= page->bytes_max;
}

static saker_err_t put_record (skr_span_t key, skr_span_t value, void *argument)
{
    page_t *page = argument;
    uint8_t head[RECORD_HEAD_BYTES] = {SKR_BACKUP_RECORD, (uint8_t) (key.size >> 8),
                                       (uint8_t) key.size};
    if (is_full (page)) {
        return SKR_STOP;
    }
    skr_put_u32 (head + 3, (uint32_t) value.size);
    skr_buf_append (page->items, head, sizeof head);
    skr_buf_append_span (page->items, key);
    skr_buf_append_span (page->items, value);
    memcpy (page->place->key, key.data, key.size);
    page->place->key_size = key.size;
    page->place->records++;
    return page->items->failed ? no_memory () : SAKER_OK;
}

static void put_table (page_t *page)
{
    const char *name = skr_table_name (page->place->table);
    skr_buf_append_byte (page->items, SKR_BACKUP_TABLE);
    skr_buf_append_byte (page->items, (uint8_t) strlen (name));
    skr_buf_append (page->items, name, strlen (name));
}

static void put_end (page_t *page)
{
    uint8_t end[9] = {SKR_BACKUP_END};
    skr_put_u64 (end + 1, page->place->records);
    skr_buf_append (page->items, end, sizeof end);
    page->place->ended = true;
}

/* Goes on in the place's table; *more when the page is full before its end. */
static saker_err_t put_some (skr_store_t *store, page_t *page, bool *more)
{
    skr_backup_place_t *place = page->place;
    uint8_t after[SKR_STORE_KEY_BYTES_MAX];
    size_t size = place->key_size;
    memcpy (after, place->key, size); /* the visit moves the key */
    if (!place->begun) {
        put_table (page);
        place->begun = true;
    }
    return skr_store_view_scan (store, place->table, skr_span (after, size), put_record, page,
                                more);
}

saker_err_t skr_backup_page (skr_store_t *store, skr_backup_place_t *place, size_t bytes_max,
                             skr_buf_t *items)
{
    page_t page = {.place = place, .items = items, .start = items->size, .bytes_max = bytes_max};
    bool more = false;
    while (place->table < SKR_TABLES && !more && !is_full (&page)) {
        SKR_TRY (put_some (store, &page, &more));
        if (!more) {
            place->table++;
            place->begun = false;
            place->key_size = 0;
        }
    }
    if (place->table == SKR_TABLES) {
        put_end (&page);
    }
    return items->failed ? no_memory () : SAKER_OK;
}

/* ---- the header and its key */

typedef struct header_t {
    uint8_t bytes[SKR_BACKUP_HEADER_BYTES];
    uint32_t version, operations;
    uint64_t memory, taken_ms;
} header_t;

static void fill_header (header_t *header, const skr_id_t *mesh)
{
    memset (header->bytes, 0, sizeof header->bytes);
    memcpy (header->bytes, MAGIC, sizeof MAGIC - 1);
    skr_put_u32 (header->bytes + 16, header->version);
    skr_put_u32 (header->bytes + 20, header->operations);
    skr_put_u64 (header->bytes + 24, header->memory);
    randombytes_buf (header->bytes + 32, SALT_BYTES);
    skr_backup_mesh (mesh, header->bytes + 48);
    skr_put_u64 (header->bytes + 64, header->taken_ms);
}

/* No memory from a foreign size: the header is not authenticated before the key is there. */
static saker_err_t parse_header (header_t *header, const char *file)
{
    header->version = skr_get_u32 (header->bytes + 16);
    header->operations = skr_get_u32 (header->bytes + 20);
    header->memory = skr_get_u64 (header->bytes + 24);
    header->taken_ms = skr_get_u64 (header->bytes + 64);
    if (header->version != SKR_BACKUP_VERSION) {
        return skr_fail (SAKER_EVERSION,
                         "%s is a backup of version %lu; this program knows version %d: use a "
                         "newer one",
                         file, (unsigned long) header->version, SKR_BACKUP_VERSION);
    }
    if (header->operations < crypto_pwhash_OPSLIMIT_MIN
        || header->operations > SKR_BACKUP_OPERATIONS_MAX
        || header->memory < crypto_pwhash_MEMLIMIT_MIN || header->memory > SKR_BACKUP_MEMORY_MAX) {
        return skr_fail (SAKER_EFORGED, "%s was altered: its header is not in form", file);
    }
    return SAKER_OK;
}

static saker_err_t derive_key (const header_t *header, const char *passphrase, uint8_t **key)
{
    *key = sodium_malloc (KEY_BYTES);
    if (!*key) {
        return no_memory ();
    }
    if (crypto_pwhash (*key, KEY_BYTES, passphrase, strlen (passphrase), header->bytes + 32,
                       header->operations, (size_t) header->memory, crypto_pwhash_ALG_ARGON2ID13)
        != 0) {
        sodium_free (*key);
        *key = NULL;
        return skr_fail (SAKER_ENOMEM, "the key of a backup takes %llu MiB of memory to compute",
                         (unsigned long long) header->memory >> 20);
    }
    return SAKER_OK;
}

/* ---- writing */

struct skr_backup_writer_t {
    char *file, *part;
    int descriptor;
    header_t header;
    bool begun; /* a frame was sealed */
    crypto_secretstream_xchacha20poly1305_state *stream;
    skr_buf_t clear; /* less than a frame, between calls */
    skr_buf_t sealed;
};

static saker_err_t write_all (skr_backup_writer_t *self, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write (self->descriptor, data, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return io_failed ("write", self->part);
        }
        data += done;
        size -= (size_t) done;
    }
    return SAKER_OK;
}

static saker_err_t seal_frame (skr_backup_writer_t *self, const uint8_t *data, size_t size,
                               bool last)
{
    uint8_t *at;
    unsigned long long sealed = 0;
    skr_buf_clear (&self->sealed);
    at = skr_buf_reserve (&self->sealed, 4 + size + SEAL_BYTES);
    if (!at) {
        return no_memory ();
    }
    (void) crypto_secretstream_xchacha20poly1305_push (
        self->stream, at + 4, &sealed, data, size, self->header.bytes,
        self->begun ? 0 : sizeof self->header.bytes,
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
    skr_put_u32 (at, (uint32_t) sealed);
    self->begun = true;
    return write_all (self, at, 4 + (size_t) sealed);
}

/* Two processes that write one backup would mix: the second is told. */
static saker_err_t open_part (skr_backup_writer_t *self)
{
    struct stat opened, named;
    self->descriptor = open (self->part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->descriptor < 0) {
        return io_failed ("create", self->part);
    }
    if (flock (self->descriptor, LOCK_EX | LOCK_NB) != 0 || fstat (self->descriptor, &opened) != 0
        || lstat (self->part, &named) != 0 || opened.st_ino != named.st_ino
        || !S_ISREG (opened.st_mode) || opened.st_nlink != 1) {
        (void) close (self->descriptor);
        self->descriptor = -1;
        return skr_fail (SAKER_EBUSY, "another process writes %s", self->part);
    }
    return fchmod (self->descriptor, 0600) == 0 && ftruncate (self->descriptor, 0) == 0
               ? SAKER_OK
               : io_failed ("write", self->part);
}

static saker_err_t begin_stream (skr_backup_writer_t *self, const char *passphrase)
{
    uint8_t *key = NULL;
    self->stream = sodium_malloc (sizeof *self->stream);
    if (!self->stream) {
        return no_memory ();
    }
    SKR_TRY (derive_key (&self->header, passphrase, &key));
    (void) crypto_secretstream_xchacha20poly1305_init_push (self->stream, self->header.bytes + 72,
                                                            key);
    sodium_free (key);
    return write_all (self, self->header.bytes, sizeof self->header.bytes);
}

static saker_err_t check_passphrase (const char *passphrase)
{
    size_t size = strlen (passphrase);
    return size >= SKR_BACKUP_PASSPHRASE_BYTES_MIN && size <= SKR_BACKUP_PASSPHRASE_BYTES_MAX
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "the passphrase of a backup has %d to %d bytes",
                           SKR_BACKUP_PASSPHRASE_BYTES_MIN, SKR_BACKUP_PASSPHRASE_BYTES_MAX);
}

static saker_err_t check_free (const char *file)
{
    struct stat status;
    return lstat (file, &status) == 0 ? skr_fail (
               SAKER_EEXIST, "%s is there already: name another, or remove it first", file)
                                      : SAKER_OK;
}

saker_err_t skr_backup_begin (skr_backup_writer_t **self_p, const char *file,
                              const char *passphrase, const skr_id_t *mesh, uint64_t wall_ms,
                              const skr_backup_limits_t *limits)
{
    *self_p = NULL;
    SKR_TRY (check_passphrase (passphrase));
    SKR_TRY (check_free (file));
    skr_backup_writer_t *self = calloc (1, sizeof *self);
    if (!self) {
        return no_memory ();
    }
    *self_p = self;
    self->descriptor = -1;
    self->header =
        (header_t){.version = SKR_BACKUP_VERSION,
                   .operations = limits->operations ? limits->operations : OPERATIONS_USUAL,
                   .memory = limits->memory ? limits->memory : MEMORY_USUAL,
                   .taken_ms = wall_ms};
    fill_header (&self->header, mesh);
    self->file = strdup (file);
    if (!self->file || asprintf (&self->part, "%s" PART_SUFFIX, file) < 0) {
        self->part = NULL;
        return no_memory ();
    }
    SKR_TRY (open_part (self));
    return begin_stream (self, passphrase);
}

saker_err_t skr_backup_write (skr_backup_writer_t *self, skr_span_t items)
{
    size_t at = 0;
    skr_buf_append_span (&self->clear, items);
    if (self->clear.failed) {
        return no_memory ();
    }
    for (; self->clear.size - at > SKR_BACKUP_FRAME_BYTES_MAX; at += SKR_BACKUP_FRAME_BYTES_MAX) {
        SKR_TRY (seal_frame (self, self->clear.data + at, SKR_BACKUP_FRAME_BYTES_MAX, false));
    }
    memmove (self->clear.data, self->clear.data + at, self->clear.size - at);
    self->clear.size -= at;
    return SAKER_OK;
}

static saker_err_t read_whole (int file, const char *path, skr_buf_t *bytes)
{
    for (;;) {
        uint8_t *at = skr_buf_reserve (bytes, 4096);
        ssize_t got = at ? read (file, at, 4096) : -1;
        if (!at) {
            return no_memory ();
        }
        if (got < 0 && errno != EINTR) {
            return io_failed ("read", path);
        }
        if (got == 0) {
            return SAKER_OK;
        }
        bytes->size += got > 0 ? (size_t) got : 0;
        if (bytes->size > SKR_BACKUP_FILE_BYTES_MAX) {
            return skr_fail (SAKER_ELIMIT, "%s has more than %u bytes", path,
                             SKR_BACKUP_FILE_BYTES_MAX);
        }
    }
}

static saker_err_t put_file (skr_backup_writer_t *self, const char *name, skr_span_t bytes)
{
    uint8_t head[FILE_HEAD_BYTES] = {SKR_BACKUP_FILE, (uint8_t) strlen (name)};
    skr_put_u32 (head + 2, (uint32_t) bytes.size);
    SKR_TRY (skr_backup_write (self, skr_span (head, sizeof head)));
    SKR_TRY (skr_backup_write (self, skr_span_text (name)));
    return skr_backup_write (self, bytes);
}

saker_err_t skr_backup_add (skr_backup_writer_t *self, const char *folder, const char *name)
{
    char path[PATH_MAX];
    skr_buf_t bytes = {0};
    int size = snprintf (path, sizeof path, "%s/%s", folder, name);
    int file = size > 0 && (size_t) size < sizeof path
                   ? open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                   : -1;
    if (file < 0) {
        return io_failed ("open", path);
    }
    saker_err_t error = read_whole (file, path, &bytes);
    (void) close (file);
    if (error == SAKER_OK) {
        error = put_file (self, name, skr_span_of (&bytes));
    }
    skr_buf_wipe (&bytes);
    return error;
}

static saker_err_t sync_above (const char *file)
{
    char above[PATH_MAX];
    const char *slash = strrchr (file, '/');
    int size = slash ? (int) (slash - file) + (slash == file) : 1;
    (void) snprintf (above, sizeof above, "%.*s", size, slash ? file : ".");
    return skr_folder_sync (above);
}

/* Gives the name, unless there is a file of that name meanwhile. */
static saker_err_t give_name (const skr_backup_writer_t *self)
{
    if (renameat2 (AT_FDCWD, self->part, AT_FDCWD, self->file, RENAME_NOREPLACE) == 0) {
        return SAKER_OK;
    }
    if (errno == EINVAL || errno == ENOSYS) { /* not every filesystem knows how */
        SKR_TRY (check_free (self->file));
        return rename (self->part, self->file) == 0 ? SAKER_OK : io_failed ("name", self->file);
    }
    return errno == EEXIST ? check_free (self->file) : io_failed ("name", self->file);
}

saker_err_t skr_backup_finish (skr_backup_writer_t *self)
{
    SKR_TRY (seal_frame (self, self->clear.data, self->clear.size, true));
    if (fsync (self->descriptor) != 0) {
        return io_failed ("write", self->part);
    }
    SKR_TRY (give_name (self));
    (void) close (self->descriptor);
    self->descriptor = -1;
    return sync_above (self->file);
}

void skr_backup_destroy (skr_backup_writer_t **self_p)
{
    skr_backup_writer_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->descriptor >= 0) {
        (void) unlink (self->part);
        (void) close (self->descriptor);
    }
    sodium_free (self->stream);
    skr_buf_wipe (&self->clear);
    skr_buf_free (&self->sealed);
    free (self->part);
    free (self->file);
    free (self);
    *self_p = NULL;
}

/* ---- reading */

struct skr_backup_reader_t {
    char *file;
    int descriptor;
    header_t header;
    bool begun, final; /* the first, the last frame was opened */
    uint64_t bytes, done;
    crypto_secretstream_xchacha20poly1305_state *stream;
    skr_buf_t clear; /* of the frames, from `at` on not yet taken */
    size_t at;
    uint8_t sealed[SKR_BACKUP_FRAME_BYTES_MAX + SEAL_BYTES];
};

static saker_err_t cut_off (const skr_backup_reader_t *self)
{
    return skr_fail (SAKER_EDAMAGED,
                     "%s is cut off after %llu bytes: nothing was restored; use another backup",
                     self->file, (unsigned long long) self->done);
}

static saker_err_t altered (const skr_backup_reader_t *self)
{
    return self->begun
               ? skr_fail (SAKER_EFORGED,
                           "%s was altered or is damaged after %llu bytes: nothing was restored; "
                           "use another backup",
                           self->file, (unsigned long long) self->done)
               : skr_fail (SAKER_EFORGED,
                           "the passphrase is not that of %s, or the file was altered", self->file);
}

/* Reads exactly so many bytes; *got is less at the end of the file. */
static saker_err_t read_some (skr_backup_reader_t *self, uint8_t *bytes, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t done = read (self->descriptor, bytes + *got, size - *got);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return io_failed ("read", self->file);
        }
        if (done == 0) {
            break;
        }
        *got += (size_t) done;
    }
    self->done += *got;
    return SAKER_OK;
}

/* Opens one frame onto the clear bytes. */
static saker_err_t open_frame (skr_backup_reader_t *self)
{
    uint8_t head[4], tag = 0;
    size_t got = 0;
    unsigned long long clear = 0;
    SKR_TRY (read_some (self, head, sizeof head, &got));
    if (got < sizeof head) {
        return cut_off (self);
    }
    size_t size = skr_get_u32 (head);
    if (size < SEAL_BYTES || size > sizeof self->sealed) {
        return altered (self);
    }
    SKR_TRY (read_some (self, self->sealed, size, &got));
    if (got < size) {
        return cut_off (self);
    }
    uint8_t *at = skr_buf_reserve (&self->clear, size);
    if (!at) {
        return no_memory ();
    }
    if (crypto_secretstream_xchacha20poly1305_pull (self->stream, at, &clear, &tag, self->sealed,
                                                    size, self->header.bytes,
                                                    self->begun ? 0 : sizeof self->header.bytes)
        != 0) {
        return altered (self);
    }
    self->begun = true;
    self->clear.size += (size_t) clear;
    self->final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return SAKER_OK;
}

/* What is authentic but not in form comes from a program that is wrong. */
static saker_err_t not_in_form (const skr_backup_reader_t *self)
{
    return skr_fail (SAKER_EINPUT, "%s: its content is not in form", self->file);
}

/* Makes `size` clear bytes available at self->at. */
static saker_err_t need (skr_backup_reader_t *self, size_t size)
{
    while (self->clear.size - self->at < size) {
        if (self->final) {
            return not_in_form (self);
        }
        memmove (self->clear.data, self->clear.data + self->at, self->clear.size - self->at);
        self->clear.size -= self->at;
        self->at = 0;
        SKR_TRY (open_frame (self));
    }
    return SAKER_OK;
}

static saker_err_t read_header (skr_backup_reader_t *self)
{
    static const uint8_t magic[MAGIC_BYTES] = MAGIC;
    size_t got = 0;
    struct stat status;
    SKR_TRY (read_some (self, self->header.bytes, sizeof self->header.bytes, &got));
    if (got < MAGIC_BYTES || memcmp (self->header.bytes, magic, sizeof magic) != 0) {
        return skr_fail (SAKER_EINPUT, "%s is not a backup", self->file);
    }
    if (got < sizeof self->header.bytes) {
        return cut_off (self);
    }
    if (fstat (self->descriptor, &status) == 0) {
        self->bytes = (uint64_t) status.st_size;
    }
    return parse_header (&self->header, self->file);
}

static saker_err_t open_stream (skr_backup_reader_t *self, const char *passphrase)
{
    uint8_t *key = NULL;
    self->stream = sodium_malloc (sizeof *self->stream);
    if (!self->stream) {
        return no_memory ();
    }
    SKR_TRY (derive_key (&self->header, passphrase, &key));
    int code = crypto_secretstream_xchacha20poly1305_init_pull (self->stream,
                                                                self->header.bytes + 72, key);
    sodium_free (key);
    SKR_TRY (code == 0 ? SAKER_OK : altered (self));
    return open_frame (self); /* is the passphrase right? */
}

static saker_err_t open_file (skr_backup_reader_t *self, const char *file, const char *passphrase)
{
    self->file = strdup (file);
    if (!self->file) {
        return no_memory ();
    }
    self->descriptor = open (file, O_RDONLY | O_CLOEXEC);
    if (self->descriptor < 0) {
        return io_failed ("open", file);
    }
    SKR_TRY (read_header (self));
    return open_stream (self, passphrase);
}

saker_err_t skr_backup_open (skr_backup_reader_t **self_p, const char *file, const char *passphrase)
{
    skr_backup_reader_t *self = calloc (1, sizeof *self);
    *self_p = NULL;
    if (!self) {
        return no_memory ();
    }
    self->descriptor = -1;
    saker_err_t error = open_file (self, file, passphrase);
    if (error != SAKER_OK) {
        skr_backup_close (&self);
    }
    *self_p = self;
    return error;
}

/* ---- items */

static skr_span_t take (skr_backup_reader_t *self, size_t size)
{
    skr_span_t bytes = skr_span (self->clear.data + self->at, size);
    self->at += size;
    return bytes;
}

static saker_err_t next_file (skr_backup_reader_t *self, skr_backup_read_t *item)
{
    SKR_TRY (need (self, FILE_HEAD_BYTES));
    const uint8_t *head = self->clear.data + self->at;
    size_t name = head[1], size = skr_get_u32 (head + 2);
    if (size > SKR_BACKUP_FILE_BYTES_MAX) {
        return not_in_form (self);
    }
    SKR_TRY (need (self, FILE_HEAD_BYTES + name + size));
    (void) take (self, FILE_HEAD_BYTES);
    item->name = take (self, name);
    item->value = take (self, size);
    return SAKER_OK;
}

static saker_err_t next_table (skr_backup_reader_t *self, skr_backup_read_t *item)
{
    SKR_TRY (need (self, 2));
    size_t name = self->clear.data[self->at + 1];
    SKR_TRY (need (self, 2 + name));
    (void) take (self, 2);
    item->name = take (self, name);
    return SAKER_OK;
}

static saker_err_t next_record (skr_backup_reader_t *self, skr_backup_read_t *item)
{
    SKR_TRY (need (self, RECORD_HEAD_BYTES));
    const uint8_t *head = self->clear.data + self->at;
    size_t key = (size_t) head[1] << 8 | head[2], size = skr_get_u32 (head + 3);
    if (key < 1 || key > SKR_STORE_KEY_BYTES_MAX || size > SKR_BACKUP_RECORD_BYTES_MAX) {
        return not_in_form (self);
    }
    SKR_TRY (need (self, RECORD_HEAD_BYTES + key + size));
    (void) take (self, RECORD_HEAD_BYTES);
    item->key = take (self, key);
    item->value = take (self, size);
    return SAKER_OK;
}

/* Behind the last item there is nothing, neither in its frame nor behind that. */
static saker_err_t next_end (skr_backup_reader_t *self, skr_backup_read_t *item)
{
    uint8_t more;
    size_t got = 0;
    SKR_TRY (need (self, 9));
    item->records = skr_get_u64 (take (self, 9).data + 1);
    while (!self->final) {
        SKR_TRY (open_frame (self));
    }
    if (self->at != self->clear.size) {
        return not_in_form (self);
    }
    SKR_TRY (read_some (self, &more, 1, &got));
    return got ? altered (self) : SAKER_OK;
}

saker_err_t skr_backup_next (skr_backup_reader_t *self, skr_backup_read_t *item)
{
    memset (item, 0, sizeof *item);
    SKR_TRY (need (self, 1));
    item->kind = (skr_backup_item_t) self->clear.data[self->at];
    switch (item->kind) {
    case SKR_BACKUP_FILE:
        return next_file (self, item);
    case SKR_BACKUP_TABLE:
        return next_table (self, item);
    case SKR_BACKUP_RECORD:
        return next_record (self, item);
    case SKR_BACKUP_END:
        return next_end (self, item);
    }
    return not_in_form (self);
}

uint64_t skr_backup_taken_ms (const skr_backup_reader_t *self)
{
    return self->header.taken_ms;
}

const uint8_t *skr_backup_mesh_digest (const skr_backup_reader_t *self)
{
    return self->header.bytes + 48;
}

uint64_t skr_backup_bytes (const skr_backup_reader_t *self)
{
    return self->bytes;
}

uint64_t skr_backup_done (const skr_backup_reader_t *self)
{
    return self->done;
}

void skr_backup_close (skr_backup_reader_t **self_p)
{
    skr_backup_reader_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->descriptor >= 0) {
        (void) close (self->descriptor);
    }
    sodium_free (self->stream);
    skr_buf_wipe (&self->clear);
    free (self->file);
    free (self);
    *self_p = NULL;
}
