/* The disk: open, write, sync and their like are taken over for files below sim.root, of liblmdb as
   well as of our own code (a program's symbols come before those of its libraries). Each write is
   kept, with what was there before, until it is synced; a crash then leaves none, all, or some
   sectors of it. LMDB reads through its memory map, so the files themselves always show what was
   written last, as a page cache does. */

#include "tests/sim/sim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
#define SECTOR_BYTES 512

typedef struct record_t { /* one write that is not synced yet */
    TAILQ_ENTRY (record_t) next;
    off_t offset;
    size_t size;
    off_t size_before; /* of the file */
    size_t old_size;   /* of what was there */
    uint8_t *old_bytes, *new_bytes;
} record_t;

typedef struct file_t {
    LIST_ENTRY (file_t) next;
    char path[256];
    int peer;
    bool unsynced; /* written by other means than those that are seen here */
    TAILQ_HEAD (records_t, record_t) records;
} file_t;

static LIST_HEAD (, file_t) files;
static struct {
    file_t *file;
    bool synced; /* O_DSYNC */
} descriptors[DESCRIPTORS_MAX];

sim_disk_t sim_disks[SIM_PEERS_MAX + 1];

/* ---- which file */

static int peer_of (const char *path)
{
    size_t size = strlen (sim.root);
    if (!size || strncmp (path, sim.root, size) != 0 || strncmp (path + size, "/peer", 5) != 0) {
        return -1;
    }
    return (int) strtol (path + size + 5, NULL, 10);
}

static file_t *find (const char *path)
{
    file_t *file;
    LIST_FOREACH (file, &files, next)
    {
        if (strcmp (file->path, path) == 0) {
            return file;
        }
    }
    return NULL;
}

static file_t *find_or_add (const char *path, int peer)
{
    file_t *file = find (path);
    if (!file) {
        file = calloc (1, sizeof *file);
        snprintf (file->path, sizeof file->path, "%s", path);
        file->peer = peer;
        TAILQ_INIT (&file->records);
        LIST_INSERT_HEAD (&files, file, next);
    }
    return file;
}

static void forget_records (file_t *file)
{
    record_t *record;
    while ((record = TAILQ_FIRST (&file->records))) {
        TAILQ_REMOVE (&file->records, record, next);
        free (record->old_bytes);
        free (record->new_bytes);
        free (record);
    }
    file->unsynced = false;
}

static void drop (file_t *file)
{
    for (int i = 0; i < DESCRIPTORS_MAX; i++) {
        if (descriptors[i].file == file) {
            descriptors[i].file = NULL;
        }
    }
    forget_records (file);
    LIST_REMOVE (file, next);
    free (file);
}

static file_t *file_of (int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX ? descriptors[descriptor].file : NULL;
}

/* ---- the system's own */

static ssize_t real_pwrite (int descriptor, const void *bytes, size_t size, off_t offset)
{
    return syscall (SYS_pwrite64, descriptor, bytes, size, offset);
}

static ssize_t real_pread (int descriptor, void *bytes, size_t size, off_t offset)
{
    return syscall (SYS_pread64, descriptor, bytes, size, offset);
}

static int real_open (const char *path, int flags, int mode)
{
    return (int) syscall (SYS_openat, AT_FDCWD, path, flags, mode);
}

static int real_close (int descriptor)
{
    return (int) syscall (SYS_close, descriptor);
}

static int real_truncate (int descriptor, off_t size)
{
    return (int) syscall (SYS_ftruncate, descriptor, size);
}

/* ---- what may happen to a write, and to a sync */

static bool is_dead (int peer)
{
    return sim.peers[peer].crashed;
}

