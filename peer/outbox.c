#include "peer/outbox_internal.h"

#include "crdt/cbor.h"
#include "peer/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_KEY "outbox"
#define TRIED_KEY "tried"
#define TRIED_BYTES 32
#define ROOM_BYTES ((size_t) 8 << 20) /* of one group: a batch twice, and LMDB's own */
#define COUNT_MAX ((size_t) 1 << 20)

/* ---- records */

skr_span_t skr_parcel_key (uint8_t key[8], uint64_t number)
{
    skr_put_u64 (key, number);
    return skr_span (key, 8);
}

static void put_span (skr_buf_t *record, skr_span_t bytes)
{
    skr_cbor_put_bytes (record, bytes.data, bytes.size);
}

void skr_parcel_put (skr_buf_t *record, const skr_parcel_t *parcel)
{
    skr_buf_clear (record);
    skr_cbor_put_array (record, 8);
    skr_cbor_put_uint (record, parcel->time_ms);
    put_span (record, parcel->collection);
    skr_cbor_put_uint (record, parcel->intents_count);
    put_span (record, parcel->intents);
    put_span (record, parcel->operation_id);
    put_span (record, parcel->note);
    skr_cbor_put_uint (record, (uint64_t) parcel->error);
    put_span (record, parcel->sentence);
}

saker_err_t skr_parcel_get (skr_span_t record, uint64_t number, skr_parcel_t *parcel)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, record);
    if (skr_cbor_get_array (&cbor, 8) != 8) {
        skr_cbor_reject (&cbor, "not eight parts");
    }
    parcel->number = number;
    parcel->bytes = record.size;
    parcel->time_ms = skr_cbor_get_uint (&cbor);
    parcel->collection = skr_cbor_get_bytes (&cbor);
    parcel->intents_count = skr_cbor_get_uint (&cbor);
    parcel->intents = skr_cbor_get_bytes (&cbor);
    parcel->operation_id = skr_cbor_get_bytes (&cbor);
    parcel->note = skr_cbor_get_bytes (&cbor);
    parcel->error = (saker_err_t) skr_cbor_get_uint (&cbor);
    parcel->sentence = skr_cbor_get_bytes (&cbor);
    return skr_cbor_close (&cbor) == SAKER_OK
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED, "batch %llu is not in form",
                           (unsigned long long) number);
}

/* ---- what there is */

typedef struct tally_t {
    skr_outbox_count_t count;
    uint64_t last;
} tally_t;

static saker_err_t tally_one (skr_span_t key, skr_span_t value, void *argument)
{
    tally_t *tally = argument;
    tally->count.batches++;
    tally->count.bytes += value.size;
    tally->last = key.size == 8 ? skr_get_u64 (key.data) : tally->last;
    return SAKER_OK;
}

static saker_err_t tally_table (skr_outbox_t *self, skr_table_t table, tally_t *tally)
{
    static const skr_span_t all;
    *tally = (tally_t){.last = 0};
    return skr_store_scan (self->store, SKR_COMMITTED, table, all, all, tally_one, tally);
}

/* Where the note is damaged: all may have been sent, to nobody knows whom. Then a batch is written
   only where the daemon knows that it was not, see mesh/queue.c. */
static saker_err_t load_tried (skr_outbox_t *self)
{
    skr_span_t value;
    self->tried = (skr_tried_t){.up_to = 0};
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (TRIED_KEY), &value);
    if (error == SAKER_EDAMAGED || (error == SAKER_ENOTFOUND && self->notes_damaged)) {
        self->tried.up_to = UINT64_MAX; /* until it is known what there is */
        return SAKER_OK;
    }
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    if (value.size != TRIED_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "the note of what was sent is not in form");
    }
    self->tried.up_to = skr_get_u64 (value.data);
    self->tried.since_ms = skr_get_u64 (value.data + 8);
    memcpy (self->tried.writer, value.data + 16, sizeof self->tried.writer);
    return SAKER_OK;
}

