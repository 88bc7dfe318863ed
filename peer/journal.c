#include "peer/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 4096u
#define HEAD_BYTES 16u
#define SUM_BYTES 8u
#define RECORD_HEAD_BYTES 7u
#define PATH_BYTES 4096
#define KEPT_BYTES_MAX (64u << 10) /* of memory, from group to group */

_Static_assert(crypto_shorthash_BYTES == SUM_BYTES, "size of a checksum");

void skr_journal_init (skr_journal_t *self, const uint8_t *key)
{
    *self = (skr_journal_t){.file = -1, .key = key};
}

/* ---- the file */

static int write_all (int file, const uint8_t *bytes, size_t size, size_t at)
{
    while (size > 0) {
        ssize_t written = pwrite (file, bytes, size, (off_t) at);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written == 0) {
            return ENOSPC;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t) written;
            at += (size_t) written;
        }
    }
    return 0;
}

/* Zeros, not a place alone: what is written for the first time costs a sync of the filesystem's
   own journal. */
static int fill_up (int file)
{
    struct stat status;
    if (fstat (file, &status) != 0) {
        return errno;
    }
    size_t size = (size_t) status.st_size;
    if (size >= SKR_JOURNAL_BYTES) {
        return 0;
    }
    uint8_t *zeros = calloc (1, SKR_JOURNAL_BYTES);
    if (!zeros) {
        return ENOMEM;
    }
    int code = write_all (file, zeros, SKR_JOURNAL_BYTES - size, size);
    free (zeros);
    return code ? code : fsync (file) == 0 ? 0 : errno;
}

