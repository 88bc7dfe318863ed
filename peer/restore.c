/* Restoring: a store is made of a backup beside the place where it will be, and gets its name only
   when all of the backup was read and the store opens and adds up. */

#include "peer/backup.h"

#include "peer/folder.h"
#include "peer/incarnation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_BYTES_MAX (16u << 20)
#define SENTENCE_BYTES 1024
#define TELL_EVERY 512 /* items */

/* Files that a backup may hold; anything else is of a later version. */
static const char *const known_files[] = {"device.key", "saker.conf"};

typedef struct restoring_t {
    const char *folder; /* of the store being made */
    skr_backup_reader_t *reader;
    skr_store_t *store;
    skr_table_t table;
    bool made; /* the folder is ours */
    bool key;  /* the device's key was there */
    size_t group_bytes;
    uint64_t records, items;
    skr_restoring_fn *restoring_fn;
    void *argument;
} restoring_t;

static saker_err_t io_failed (const char *what, const char *path)
{
    saker_err_t error = errno == ENOSPC || errno == EDQUOT  ? SAKER_EFULL
                        : errno == EACCES || errno == EPERM ? SAKER_ERIGHT
                                                            : SAKER_EIO;
    return skr_fail (error, "%s %s: %s", what, path, strerror (errno));
}

/* ---- the place */

/* The name of the store without slashes at its end, and the folder it is built in. */
static saker_err_t name_folders (const char *folder, char place[PATH_MAX], char build[PATH_MAX])
{
    size_t size = strlen (folder);
    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    if (size == 0 || size > PATH_MAX - 32) {
        return skr_fail (SAKER_EINPUT, "the name of a store folder has 1 to %d bytes",
                         PATH_MAX - 32);
    }
    memcpy (place, folder, size);
    place[size] = 0;
    const char *slash = strrchr (place, '/');
    const char *name = slash ? slash + 1 : place;
    if (!*name || strcmp (name, ".") == 0 || strcmp (name, "..") == 0) {
        return skr_fail (SAKER_EINPUT, "name a folder of its own for the store, not %s", folder);
    }
    (void) snprintf (build, PATH_MAX, "%.*s.%.*s.restoring", (int) (name - place), place,
                     (int) (size - (size_t) (name - place)), name);
    return SAKER_OK;
}

/* A store is there: is a daemon on it? */
static saker_err_t refuse_store (const char *place)
{
    int lock = -1;
    saker_err_t error = skr_folder_lock (place, &lock);
    if (error == SAKER_EBUSY) {
        return skr_wrap (error, "a daemon runs on it, and a restore makes a new store: name "
                                "another folder");
    }
    if (lock >= 0) {
        (void) close (lock);
    }
    return skr_fail (SAKER_EEXIST,
                     "%s holds a store already: a restore makes a new one: name another folder, or "
                     "move this one away",
                     place);
}

static saker_err_t check_place (const char *place)
{
    struct stat status;
    if (lstat (place, &status) != 0) {
        return errno == ENOENT ? SAKER_OK : io_failed ("look at", place);
    }
    if (S_ISDIR (status.st_mode) && skr_folder_has (place, "data.mdb")) {
        return refuse_store (place);
    }
    return skr_folder_empty (place);
}

static void remove_folder (const char *folder)
{
    struct dirent *entry;
    DIR *listing = opendir (folder);
    while (listing && (entry = readdir (listing))) {
        if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0) {
            (void) unlinkat (dirfd (listing), entry->d_name, 0);
        }
    }
    if (listing) {
        (void) closedir (listing);
    }
    (void) rmdir (folder);
}

/* What a restore that was killed has left, unless it still runs. */
static saker_err_t clear_build (const char *build)
{
    int lock = -1;
    struct stat status;
    if (lstat (build, &status) != 0) {
        return SAKER_OK;
    }
    saker_err_t error = skr_folder_lock (build, &lock);
    if (error == SAKER_EBUSY) {
        return skr_wrap (error, "another restore is under way");
    }
    SKR_TRY (error);
    remove_folder (build);
    (void) close (lock);
    return SAKER_OK;
}