static uint64_t highest (uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

/* As the disk has it. */
static saker_err_t load (skr_outbox_t *self)
{
    tally_t waiting, refused;
    SKR_TRY (load_tried (self));
    SKR_TRY (tally_table (self, SKR_LOG, &waiting));
    SKR_TRY (tally_table (self, SKR_ASIDE, &refused));
    skr_store_forget (self->store);
    self->waiting = waiting.count;
    self->refused = refused.count;
    self->last = highest (self->last, highest (waiting.last, refused.last));
    if (self->tried.up_to == UINT64_MAX) {
        self->tried.up_to = self->last;
    }
    self->last = highest (self->last, self->tried.up_to);
    return SAKER_OK;
}

const skr_tried_t *skr_outbox_tried (const skr_outbox_t *self)
{
    return &self->tried;
}

const skr_outbox_count_t *skr_outbox_count (const skr_outbox_t *self, bool refused)
{
    return refused ? &self->refused : &self->waiting;
}

uint64_t skr_outbox_bytes_max (const skr_outbox_t *self)
{
    return self->bytes_max;
}

/* ---- opening */

static saker_err_t put_format (skr_store_t *store)
{
    const uint8_t format = SKR_OUTBOX_FORMAT;
    SKR_TRY (skr_store_begin (store));
    SKR_TRY (skr_store_put (store, SKR_META, skr_span_text (FORMAT_KEY), skr_span (&format, 1)));
    return skr_store_commit (store);
}

static void remove_draft (const char *draft)
{
    skr_store_remove_files (draft);
    (void) rmdir (draft);
}

static saker_err_t fill_draft (const char *draft, const skr_world_t *world)
{
    skr_store_t *store = NULL;
    SKR_TRY (skr_store_open (&store, draft, SKR_STORE_CREATE, world));
    saker_err_t error = put_format (store);
    skr_store_close (&store);
    return error;
}

static saker_err_t sync_parent (const char *folder)
{
    char parent[PATH_MAX];
    const char *slash = strrchr (folder, '/');
    int size = slash ? (int) (slash - folder) + (slash == folder) : 1;
    snprintf (parent, sizeof parent, "%.*s", size, slash ? folder : ".");
    return skr_folder_sync (parent);
}

/* Beside its place, then named: whoever is stopped on the way leaves none that is half made. */
static saker_err_t make (const char *folder, const skr_world_t *world)
{
    char draft[PATH_MAX];
    int size = snprintf (draft, sizeof draft, "%s.XXXXXX", folder);
    if (size < 0 || (size_t) size >= sizeof draft || !mkdtemp (draft)) {
        return skr_fail (errno == ENOSPC ? SAKER_EFULL : SAKER_EINPUT, "make %s: %s", folder,
                         errno == ENOENT ? "the folder above it is not there: make that first"
                                         : strerror (errno));
    }
    saker_err_t error = fill_draft (draft, world);
    if (error == SAKER_OK && rename (draft, folder) == 0) {
        return sync_parent (folder);
    }
    /* Another process was quicker: what is there is a queue, or it is told what it is. */
    bool taken = error == SAKER_OK && (errno == ENOTEMPTY || errno == EEXIST);
    if (error == SAKER_OK && !taken) {
        error = skr_fail (SAKER_EINPUT, "make %s: %s", folder, strerror (errno));
    }
    remove_draft (draft);
    return error;
}

static saker_err_t note_damage (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    skr_outbox_t *self = argument;
    (void) key, (void) value;
    self->notes_damaged |= damaged;
    return SAKER_OK;
}

static saker_err_t check_format (skr_outbox_t *self)
{
    skr_span_t value;
    skr_store_t *store = self->store;
    SKR_TRY (skr_store_walk (store, SKR_META, note_damage, self));
    saker_err_t error =
        skr_store_get (store, SKR_COMMITTED, SKR_META, skr_span_text (FORMAT_KEY), &value);
    if (error == SAKER_ENOTFOUND && self->notes_damaged) {
        return skr_fail (SAKER_EDAMAGED, "what it says of itself");
    }
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EEXIST, "%s is a store, not a queue: name another folder",
                         skr_store_folder (store));
    }
    SKR_TRY (error);
    if (value.size != 1 || value.data[0] != SKR_OUTBOX_FORMAT) {
        return skr_fail (SAKER_EVERSION,
                         "the queue %s has a format that this version does not know: update saker",
                         skr_store_folder (store));
    }
    return SAKER_OK;
}

static saker_err_t tell_damage (const skr_outbox_t *self, saker_err_t error)
{
    char sentence[512];
    snprintf (sentence, sizeof sentence, "%s", skr_error ());
    return error == SAKER_EDAMAGED
               ? skr_fail (error,
                           "%s is damaged, and none of it can be read (%s): move the folder away "
                           "to begin a new one, and write again what was in it",
                           skr_store_folder (self->store), sentence)
               : error;
}

static saker_err_t open_or_make (skr_outbox_t *self, const char *folder)
{
    saker_err_t error = skr_folder_empty (folder);
    if (error == SAKER_OK || error == SAKER_ENOTFOUND) {
        SKR_TRY (make (folder, self->world));
    } else if (error != SAKER_EEXIST) {
        return error;
    }
    error = skr_store_open (&self->store, folder, SKR_STORE_OPEN, self->world);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EEXIST, "%s holds other things and is no queue: name another folder",
                         folder);
    }
    SKR_TRY (error);
    SKR_TRY (tell_damage (self, check_format (self)));
    SKR_TRY (skr_store_room (self->store, ROOM_BYTES));
    error = skr_outbox_mend (self);
    return tell_damage (self, error == SAKER_OK ? load (self) : error);
}

