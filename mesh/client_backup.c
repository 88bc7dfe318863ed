/* A backup, on the side of the client: the daemon hands out records, the key and the settings come
   from the store's folder, and all is sealed here: neither the passphrase nor the device's key goes
   through a socket, and the file belongs to who asked for it. */

#include "mesh/client_internal.h"

#include "peer/backup.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAITS_MAX 500 /* of WAIT_MS */
#define WAIT_MS 10

typedef struct backing_t {
    saker_t *self;
    const char *file, *passphrase;
    saker_progress_fn *progress_fn;
    void *argument;
    skr_backup_writer_t *writer; /* NULL before the first page */
    uint64_t number, page, done;
    bool last;
} backing_t;

static uint64_t wall_ms (void)
{
    return skr_world_real ()->wall_ms (NULL);
}

/* The key is looked at first: a folder that lacks it, or that others may read, is refused. */
static saker_err_t add_files (const backing_t *backing)
{
    skr_device_t *device = NULL;
    SKR_TRY (skr_device_load (&device, backing->self->store));
    skr_device_destroy (&device);
    SKR_TRY (skr_backup_add (backing->writer, backing->self->store, "device.key"));
    saker_err_t error = skr_backup_add (backing->writer, backing->self->store, "saker.conf");
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t begin_file (backing_t *backing, const skr_id_t *mesh)
{
    static const skr_backup_limits_t usual;
    SKR_TRY (skr_backup_begin (&backing->writer, backing->file, backing->passphrase, mesh,
                               wall_ms (), &usual));
    return add_files (backing);
}

static saker_err_t tell (backing_t *backing, uint64_t total)
{
    if (!backing->progress_fn) {
        return SAKER_OK;
    }
    total = total > backing->done ? total : backing->done;
    return backing->progress_fn (backing->done, total, backing->argument) == 0
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "ended by the caller");
}

static saker_err_t take_page (backing_t *backing, skr_question_t *question)
{
    skr_id_t mesh;
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    backing->number = skr_cbor_get_uint (cbor);
    skr_fields_need (&question->fields, 1);
    skr_span_t items = skr_cbor_get_bytes (cbor);
    skr_fields_need (&question->fields, 2);
    backing->last = skr_cbor_get_bool (cbor);
    skr_fields_need (&question->fields, 3);
    skr_cbor_get_fixed (cbor, mesh.bytes, sizeof mesh.bytes);
    skr_fields_need (&question->fields, 4);
    uint64_t total = skr_cbor_get_uint (cbor);
    SKR_TRY (skr_question_check (question));
    SKR_TRY (backing->writer ? SAKER_OK : begin_file (backing, &mesh));
    SKR_TRY (skr_backup_write (backing->writer, items));
    backing->page++;
    backing->done += items.size;
    return tell (backing, total);
}

static saker_err_t ask_page (backing_t *backing)
{
    skr_question_t question;
    saker_err_t error =
        skr_question_begin (&question, backing->self, SKR_COMMAND_BACKUP, backing->page ? 2 : 0);
    if (error == SAKER_OK && backing->page) {
        skr_question_uint (&question, 0, backing->number);
        skr_question_uint (&question, 1, backing->page);
    }
    if (error == SAKER_OK) {
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_page (backing, &question);
    }
    skr_question_end (&question);
    return error;
}

/* Before the first page, a daemon that is writing may have to make room. */
static saker_err_t ask_all (backing_t *backing)
{
    int waits = 0;
    while (!backing->last) {
        saker_err_t error = ask_page (backing);
        if (error == SAKER_EWAIT && !backing->page && waits++ < WAITS_MAX) {
            skr_client_pause (WAIT_MS);
            continue;
        }
        SKR_TRY (error);
    }
    return skr_backup_finish (backing->writer);
}

saker_err_t saker_backup (saker_t *self, const char *file, const char *passphrase,
                          saker_progress_fn *progress_fn, void *argument)
{
    backing_t backing = {.self = self,
                         .file = file,
                         .passphrase = passphrase,
                         .progress_fn = progress_fn,
                         .argument = argument};
    if (sodium_init () < 0) {
        return skr_fail (SAKER_EIO, "libsodium does not start");
    }
    saker_err_t error = ask_all (&backing);
    skr_backup_destroy (&backing.writer);
    return skr_wrap (error, "back up");
}