int skr_journal_open (skr_journal_t *self, const char *folder, bool make, bool look)
{
    char path[PATH_BYTES];
    int size = snprintf (path, sizeof path, "%s/%s", folder, SKR_JOURNAL_FILE);
    if (size < 0 || (size_t) size >= sizeof path) {
        return ENAMETOOLONG;
    }
    int flags = (look ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
    int file = open (path, flags, 0600);
    if (file < 0) {
        return errno;
    }
    int code = make ? fill_up (file) : 0;
    if (code) {
        (void) close (file);
        return code;
    }
    self->file = file;
    return 0;
}

void skr_journal_close (skr_journal_t *self)
{
    if (self->file >= 0) {
        (void) close (self->file);
    }
    skr_buf_free (&self->group);
    skr_journal_init (self, self->key);
}

void skr_journal_begin (skr_journal_t *self, uint64_t generation)
{
    self->generation = generation;
    self->number = 0;
    self->at = 0;
}

/* ---- writing */

static void lay_record (skr_buf_t *group, skr_table_t table, const skr_staged_record_t *record)
{
    uint8_t head[RECORD_HEAD_BYTES] = {(uint8_t) table, (uint8_t) (record->key.size >> 8),
                                       (uint8_t) record->key.size};
    skr_put_u32 (head + 3, (uint32_t) record->record.size);
    skr_buf_append (group, head, sizeof head);
    skr_buf_append_span (group, record->key);
    skr_buf_append_span (group, record->record);
}

/* Of a group with records of so many bytes. */
static size_t blocks_for (size_t size)
{
    return (HEAD_BYTES + size + SUM_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

bool skr_journal_lay_out (skr_journal_t *self, const skr_staged_t *staged)
{
    static const uint8_t zeros[BLOCK_BYTES + SUM_BYTES]; /* what fills a block, and the checksum */
    skr_buf_t *group = &self->group;
    skr_buf_clear (group);
    skr_buf_append (group, zeros, HEAD_BYTES);
    for (int table = 0; table < SKR_TABLES; table++) {
        const skr_staged_table_t *records = &staged->tables[table];
        for (size_t i = 0; i < records->count; i++) {
            lay_record (group, (skr_table_t) table, &records->records[i]);
        }
    }
    if (!group->failed) {
        size_t size = group->size - HEAD_BYTES;
        skr_put_u32 (group->data + 12, (uint32_t) size);
        skr_buf_append (group, zeros, blocks_for (size) - group->size);
    }
    if (group->failed) {
        skr_buf_free (group);
        return false;
    }
    return true;
}

bool skr_journal_could_have_room (const skr_journal_t *self)
{
    return self->group.size <= SKR_JOURNAL_BYTES;
}

bool skr_journal_has_room (const skr_journal_t *self)
{
    return self->number < SKR_JOURNAL_GROUPS_MAX
           && self->group.size <= SKR_JOURNAL_BYTES - self->at;
}

/* blocks: their bytes. */
static void sum_of (const skr_journal_t *self, const uint8_t *group, size_t blocks,
                    uint8_t sum[SUM_BYTES])
{
    (void) crypto_shorthash (sum, group, blocks - SUM_BYTES, self->key);
}

int skr_journal_write (skr_journal_t *self, bool *unsure)
{
    uint8_t *group = self->group.data;
    size_t blocks = self->group.size;
    skr_put_u64 (group, self->generation);
    skr_put_u32 (group + 8, self->number);
    sum_of (self, group, blocks, group + blocks - SUM_BYTES);
    int code = write_all (self->file, group, blocks, self->at);
    *unsure = code != 0 && code != ENOSPC && code != EDQUOT;
    if (code == 0 && fdatasync (self->file) != 0) {
        code = errno;
        *unsure = true;
    }
    if (code == 0) {
        self->number++;
        self->at += blocks;
    }
    if (self->group.capacity > KEPT_BYTES_MAX) {
        skr_buf_free (&self->group);
    }
    return code;
}

/* ---- reading */

typedef struct replay_t {
    const skr_journal_t *journal;
    const uint8_t *bytes; /* the whole file */
    size_t size;
} replay_t;

typedef struct head_t {
    uint64_t generation;
    uint32_t number;
    size_t size; /* of its records */
} head_t;

/* False: no group can begin there. */
static bool read_head (const replay_t *self, size_t at, head_t *head)
{
    if (at >= self->size || self->size - at < BLOCK_BYTES) {
        return false;
    }
    const uint8_t *group = self->bytes + at;
    head->generation = skr_get_u64 (group);
    head->number = skr_get_u32 (group + 8);
    head->size = skr_get_u32 (group + 12);
    return head->size < self->size && blocks_for (head->size) <= self->size - at;
}

static bool is_whole (const replay_t *self, size_t at, const head_t *head)
{
    uint8_t sum[SUM_BYTES];
    const uint8_t *group = self->bytes + at;
    size_t blocks = blocks_for (head->size);
    sum_of (self->journal, group, blocks, sum);
    return memcmp (sum, group + blocks - SUM_BYTES, SUM_BYTES) == 0;
}

/* A group of another generation at the start: data.mdb is an old one that was put back. */
static bool has_moved_on (const replay_t *self)
{
    head_t head;
    return read_head (self, 0, &head) && head.generation != self->journal->generation
           && is_whole (self, 0, &head);
}

/* Is there a group of this generation behind the one that is not? */
static bool has_lost_one (const replay_t *self, size_t at, uint32_t number)
{
    for (head_t head; at < self->size; at += BLOCK_BYTES) {
        if (read_head (self, at, &head) && head.generation == self->journal->generation
            && head.number > number && is_whole (self, at, &head)) {
            return true;
        }
    }
    return false;
}

static int visit_records (const uint8_t *records, size_t size, skr_journal_fn *visit,
                          void *argument)
{
    size_t at = 0;
    while (at < size) {
        if (size - at < RECORD_HEAD_BYTES) {
            return MDB_CORRUPTED;
        }
        skr_table_t table = (skr_table_t) records[at];
        size_t key_size = (size_t) records[at + 1] << 8 | records[at + 2];
        size_t record_size = skr_get_u32 (records + at + 3);
        at += RECORD_HEAD_BYTES;
        if (table >= SKR_TABLES || key_size == 0 || key_size > SKR_STORE_KEY_BYTES_MAX
            || key_size > size - at || record_size > size - at - key_size) {
            return MDB_CORRUPTED;
        }
        int code = visit (table, skr_span (records + at, key_size),
                          skr_span (records + at + key_size, record_size), argument);
        if (code) {
            return code;
        }
        at += key_size + record_size;
    }
    return 0;
}

static int replay_groups (const replay_t *self, skr_journal_fn *visit, void *argument,
                          uint32_t *number, size_t *at)
{
    head_t head;
    *number = 0;
    *at = 0;
    while (read_head (self, *at, &head) && head.generation == self->journal->generation
           && head.number == *number && is_whole (self, *at, &head)) {
        int code = visit_records (self->bytes + *at + HEAD_BYTES, head.size, visit, argument);
        if (code) {
            return code;
        }
        (*number)++;
        *at += blocks_for (head.size);
    }
    bool damaged = has_lost_one (self, *at, *number) && !(*number == 0 && has_moved_on (self));
    return damaged ? MDB_CORRUPTED : 0;
}

static int read_all (const skr_journal_t *self, uint8_t *bytes, size_t *size)
{
    *size = 0;
    while (*size < SKR_JOURNAL_BYTES) {
        ssize_t got = pread (self->file, bytes + *size, SKR_JOURNAL_BYTES - *size, (off_t) *size);
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        if (got == 0) {
            return 0;
        }
        *size += got > 0 ? (size_t) got : 0;
    }
    return 0;
}

int skr_journal_replay (skr_journal_t *self, skr_journal_fn *visit, void *argument)
{
    uint8_t *bytes = malloc (SKR_JOURNAL_BYTES);
    replay_t replay = {.journal = self, .bytes = bytes};
    if (!bytes) {
        return ENOMEM;
    }
    int code = read_all (self, bytes, &replay.size);
    code = code ? code : replay_groups (&replay, visit, argument, &self->number, &self->at);
    free (bytes);
    return code;
}