saker_err_t skr_outbox_open (skr_outbox_t **self_p, const char *folder, uint64_t bytes_max,
                             const skr_world_t *world)
{
    char name[PATH_MAX];
    size_t size = strlen (folder);
    *self_p = NULL;
    if (size < 1 || size + 8 > sizeof name) {
        return skr_fail (SAKER_EINPUT, "the name of a folder has 1 to %zu bytes", sizeof name - 8);
    }
    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    snprintf (name, sizeof name, "%.*s", (int) size, folder);
    skr_outbox_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->world = world;
    self->bytes_max = bytes_max ? bytes_max : SKR_OUTBOX_BYTES_DEFAULT;
    saker_err_t error = open_or_make (self, name);
    if (error != SAKER_OK) {
        skr_outbox_close (&self);
    }
    *self_p = self;
    return error;
}

void skr_outbox_close (skr_outbox_t **self_p)
{
    if (*self_p) {
        skr_store_close (&(*self_p)->store);
        skr_outbox_abandon (self_p);
    }
}

void skr_outbox_abandon (skr_outbox_t **self_p)
{
    skr_outbox_t *self = *self_p;
    if (self) {
        skr_store_abandon (&self->store);
        skr_buf_free (&self->record);
        skr_buf_free (&self->copy);
        free (self);
        *self_p = NULL;
    }
}

/* ---- groups */

saker_err_t skr_outbox_begin (skr_outbox_t *self)
{
    if (!skr_store_settled (self->store)) {
        SKR_TRY (skr_store_settle (self->store));
        SKR_TRY (load (self));
    }
    return skr_store_begin (self->store);
}

/* Counts and notes are then as on the disk again. */
static saker_err_t give_up (skr_outbox_t *self, saker_err_t error)
{
    char sentence[1024];
    snprintf (sentence, sizeof sentence, "%s", skr_error ());
    skr_store_abort (self->store);
    if (!skr_store_settled (self->store) || load (self) != SAKER_OK) {
        /* the next group settles it, or says why not */
    }
    return skr_fail (error, "%s", sentence);
}

saker_err_t skr_outbox_commit (skr_outbox_t *self)
{
    saker_err_t error = skr_store_commit (self->store);
    return error == SAKER_OK ? SAKER_OK : give_up (self, error);
}

static saker_err_t put_record (skr_outbox_t *self, skr_table_t table, uint64_t number,
                               const skr_parcel_t *parcel)
{
    uint8_t key[8];
    skr_outbox_count_t *count = table == SKR_LOG ? &self->waiting : &self->refused;
    skr_parcel_put (&self->record, parcel);
    saker_err_t error = self->record.failed
                            ? skr_fail (SAKER_ENOMEM, "out of memory")
                            : skr_store_put (self->store, table, skr_parcel_key (key, number),
                                             skr_span_of (&self->record));
    if (error != SAKER_OK) {
        return give_up (self, error);
    }
    count->batches++;
    count->bytes += self->record.size;
    return SAKER_OK;
}

static saker_err_t remove_record (skr_outbox_t *self, skr_table_t table, uint64_t number,
                                  uint64_t bytes)
{
    uint8_t key[8];
    skr_outbox_count_t *count = table == SKR_LOG ? &self->waiting : &self->refused;
    saker_err_t error = skr_store_remove (self->store, table, skr_parcel_key (key, number));
    if (error != SAKER_OK) {
        return give_up (self, error);
    }
    count->batches--;
    count->bytes -= bytes;
    return SAKER_OK;
}

saker_err_t skr_outbox_try (skr_outbox_t *self, const skr_tried_t *tried)
{
    uint8_t value[TRIED_BYTES];
    skr_put_u64 (value, tried->up_to);
    skr_put_u64 (value + 8, tried->since_ms);
    memcpy (value + 16, tried->writer, sizeof tried->writer);
    saker_err_t error = skr_store_put (self->store, SKR_META, skr_span_text (TRIED_KEY),
                                       skr_span (value, sizeof value));
    if (error != SAKER_OK) {
        return give_up (self, error);
    }
    self->tried = *tried;
    return SAKER_OK;
}

/* ---- batches */

static saker_err_t check_room (const skr_outbox_t *self)
{
    uint64_t bytes = self->waiting.bytes + self->refused.bytes + self->record.size;
    uint64_t batches = self->waiting.batches + self->refused.batches;
    return bytes <= self->bytes_max
               ? SAKER_OK
               : skr_fail (SAKER_ELIMIT,
                           "the queue %s holds %llu batches, %llu of them refused, and may hold "
                           "%llu bytes: start the daemon, drop what was refused, or allow more",
                           skr_store_folder (self->store), (unsigned long long) batches,
                           (unsigned long long) self->refused.batches,
                           (unsigned long long) self->bytes_max);
}