static void keep (file_t *file, int descriptor, const void *bytes, size_t size, off_t offset)
{
    struct stat status;
    record_t *record = calloc (1, sizeof *record);
    fstat (descriptor, &status);
    record->offset = offset;
    record->size = size;
    record->size_before = status.st_size;
    record->old_bytes = malloc (size);
    record->new_bytes = malloc (size);
    memcpy (record->new_bytes, bytes, size);
    char path[64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", descriptor);
    ssize_t got = real_pread (descriptor, record->old_bytes, size, offset);
    if (got < 0) { /* opened for writing only */
        int reader = real_open (file->path, O_RDONLY | O_CLOEXEC, 0);
        got = real_pread (reader, record->old_bytes, size, offset);
        real_close (reader);
    }
    record->old_size = got > 0 ? (size_t) got : 0;
    TAILQ_INSERT_TAIL (&file->records, record, next);
}

/* How much of a write is done when it is cut off: sectors are written whole or not at all. */
static size_t some_of (size_t size, off_t offset)
{
    size_t end = (size_t) offset + sim_below (SIM_DISK, size + 1);
    end -= end < (size_t) offset + size ? end % SECTOR_BYTES : 0;
    return end > (size_t) offset ? end - (size_t) offset : 0;
}

static void crash (int peer, sim_fault_t fault, uint64_t at)
{
    sim_count (fault, "peer %d: the power goes at operation %llu of its disk", peer,
               (unsigned long long) at);
    sim.peers[peer].crashed = true;
}

static ssize_t write_at (int descriptor, const void *bytes, size_t size, off_t offset)
{
    file_t *file = file_of (descriptor);
    if (!file) {
        return real_pwrite (descriptor, bytes, size, offset);
    }
    sim_disk_t *disk = &sim_disks[file->peer];
    size_t part = size;
    bool ends = false;
    errno = EIO;
    if (is_dead (file->peer)) {
        return -1;
    }
    disk->writes++;
    if (disk->crash_write == disk->writes) {
        ends = true;
        part = descriptors[descriptor].synced ? size * sim_below (SIM_DISK, 2)
                                              : some_of (size, offset);
        crash (file->peer, SIM_CRASH_WRITE, disk->writes);
    } else if (disk->short_write == disk->writes) {
        sim_count (SIM_FAILED_WRITE, "peer %d: write %llu falls short", file->peer,
                   (unsigned long long) disk->writes);
        disk->write_errors++;
        part = some_of (size, offset);
    } else if (disk->fail_write && disk->fail_write <= disk->writes
               && disk->writes < disk->fail_write + disk->fail_count) {
        sim_count (SIM_FAILED_WRITE, "peer %d: write %llu fails", file->peer,
                   (unsigned long long) disk->writes);
        disk->write_errors++;
        ends = true; /* it may have reached the disk all the same */
        part = descriptors[descriptor].synced ? size * sim_below (SIM_DISK, 2) : 0;
    } else if (disk->full) {
        sim_count (SIM_FULL_DISK, "peer %d: the disk is full", file->peer);
        disk->write_errors++;
        errno = ENOSPC;
        return -1;
    }
    if (part && !descriptors[descriptor].synced) {
        keep (file, descriptor, bytes, part, offset);
    }
    ssize_t written = part ? real_pwrite (descriptor, bytes, part, offset) : 0;
    if (ends || !part) {
        errno = EIO;
        return -1;
    }
    return written;
}

static int sync_now (int descriptor)
{
    file_t *file = file_of (descriptor);
    if (!file) {
        return 0;
    }
    sim_disk_t *disk = &sim_disks[file->peer];
    errno = EIO;
    if (is_dead (file->peer)) {
        return -1;
    }
    disk->syncs++;
    if (disk->crash_sync == disk->syncs) {
        if (sim_one_in (SIM_DISK, 2)) {
            forget_records (file);
        }
        crash (file->peer, SIM_CRASH_SYNC, disk->syncs);
        return -1;
    }
    if (disk->fail_sync == disk->syncs) {
        sim_count (SIM_FAILED_SYNC, "peer %d: sync %llu fails", file->peer,
                   (unsigned long long) disk->syncs);
        disk->sync_errors++;
        return -1;
    }
    forget_records (file);
    return 0;
}

/* ---- what libc would do */

#pragma GCC visibility push(default) /* liblmdb is to find them */

int open (const char *path, int flags, ...)
{
    va_list arguments;
    va_start (arguments, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg (arguments, int) : 0;
    va_end (arguments);
    int peer = peer_of (path);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (peer >= 0 && (flags & O_CREAT) && (is_dead (peer) || sim_disks[peer].full)) {
        struct stat status;
        if (is_dead (peer) || stat (path, &status) != 0) {
            errno = is_dead (peer) ? EIO : ENOSPC;
            return -1;
        }
    }
    int descriptor = real_open (path, flags, mode);
    if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        descriptors[descriptor].file = NULL;
        if (peer >= 0 && writes && !(flags & (O_PATH | O_DIRECTORY))) {
            descriptors[descriptor].file = find_or_add (path, peer);
            descriptors[descriptor].synced = flags & O_DSYNC;
            if (flags & (O_EXCL | O_TRUNC)) {
                forget_records (descriptors[descriptor].file);
                descriptors[descriptor].file->unsynced = true;
            }
        }
    }
    return descriptor;
}

int close (int descriptor)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        descriptors[descriptor].file = NULL;
    }
    return real_close (descriptor);
}

