/* The queue of a client: batches wait in the application's own outbox (peer/outbox.h) until the
   daemon has given a receipt.

   A batch may have been written although no receipt came, so each has an operation id before it is
   sent for the first time, and is sent again under it. That is safe as long as the daemon still
   knows the id if it wrote it: not when its store was restored from an older copy or replaced since
   (it writes as another writer then), and not for ever (SKR_RECEIPT_MS_MIN). So what was sent
   before is sent with the writer that it was sent to, or with none when that is too long ago, and
   the daemon refuses it unless it knows the id, or is that writer. */

#include "mesh/client_internal.h"

#include "peer/receipts.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_BYTES 16
#define WINDOW 64 /* batches that one note of what was tried covers */
#define TRIED_MS_MAX (SKR_RECEIPT_MS_MIN - 24ull * 3600 * 1000)
#define AGAIN_MS 50    /* between two tries */
#define ANSWER_MS 1000 /* at least so long is an answer waited for */

struct saker_queue_t {
    skr_outbox_t *outbox;
    char *store; /* NULL: the default one */
    saker_t *peer;
    pid_t process; /* that opened it */
    const skr_world_t *world;
    skr_buf_t record, other; /* batches that are looked at */
};

static saker_err_t check_process (const saker_queue_t *self)
{
    return self->process == getpid ()
               ? SAKER_OK
               : skr_fail (SAKER_EUSAGE,
                           "this queue was opened by process %ld: a process that was forked uses "
                           "one of its own",
                           (long) self->process);
}

/* ---- opening */

saker_err_t saker_queue_open (saker_queue_t **self_p, const char *folder, const char *store,
                              uint64_t bytes_max)
{
    *self_p = NULL;
    if (sodium_init () < 0) {
        return skr_fail (SAKER_EIO, "libsodium does not start");
    }
    saker_queue_t *self = calloc (1, sizeof *self);
    if (!self || (store && !(self->store = strdup (store)))) {
        free (self);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->process = getpid ();
    self->world = skr_world_real ();
    saker_err_t error = skr_outbox_open (&self->outbox, folder, bytes_max, self->world);
    if (error != SAKER_OK) {
        saker_queue_close (&self);
    }
    *self_p = self;
    return skr_wrap (error, "queue");
}

void saker_queue_close (saker_queue_t **self_p)
{
    saker_queue_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->process == getpid ()) {
        skr_outbox_close (&self->outbox);
    } else {
        skr_outbox_abandon (&self->outbox);
    }
    saker_close (&self->peer);
    skr_buf_free (&self->record);
    skr_buf_free (&self->other);
    free (self->store);
    free (self);
    *self_p = NULL;
}

/* ---- putting */

saker_err_t saker_queue_put (saker_queue_t *self, const saker_batch_t *batch, uint64_t *number)
{
    uint8_t made[ID_BYTES];
    skr_parcel_t parcel = {.number = 0};
    SKR_TRY (check_process (self));
    SKR_TRY (skr_batch_parcel (batch, &parcel));
    SKR_TRY (skr_collection_name_check (batch->collection));
    if (parcel.operation_id.size == 0) {
        randombytes_buf (made, sizeof made);
        parcel.operation_id = skr_span (made, sizeof made);
    }
    SKR_TRY (skr_outbox_put (self->outbox, &parcel));
    if (number) {
        *number = parcel.number;
    }
    return SAKER_OK;
}

/* ---- looking */

typedef struct shown_t {
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    char document[SAKER_DOCUMENT_BYTES_MAX + 1];
    char sentence[SAKER_SENTENCE_MAX];
    saker_queued_t queued;
} shown_t;

static void copy_text (char *text, size_t size, skr_span_t span)
{
    snprintf (text, size, "%.*s", (int) span.size, (const char *) span.data);
}

/* That of the first operation that names one. */
static void find_document (shown_t *shown, skr_span_t intents)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, intents);
    if (skr_cbor_get_array (&cbor, 4) > 1) {
        (void) skr_cbor_get_uint (&cbor);
        copy_text (shown->document, sizeof shown->document, skr_cbor_get_text (&cbor));
    }
}

static void show (shown_t *shown, const skr_parcel_t *parcel)
{
    memset (shown, 0, sizeof *shown);
    copy_text (shown->collection, sizeof shown->collection, parcel->collection);
    copy_text (shown->sentence, sizeof shown->sentence, parcel->sentence);
    find_document (shown, parcel->intents);
    shown->queued = (saker_queued_t){
        .number = parcel->number,
        .collection = shown->collection,
        .document = shown->document,
        .operations = parcel->intents_count,
        .bytes = parcel->bytes,
        .time_ms = parcel->time_ms,
        .operation_id = parcel->operation_id.data,
        .operation_id_size = parcel->operation_id.size,
        .error = parcel->error,
        .sentence = shown->sentence,
    };
}