saker_err_t skr_outbox_put (skr_outbox_t *self, skr_parcel_t *parcel)
{
    parcel->time_ms = self->world->wall_ms (self->world->context);
    parcel->error = SAKER_OK;
    parcel->sentence = skr_span ("", 0);
    skr_parcel_put (&self->record, parcel);
    SKR_TRY (check_room (self));
    SKR_TRY (skr_outbox_begin (self));
    SKR_TRY (put_record (self, SKR_LOG, self->last + 1, parcel));
    parcel->bytes = self->record.size;
    SKR_TRY (skr_outbox_commit (self));
    parcel->number = ++self->last;
    return SAKER_OK;
}

typedef struct finding_t {
    uint64_t number;
    skr_buf_t *buf;
} finding_t;

static saker_err_t take_first (skr_span_t key, skr_span_t value, void *argument)
{
    finding_t *finding = argument;
    finding->number = skr_get_u64 (key.data);
    skr_buf_clear (finding->buf);
    skr_buf_append_span (finding->buf, value);
    return SKR_STOP;
}

saker_err_t skr_outbox_next (skr_outbox_t *self, bool refused, uint64_t after, skr_buf_t *buf,
                             skr_parcel_t *parcel)
{
    static const skr_span_t all;
    uint8_t key[8];
    finding_t finding = {.buf = buf};
    if (after == UINT64_MAX) {
        return SAKER_ENOTFOUND;
    }
    saker_err_t error = skr_store_scan (self->store, SKR_COMMITTED, refused ? SKR_ASIDE : SKR_LOG,
                                        all, skr_parcel_key (key, after + 1), take_first, &finding);
    skr_store_forget (self->store);
    SKR_TRY (error);
    if (buf->failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    return finding.number ? skr_parcel_get (skr_span_of (buf), finding.number, parcel)
                          : SAKER_ENOTFOUND;
}

saker_err_t skr_outbox_get (skr_outbox_t *self, uint64_t number, skr_buf_t *buf,
                            skr_parcel_t *parcel)
{
    for (int refused = 0; number > 0 && refused <= 1; refused++) {
        saker_err_t error = skr_outbox_next (self, refused, number - 1, buf, parcel);
        if (error == SAKER_OK && parcel->number == number) {
            return SAKER_OK;
        }
        if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_fail (SAKER_ENOTFOUND, "no batch %llu is in the queue", (unsigned long long) number);
}

uint64_t skr_outbox_last (const skr_outbox_t *self)
{
    return self->waiting.batches ? self->last : 0;
}

/* In a group. */
static saker_err_t find (skr_outbox_t *self, uint64_t number, skr_parcel_t *parcel)
{
    saker_err_t error = skr_outbox_get (self, number, &self->copy, parcel);
    return error == SAKER_OK ? SAKER_OK : give_up (self, error);
}

saker_err_t skr_outbox_remove (skr_outbox_t *self, uint64_t number)
{
    skr_parcel_t parcel = {.number = 0};
    SKR_TRY (find (self, number, &parcel));
    return remove_record (self, parcel.error == SAKER_OK ? SKR_LOG : SKR_ASIDE, number,
                          parcel.bytes);
}

saker_err_t skr_outbox_refuse (skr_outbox_t *self, uint64_t number, saker_err_t refusal,
                               const char *sentence)
{
    skr_parcel_t parcel = {.number = 0};
    SKR_TRY (find (self, number, &parcel));
    uint64_t bytes = parcel.bytes;
    parcel.error = refusal;
    parcel.sentence = skr_span_text (sentence);
    SKR_TRY (put_record (self, SKR_ASIDE, number, &parcel));
    return remove_record (self, SKR_LOG, number, bytes);
}

saker_err_t skr_outbox_again (skr_outbox_t *self, uint64_t number)
{
    skr_parcel_t parcel = {.number = 0};
    SKR_TRY (find (self, number, &parcel));
    uint64_t bytes = parcel.bytes;
    if (parcel.error == SAKER_OK) {
        return give_up (self,
                        skr_fail (SAKER_EUSAGE, "batch %llu was not refused: it waits to be sent",
                                  (unsigned long long) number));
    }
    if (parcel.error == SAKER_EDAMAGED) {
        return give_up (self, skr_fail (SAKER_EDAMAGED,
                                        "batch %llu is damaged and cannot be sent: write again "
                                        "what was in it, then drop it",
                                        (unsigned long long) number));
    }
    parcel.error = SAKER_OK;
    parcel.sentence = skr_span ("", 0);
    SKR_TRY (put_record (self, SKR_LOG, self->last + 1, &parcel));
    SKR_TRY (remove_record (self, SKR_ASIDE, number, bytes));
    self->last++;
    return SAKER_OK;
}