ssize_t pwrite (int descriptor, const void *bytes, size_t size, off_t offset)
{
    return write_at (descriptor, bytes, size, offset);
}

ssize_t write (int descriptor, const void *bytes, size_t size)
{
    file_t *file = file_of (descriptor);
    if (!file) {
        return syscall (SYS_write, descriptor, bytes, size);
    }
    bool appends = fcntl (descriptor, F_GETFL) & O_APPEND;
    off_t offset = lseek (descriptor, 0, appends ? SEEK_END : SEEK_CUR);
    ssize_t written = write_at (descriptor, bytes, size, offset);
    if (written > 0 && !appends) {
        lseek (descriptor, offset + written, SEEK_SET);
    }
    return written;
}

ssize_t writev (int descriptor, const struct iovec *parts, int count)
{
    if (!file_of (descriptor)) {
        return syscall (SYS_writev, descriptor, parts, count);
    }
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = write (descriptor, parts[i].iov_base, parts[i].iov_len);
        if (written < 0) {
            return all ? all : -1;
        }
        all += written;
        if ((size_t) written < parts[i].iov_len) {
            break;
        }
    }
    return all;
}

int fsync (int descriptor)
{
    return sync_now (descriptor);
}

int fdatasync (int descriptor)
{
    return sync_now (descriptor);
}

int ftruncate (int descriptor, off_t size)
{
    file_t *file = file_of (descriptor);
    struct stat status;
    if (file && (is_dead (file->peer) || sim_disks[file->peer].full)) {
        if (is_dead (file->peer) || (fstat (descriptor, &status) == 0 && size > status.st_size)) {
            errno = is_dead (file->peer) ? EIO : ENOSPC;
            return -1;
        }
    }
    return real_truncate (descriptor, size);
}

int posix_fallocate (int descriptor, off_t offset, off_t size)
{
    file_t *file = file_of (descriptor);
    if (file && (is_dead (file->peer) || sim_disks[file->peer].full)) {
        return is_dead (file->peer) ? EIO : ENOSPC;
    }
    return syscall (SYS_fallocate, descriptor, 0, offset, size) == 0 ? 0 : errno;
}

int rename (const char *from, const char *to)
{
    int peer = peer_of (to);
    if (peer >= 0 && is_dead (peer)) {
        errno = EIO;
        return -1;
    }
    int code = (int) syscall (SYS_rename, from, to);
    file_t *file = code == 0 ? find (from) : NULL;
    if (file) {
        file_t *replaced = find (to);
        if (replaced) {
            drop (replaced);
        }
        snprintf (file->path, sizeof file->path, "%s", to);
    }
    return code;
}

int unlink (const char *path)
{
    int peer = peer_of (path);
    if (peer >= 0 && is_dead (peer)) {
        errno = EIO;
        return -1;
    }
    file_t *file = find (path);
    if (file) {
        drop (file);
    }
    return (int) syscall (SYS_unlink, path);
}

#pragma GCC visibility pop

DIR *__real_opendir (const char *path);
DIR *__wrap_opendir (const char *path);

/* There are no TCP connections here that mesh/guard.c could look at. */
DIR *__wrap_opendir (const char *path)
{
    return strcmp (path, "/proc/self/fd") == 0 ? NULL : __real_opendir (path);
}

/* ---- after a crash */

static void put_back (int descriptor, const file_t *file)
{
    const record_t *record;
    TAILQ_FOREACH_REVERSE (record, &file->records, records_t, next)
    {
        real_pwrite (descriptor, record->old_bytes, record->old_size, record->offset);
        if (record->offset + (off_t) record->size > record->size_before) {
            real_truncate (descriptor, record->size_before);
        }
    }
}

static void put_some (int descriptor, const file_t *file)
{
    const record_t *record;
    TAILQ_FOREACH (record, &file->records, next)
    {
        uint64_t choice = sim_below (SIM_DISK, 4);
        if (choice == 0) {
            real_pwrite (descriptor, record->new_bytes, record->size, record->offset);
        }
        for (size_t at = 0; choice == 1 && at < record->size; at += SECTOR_BYTES) {
            size_t part = record->size - at < SECTOR_BYTES ? record->size - at : SECTOR_BYTES;
            if (sim_one_in (SIM_DISK, 2)) {
                real_pwrite (descriptor, record->new_bytes + at, part, record->offset + (off_t) at);
            }
        }
    }
}