static saker_err_t next_of_both (saker_queue_t *self, uint64_t after, skr_parcel_t *parcel)
{
    skr_parcel_t waiting, refused;
    saker_err_t waits = skr_outbox_next (self->outbox, false, after, &self->record, &waiting);
    if (waits != SAKER_OK && waits != SAKER_ENOTFOUND) {
        return waits;
    }
    saker_err_t aside = skr_outbox_next (self->outbox, true, after, &self->other, &refused);
    if (aside != SAKER_OK && aside != SAKER_ENOTFOUND) {
        return aside;
    }
    bool first = waits == SAKER_OK && (aside != SAKER_OK || waiting.number < refused.number);
    if (first || aside == SAKER_OK) {
        *parcel = first ? waiting : refused;
    }
    return first ? waits : aside;
}

saker_err_t saker_queue_list (saker_queue_t *self, saker_queued_fn *queued_fn, void *argument)
{
    skr_parcel_t parcel;
    shown_t shown;
    uint64_t after = 0;
    saker_err_t error;
    SKR_TRY (check_process (self));
    while ((error = next_of_both (self, after, &parcel)) == SAKER_OK) {
        after = parcel.number;
        show (&shown, &parcel);
        if (queued_fn (&shown.queued, argument) != 0) {
            return SAKER_OK;
        }
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

void saker_queue_count (const saker_queue_t *self, saker_queue_count_t *count)
{
    const skr_outbox_count_t *waiting = skr_outbox_count (self->outbox, false);
    const skr_outbox_count_t *refused = skr_outbox_count (self->outbox, true);
    *count = (saker_queue_count_t){
        .waiting = waiting->batches,
        .refused = refused->batches,
        .bytes = waiting->bytes + refused->bytes,
        .bytes_max = skr_outbox_bytes_max (self->outbox),
    };
}

saker_err_t saker_queue_retry (saker_queue_t *self, uint64_t number)
{
    SKR_TRY (check_process (self));
    SKR_TRY (skr_outbox_begin (self->outbox));
    SKR_TRY (skr_outbox_again (self->outbox, number));
    return skr_outbox_commit (self->outbox);
}

saker_err_t saker_queue_drop (saker_queue_t *self, uint64_t number)
{
    SKR_TRY (check_process (self));
    SKR_TRY (skr_outbox_begin (self->outbox));
    SKR_TRY (skr_outbox_remove (self->outbox, number));
    return skr_outbox_commit (self->outbox);
}

/* ---- sending */

typedef struct round_t {
    saker_queue_t *queue;
    saker_sent_fn *sent_fn;
    void *argument;
    uint64_t deadline_ms;
    bool ended; /* by the callback */
    bool later; /* the daemon does not answer, or cannot write now */
    char why[SAKER_SENTENCE_MAX];
    uint64_t done[WINDOW]; /* numbers that have a receipt and are still in the outbox */
    size_t done_count;
} round_t;

static int left_ms (const round_t *round)
{
    uint64_t now_ms = skr_client_now_ms ();
    uint64_t left = round->deadline_ms > now_ms ? round->deadline_ms - now_ms : 0;
    return left < SKR_CLIENT_ANSWER_MS ? (int) left : SKR_CLIENT_ANSWER_MS;
}

static int answer_ms (const round_t *round)
{
    int left = left_ms (round);
    return left < ANSWER_MS ? ANSWER_MS : left;
}

/* Not the fault of the batch: it is sent again when this has passed. */
static bool may_pass (saker_err_t error)
{
    return error == SAKER_EUNREACHABLE || error == SAKER_ETIMEOUT || error == SAKER_EBUSY
           || error == SAKER_EWAIT || error == SAKER_EVERSION || skr_err_passes (error);
}

static saker_err_t put_off (round_t *round)
{
    snprintf (round->why, sizeof round->why, "%s", skr_error ());
    round->later = true;
    saker_close (&round->queue->peer); /* the daemon that comes back may be another one */
    return SAKER_OK;
}

static saker_err_t connect_peer (round_t *round)
{
    saker_queue_t *queue = round->queue;
    if (queue->peer && skr_client_lost (queue->peer)) {
        saker_close (&queue->peer);
    }
    saker_err_t error =
        queue->peer ? SAKER_OK : saker_open (&queue->peer, queue->store, answer_ms (round));
    return error != SAKER_OK && may_pass (error) ? put_off (round) : error;
}

/* All that have a receipt go; one more may go aside. */
static saker_err_t settle (round_t *round, uint64_t refused, saker_err_t why, const char *sentence)
{
    skr_outbox_t *outbox = round->queue->outbox;
    if (round->done_count == 0 && refused == 0) {
        return SAKER_OK;
    }
    SKR_TRY (skr_outbox_begin (outbox));
    for (size_t i = 0; i < round->done_count; i++) {
        SKR_TRY (skr_outbox_remove (outbox, round->done[i]));
    }
    if (refused != 0) {
        SKR_TRY (skr_outbox_refuse (outbox, refused, why, sentence));
    }
    round->done_count = 0;
    return skr_outbox_commit (outbox);
}

/* Notes, before any of the next batches is sent, that they may have been written. */
static saker_err_t note_tried (round_t *round, uint64_t first)
{
    saker_queue_t *queue = round->queue;
    uint64_t last = skr_outbox_last (queue->outbox);
    skr_tried_t tried = {.up_to = last - first < WINDOW ? last : first + WINDOW - 1,
                         .since_ms = queue->world->wall_ms (queue->world->context)};
    memcpy (tried.writer, queue->peer->writer, sizeof tried.writer);
    SKR_TRY (skr_outbox_begin (queue->outbox));
    SKR_TRY (skr_outbox_try (queue->outbox, &tried));
    return skr_outbox_commit (queue->outbox);
}

static void tell (round_t *round, const skr_parcel_t *parcel, const saker_receipt_t *receipt,
                  saker_err_t why, const char *sentence)
{
    shown_t shown;
    if (round->sent_fn) {
        show (&shown, parcel);
        shown.queued.error = why;
        shown.queued.sentence = sentence;
        round->ended = round->sent_fn (&shown.queued, receipt, round->argument) != 0;
    }
}

static saker_err_t send_one (round_t *round, const skr_parcel_t *parcel, skr_span_t tried)
{
    char sentence[SAKER_SENTENCE_MAX];
    saker_receipt_t receipt;
    saker_err_t error =
        skr_client_write (round->queue->peer, parcel, tried, answer_ms (round), &receipt);
    if (error == SAKER_OK) {
        round->done[round->done_count++] = parcel->number;
        tell (round, parcel, &receipt, SAKER_OK, "");
        return SAKER_OK;
    }
    if (may_pass (error)) {
        return put_off (round);
    }
    snprintf (sentence, sizeof sentence, "%s", skr_error ());
    SKR_TRY (settle (round, parcel->number, error, sentence));
    tell (round, parcel, NULL, error, sentence);
    return SAKER_OK;
}

/* Who may have written the first batches already: nobody, when they were never sent; `nobody` of
   zeros, which no daemon is, when it is too long ago for a receipt. */
static skr_span_t who_tried (const saker_queue_t *queue, uint64_t first)
{
    static const uint8_t zeros[16];
    const skr_tried_t *tried = skr_outbox_tried (queue->outbox);
    uint64_t now_ms = queue->world->wall_ms (queue->world->context);
    if (first > tried->up_to) {
        return skr_span (NULL, 0);
    }
    bool old = now_ms > tried->since_ms && now_ms - tried->since_ms > TRIED_MS_MAX;
    return skr_span (old ? zeros : tried->writer, sizeof zeros);
}

static saker_err_t send_window (round_t *round)
{
    saker_queue_t *queue = round->queue;
    skr_parcel_t parcel;
    saker_err_t error = skr_outbox_next (queue->outbox, false, 0, &queue->record, &parcel);
    if (error != SAKER_OK) {
        return error;
    }
    skr_span_t tried = who_tried (queue, parcel.number);
    if (tried.size == 0) {
        SKR_TRY (note_tried (round, parcel.number));
    }
    uint64_t up_to = skr_outbox_tried (queue->outbox)->up_to;
    while (error == SAKER_OK && parcel.number <= up_to && !round->later && !round->ended) {
        SKR_TRY (send_one (round, &parcel, tried));
        error = skr_outbox_next (queue->outbox, false, parcel.number, &queue->record, &parcel);
    }
    saker_err_t settled = settle (round, 0, SAKER_OK, "");
    return error == SAKER_OK || error == SAKER_ENOTFOUND ? settled : error;
}

static saker_err_t send_round (round_t *round)
{
    round->later = false;
    SKR_TRY (connect_peer (round));
    while (!round->later && !round->ended && skr_outbox_last (round->queue->outbox) > 0) {
        SKR_TRY (send_window (round));
    }
    return SAKER_OK;
}

static saker_err_t still_waiting (const round_t *round)
{
    saker_queue_count_t count;
    saker_queue_count (round->queue, &count);
    return skr_fail (SAKER_EUNREACHABLE, "%llu batches wait in the queue: %s",
                     (unsigned long long) count.waiting, round->why);
}

saker_err_t saker_queue_send (saker_queue_t *self, int timeout_ms, saker_sent_fn *sent_fn,
                              void *argument)
{
    SKR_TRY (check_process (self));
    round_t round = {.queue = self, .sent_fn = sent_fn, .argument = argument};
    round.deadline_ms = skr_client_deadline_ms (timeout_ms);
    while (!round.ended && skr_outbox_last (self->outbox) > 0) {
        SKR_TRY (send_round (&round));
        if (round.later && left_ms (&round) == 0) {
            return still_waiting (&round);
        }
        if (round.later) {
            skr_client_pause (AGAIN_MS);
        }
    }
    return SAKER_OK;
}