/* ---- items */

static saker_err_t begin_group (restoring_t *self, size_t bytes)
{
    if (self->group_bytes + bytes > GROUP_BYTES_MAX && skr_store_in_group (self->store)) {
        SKR_TRY (skr_store_commit (self->store));
        self->group_bytes = 0;
    }
    self->group_bytes += bytes;
    return skr_store_begin (self->store);
}

/* What belongs to the store that was left, not to the one that is made. */
static bool stays_behind (skr_table_t table, skr_span_t key)
{
    static const char *const keys[] = {"store", "settled", "home"};
    for (size_t i = 0; table == SKR_META && i < sizeof keys / sizeof keys[0]; i++) {
        if (skr_span_equal (key, skr_span_text (keys[i]))) {
            return true;
        }
    }
    return table == SKR_INVITATIONS || table == SKR_ASIDE;
}

static saker_err_t take_record (restoring_t *self, const skr_backup_read_t *item)
{
    if (self->table == SKR_TABLES) {
        return skr_fail (SAKER_EINPUT, "a record of no table");
    }
    self->records++;
    if (stays_behind (self->table, item->key)) {
        return SAKER_OK;
    }
    SKR_TRY (begin_group (self, item->key.size + item->value.size + 64));
    return skr_store_put (self->store, self->table, item->key, item->value);
}

static saker_err_t take_table (restoring_t *self, const skr_backup_read_t *item)
{
    self->table = skr_table_named (item->name);
    return self->table < SKR_TABLES
               ? SAKER_OK
               : skr_fail (SAKER_EVERSION,
                           "the backup holds a table %.*s, which this program does "
                           "not know: use a newer one",
                           (int) item->name.size, (const char *) item->name.data);
}

static saker_err_t write_file (const char *path, skr_span_t bytes)
{
    int file = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return io_failed ("create", path);
    }
    bool written = true;
    for (size_t at = 0; written && at < bytes.size;) {
        ssize_t done = write (file, bytes.data + at, bytes.size - at);
        written = done > 0 || (done < 0 && errno == EINTR);
        at += done > 0 ? (size_t) done : 0;
    }
    written = written && fsync (file) == 0;
    saker_err_t error = written ? SAKER_OK : io_failed ("write", path);
    (void) close (file);
    return error;
}

static saker_err_t take_file (restoring_t *self, const skr_backup_read_t *item)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof known_files / sizeof known_files[0]; i++) {
        if (skr_span_equal (item->name, skr_span_text (known_files[i]))) {
            int size = snprintf (path, sizeof path, "%s/%s", self->folder, known_files[i]);
            self->key |= i == 0;
            return size > 0 && (size_t) size < sizeof path
                       ? write_file (path, item->value)
                       : skr_fail (SAKER_EINPUT, "%s: the path is too long", self->folder);
        }
    }
    return skr_fail (SAKER_EVERSION,
                     "the backup holds a file %.*s, which this program does not "
                     "know: use a newer one",
                     (int) item->name.size, (const char *) item->name.data);
}

static saker_err_t take_end (restoring_t *self, const skr_backup_read_t *item)
{
    if (item->records != self->records || !self->key) {
        return skr_fail (SAKER_EINPUT, "the backup is not whole");
    }
    return skr_store_in_group (self->store) ? skr_store_commit (self->store) : SAKER_OK;
}

static saker_err_t tell (restoring_t *self)
{
    if (!self->restoring_fn || ++self->items % TELL_EVERY != 0
        || self->restoring_fn (skr_backup_done (self->reader), skr_backup_bytes (self->reader),
                               self->argument)
               == 0) {
        return SAKER_OK;
    }
    return skr_fail (SAKER_EINPUT, "ended by the caller");
}