static void lose (file_t *file)
{
    int descriptor = real_open (file->path, O_RDWR | O_CLOEXEC, 0);
    uint64_t choice = sim_below (SIM_DISK, 3);
    if (descriptor < 0) {
        return;
    }
    if (TAILQ_FIRST (&file->records) && choice && sim_may (SIM_LOST_WRITES)) {
        put_back (descriptor, file);
        sim_count (SIM_LOST_WRITES, "peer %d: what was not synced of %s is lost", file->peer,
                   strrchr (file->path, '/') + 1);
        if (choice == 2 && sim_may (SIM_TORN_WRITE)) {
            put_some (descriptor, file);
            sim_count (SIM_TORN_WRITE, "peer %d: but for some sectors", file->peer);
        }
    } else if (file->unsynced && choice && sim_may (SIM_LOST_WRITES)) {
        struct stat status;
        fstat (descriptor, &status);
        real_truncate (descriptor, (off_t) sim_below (SIM_DISK, (uint64_t) status.st_size + 1));
        sim_count (SIM_LOST_WRITES, "peer %d: %s was never synced: cut short", file->peer,
                   strrchr (file->path, '/') + 1);
    }
    real_close (descriptor);
}

void sim_disk_lose (int peer)
{
    file_t *file, *after;
    for (file = LIST_FIRST (&files); file; file = after) {
        after = LIST_NEXT (file, next);
        if (file->peer == peer) {
            lose (file);
            drop (file);
        }
    }
}

void sim_disk_settle (int peer)
{
    file_t *file, *after;
    for (file = LIST_FIRST (&files); file; file = after) {
        after = LIST_NEXT (file, next);
        if (file->peer == peer) {
            drop (file);
        }
    }
}

/* ---- bit flips: in records, which carry checksums; a page of LMDB carries none */

/* Keeps a copy of a random record, checksum and all. */
static void pick_record (const char *folder, uint64_t nth, skr_buf_t *record)
{
    MDB_env *env = NULL;
    MDB_txn *transaction = NULL;
    MDB_dbi table;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    mdb_env_create (&env);
    mdb_env_set_maxdbs (env, SKR_TABLES);
    if (mdb_env_open (env, folder, MDB_RDONLY | MDB_NOLOCK, 0600) == 0
        && mdb_txn_begin (env, NULL, MDB_RDONLY, &transaction) == 0
        && mdb_dbi_open (transaction, sim_one_in (SIM_DISK, 2) ? "cells" : "log", 0, &table) == 0
        && mdb_cursor_open (transaction, table, &cursor) == 0) {
        for (uint64_t i = 0; i <= nth && mdb_cursor_get (cursor, &key, &value, MDB_NEXT) == 0;
             i++) {
            skr_buf_clear (record);
            skr_buf_append (record, value.mv_data, value.mv_size);
        }
        mdb_cursor_close (cursor);
    }
    if (transaction) {
        mdb_txn_abort (transaction);
    }
    mdb_env_close (env);
}

/* Flips the bit in each place where the record lies, in pages that are out of use, too. */
static bool flip_in (int descriptor, const skr_buf_t *record)
{
    struct stat status;
    size_t at = sim_below (SIM_DISK, record->size);
    uint8_t bit = (uint8_t) (1u << sim_below (SIM_DISK, 8));
    bool flipped = false;
    fstat (descriptor, &status);
    size_t size = (size_t) status.st_size;
    uint8_t *bytes = malloc (size);
    bool whole = real_pread (descriptor, bytes, size, 0) == (ssize_t) size;
    for (uint8_t *from = bytes, *found;
         whole
         && (found = memmem (from, size - (size_t) (from - bytes), record->data, record->size));
         from = found + 1) {
        uint8_t byte = found[at] ^ bit;
        flipped = real_pwrite (descriptor, &byte, 1, found - bytes + (off_t) at) == 1;
    }
    free (bytes);
    return flipped;
}

bool sim_disk_flip (int peer)
{
    char path[160];
    skr_buf_t record = {0};
    pick_record (sim.peers[peer].folder, sim_below (SIM_DISK, 64), &record);
    snprintf (path, sizeof path, "%s/data.mdb", sim.peers[peer].folder);
    int descriptor = record.size ? real_open (path, O_RDWR | O_CLOEXEC, 0) : -1;
    bool flipped = descriptor >= 0 && flip_in (descriptor, &record);
    if (descriptor >= 0) {
        real_close (descriptor);
    }
    skr_buf_free (&record);
    return flipped;
}

void sim_disk_begin (void)
{
    memset (sim_disks, 0, sizeof sim_disks);
}

void sim_disk_end (void)
{
    file_t *file;
    while ((file = LIST_FIRST (&files))) {
        drop (file);
    }
}