static saker_err_t take_item (restoring_t *self, const skr_backup_read_t *item)
{
    switch (item->kind) {
    case SKR_BACKUP_FILE:
        return take_file (self, item);
    case SKR_BACKUP_TABLE:
        return take_table (self, item);
    case SKR_BACKUP_RECORD:
        return take_record (self, item);
    case SKR_BACKUP_END:
        return take_end (self, item);
    }
    return skr_fail (SAKER_EINPUT, "not an item");
}

static saker_err_t take_all (restoring_t *self)
{
    skr_backup_read_t item = {.kind = SKR_BACKUP_FILE};
    while (item.kind != SKR_BACKUP_END) {
        SKR_TRY (skr_backup_next (self->reader, &item));
        SKR_TRY (take_item (self, &item));
        SKR_TRY (tell (self));
    }
    return SAKER_OK;
}

/* ---- the whole */

static saker_err_t fill (restoring_t *self, const skr_world_t *world)
{
    SKR_TRY (skr_store_open (&self->store, self->folder, SKR_STORE_CREATE, world));
    self->made = true;
    saker_err_t error = take_all (self);
    skr_store_close (&self->store);
    return error;
}

/* The store is opened once: it is looked through, and goes on as a new writer. */
static saker_err_t renew (const restoring_t *self, const skr_world_t *world,
                          skr_restored_t *restored)
{
    skr_replica_t *replica = NULL;
    uint8_t digest[16];
    SKR_TRY (skr_replica_open_as (&replica, self->folder, SKR_DOUBT_RESTORED, world));
    const skr_roster_t *roster = skr_replica_roster (replica);
    skr_backup_mesh (skr_roster_mesh (roster), digest);
    bool same = memcmp (digest, skr_backup_mesh_digest (self->reader), sizeof digest) == 0;
    (void) snprintf (restored->mesh, sizeof restored->mesh, "%s", skr_roster_mesh_name (roster));
    (void) snprintf (restored->device, sizeof restored->device, "%s",
                     skr_replica_self (replica)->name);
    skr_replica_close (&replica);
    return same ? SAKER_OK : skr_fail (SAKER_EINPUT, "the backup names another mesh than it holds");
}

/* An empty folder gives way. */
static saker_err_t give_name (const char *build, const char *place)
{
    SKR_TRY (skr_folder_sync (build));
    if (rename (build, place) != 0) {
        return errno == ENOTEMPTY || errno == EEXIST ? check_place (place)
                                                     : io_failed ("name the restored store", place);
    }
    char above[PATH_MAX + 4];
    (void) snprintf (above, sizeof above, "%s/..", place);
    return skr_folder_sync (above);
}

static saker_err_t build_store (restoring_t *self, const char *place, const skr_world_t *world,
                                skr_restored_t *restored)
{
    SKR_TRY (fill (self, world));
    SKR_TRY (renew (self, world, restored));
    restored->taken_ms = skr_backup_taken_ms (self->reader);
    restored->records = self->records;
    return give_name (self->folder, place);
}

saker_err_t skr_restore (const char *folder, const char *file, const char *passphrase,
                         skr_restoring_fn *restoring_fn, void *argument, const skr_world_t *world,
                         skr_restored_t *restored)
{
    char place[PATH_MAX], build[PATH_MAX], sentence[SENTENCE_BYTES];
    restoring_t self = {
        .folder = build, .table = SKR_TABLES, .restoring_fn = restoring_fn, .argument = argument};
    memset (restored, 0, sizeof *restored);
    SKR_TRY (name_folders (folder, place, build));
    SKR_TRY (check_place (place));
    SKR_TRY (skr_backup_open (&self.reader, file, passphrase));
    saker_err_t error = clear_build (build);
    if (error == SAKER_OK) {
        error = build_store (&self, place, world, restored);
        (void) snprintf (sentence, sizeof sentence, "%s", error == SAKER_OK ? "" : skr_error ());
        if (error != SAKER_OK) {
            if (self.made) {
                remove_folder (build);
            }
            (void) skr_fail (error, "%s", sentence);
        }
    }
    skr_backup_close (&self.reader);
    return error;
}
