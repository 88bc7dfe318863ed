/* queue: what an application has put into a queue of its own and no daemon has acknowledged, and
   what the daemon refused. Works on the folder of the queue, while no application has it open. */

#include "commands.h"
#include "paint.h"
#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEND_MS 10000

typedef struct looking_t {
    call_t *call;
    paint_table_t table;
    saker_err_t error;
} looking_t;

/* Looking makes no queue where there is none. */
static saker_err_t open_queue (call_t *call, saker_queue_t **queue)
{
    char file[PATH_MAX];
    struct stat status;
    const char *folder = call_word (call, 0);
    snprintf (file, sizeof file, "%s/data.mdb", folder);
    if (stat (file, &status) != 0) {
        return call_fail (call, SAKER_ENOTFOUND,
                          "%s holds no queue: it is the folder that the application gave to "
                          "saker_queue_open",
                          folder);
    }
    return call_library (call, saker_queue_open (queue, folder, call->store, 0));
}

static json_t *json_of (const saker_queued_t *queued)
{
    char put[PAINT_TIME_MAX], *id = malloc (2 * queued->operation_id_size + 1);
    if (!id) {
        return NULL;
    }
    for (size_t i = 0; i < queued->operation_id_size; i++) {
        snprintf (id + 2 * i, 3, "%02x", queued->operation_id[i]);
    }
    id[2 * queued->operation_id_size] = 0;
    paint_time (queued->time_ms, put);
    json_t *json =
        json_pack ("{s:I,s:s,s:s,s:s,s:I,s:I,s:s,s:s}", "number", (json_int_t) queued->number,
                   "state", queued->error ? "refused" : "waits", "collection", queued->collection,
                   "document", queued->document, "operations", (json_int_t) queued->operations,
                   "bytes", (json_int_t) queued->bytes, "put", put, "operation", id);
    free (id);
    if (json && queued->error) {
        json_object_set_new (json, "error",
                             json_pack ("{s:i,s:s,s:s}", "code", (int) queued->error, "name",
                                        saker_error_name (queued->error), "message",
                                        queued->sentence));
    }
    return json;
}

/* ---- list */

static void add_row (paint_table_t *table, const saker_queued_t *queued)
{
    char number[24], operations[24], put[PAINT_TIME_MAX];
    char document[SAKER_COLLECTION_BYTES_MAX + SAKER_DOCUMENT_BYTES_MAX + 2];
    snprintf (number, sizeof number, "%llu", (unsigned long long) queued->number);
    snprintf (operations, sizeof operations, "%llu", (unsigned long long) queued->operations);
    snprintf (document, sizeof document, "%s/%s", queued->collection, queued->document);
    paint_time (queued->time_ms, put);
    const char *const cells[] = {number, put, document, operations,
                                 queued->error ? queued->sentence : "waits"};
    paint_table_add (table, queued->error ? PAINT_RED : PAINT_NONE, 5, cells);
}

static int list_one (const saker_queued_t *queued, void *argument)
{
    looking_t *looking = argument;
    if (looking->call->json) {
        looking->error = say_json (looking->call, json_of (queued));
    } else {
        add_row (&looking->table, queued);
    }
    return looking->error != SAKER_OK;
}

static saker_err_t run_list (call_t *call, saker_queue_t *queue)
{
    static const char *const heading[] = {"NUMBER", "PUT", "DOCUMENT", "OPERATIONS", "STATE"};
    looking_t looking = {.call = call};
    paint_table_add (&looking.table, PAINT_NONE, 5, heading);
    saker_err_t error = call_library (call, saker_queue_list (queue, list_one, &looking));
    error = error == SAKER_OK ? looking.error : error;
    if (error == SAKER_OK && looking.table.failed) {
        error = call_memory (call);
    }
    if (error == SAKER_OK && looking.table.count > 1) {
        paint_table_print (&looking.table, stdout);
    }
    paint_table_free (&looking.table);
    return error;
}

/* ---- send */

typedef struct sending_t {
    uint64_t sent, refused;
    uint64_t first;    /* that was refused */
    saker_err_t error; /* of it */
    char what[SAKER_COLLECTION_BYTES_MAX + SAKER_DOCUMENT_BYTES_MAX + 2];
    char sentence[SAKER_SENTENCE_MAX];
    uint64_t damaged, damaged_first; /* set aside when the queue was opened */
} sending_t;

static int count_one (const saker_queued_t *queued, const saker_receipt_t *receipt, void *argument)
{
    sending_t *sending = argument;
    sending->sent += receipt != NULL;
    sending->refused += !receipt;
    if (!receipt && sending->refused == 1) {
        sending->first = queued->number;
        sending->error = queued->error;
        snprintf (sending->what, sizeof sending->what, "%s/%s", queued->collection,
                  queued->document);
        snprintf (sending->sentence, sizeof sending->sentence, "%s", queued->sentence);
    }
    return 0;
}

static int count_damaged (const saker_queued_t *queued, void *argument)
{
    sending_t *sending = argument;
    if (queued->error == SAKER_EDAMAGED) {
        sending->damaged_first = sending->damaged ? sending->damaged_first : queued->number;
        sending->damaged++;
    }
    return 0;
}

static saker_err_t say_sent (call_t *call, const sending_t *sending)
{
    if (call->json) {
        return say_json (call, json_pack ("{s:I,s:I,s:I}", "written", (json_int_t) sending->sent,
                                          "refused", (json_int_t) sending->refused, "damaged",
                                          (json_int_t) sending->damaged));
    }
    printf ("%" PRIu64 " written, %" PRIu64 " refused", sending->sent, sending->refused);
    if (sending->damaged > 0) {
        printf (", %" PRIu64 " damaged", sending->damaged);
    }
    putchar ('\n');
    return SAKER_OK;
}

/* What did not get there, and what to do about it. */
static saker_err_t judge (call_t *call, const sending_t *sending)
{
    const char *folder = call_word (call, 0);
    if (sending->refused > 0) {
        return call_fail (call, sending->error,
                          "%" PRIu64 " of %" PRIu64 " batch%s refused, first number %" PRIu64
                          " (%s): %s; kept in the queue: saker queue %s lists it; once it is "
                          "mended, saker queue %s retry refused, else drop refused",
                          sending->refused, sending->refused + sending->sent,
                          sending->refused + sending->sent == 1 ? "" : "es", sending->first,
                          sending->what, sending->sentence, folder, folder);
    }
    if (sending->damaged > 0) {
        return call_fail (call, SAKER_EDAMAGED,
                          "%" PRIu64 " batch%s of the queue %s damaged on the disk, first number "
                          "%" PRIu64 ", and kept aside: saker queue %s shows what can be read of "
                          "it; write that again, then saker queue %s drop %" PRIu64,
                          sending->damaged, sending->damaged == 1 ? "" : "es",
                          sending->damaged == 1 ? "is" : "are", sending->damaged_first, folder,
                          folder, sending->damaged_first);
    }
    return SAKER_OK;
}

static saker_err_t run_send (call_t *call, saker_queue_t *queue)
{
    sending_t sending = {.sent = 0};
    int64_t timeout_ms = 0;
    saker_err_t error = call_duration (call, "timeout", SEND_MS, &timeout_ms);
    if (error == SAKER_OK) {
        timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms;
        error =
            call_library (call, saker_queue_send (queue, (int) timeout_ms, count_one, &sending));
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_queue_list (queue, count_damaged, &sending));
    }
    error = error == SAKER_OK ? say_sent (call, &sending) : error;
    return error == SAKER_OK ? judge (call, &sending) : error;
}

/* ---- retry and drop */

typedef saker_err_t change_fn (saker_queue_t *queue, uint64_t number);

typedef struct changing_t {
    saker_queue_t *queue;
    change_fn *change;
    uint64_t until; /* what is retried gets a higher number */
    saker_err_t error;
} changing_t;

static int note_last (const saker_queued_t *queued, void *argument)
{
    ((changing_t *) argument)->until = queued->number;
    return 0;
}

static int change_one (const saker_queued_t *queued, void *argument)
{
    changing_t *changing = argument;
    if (queued->number > changing->until) {
        return 1;
    }
    bool passed = !queued->error
                  || (queued->error == SAKER_EDAMAGED && changing->change == saker_queue_retry);
    changing->error = passed ? SAKER_OK : changing->change (changing->queue, queued->number);
    return changing->error != SAKER_OK;
}

static saker_err_t change_all (call_t *call, saker_queue_t *queue, change_fn *change)
{
    changing_t changing = {.queue = queue, .change = change};
    saker_err_t error = saker_queue_list (queue, note_last, &changing);
    error = error == SAKER_OK ? saker_queue_list (queue, change_one, &changing) : error;
    return call_library (call, error == SAKER_OK ? changing.error : error);
}

static saker_err_t run_change (call_t *call, saker_queue_t *queue, change_fn *change)
{
    const char *word = call_word (call, 2);
    char *end = NULL;
    if (strcmp (word, "refused") == 0) {
        return change_all (call, queue, change);
    }
    errno = 0;
    uint64_t number = strtoull (word, &end, 10);
    if (*word < '0' || *word > '9' || *end || errno) {
        return call_fail (call, SAKER_EUSAGE,
                          "queue: %s is no number of a batch: see the first column of the list",
                          word);
    }
    return call_library (call, change (queue, number));
}

static saker_err_t run_retry (call_t *call, saker_queue_t *queue)
{
    return run_change (call, queue, saker_queue_retry);
}

static saker_err_t run_drop (call_t *call, saker_queue_t *queue)
{
    return run_change (call, queue, saker_queue_drop);
}

static saker_err_t run_queue (call_t *call)
{
    static const struct {
        const char *name;
        size_t words;
        saker_err_t (*run) (call_t *call, saker_queue_t *queue);
    } parts[] = {{"list", 2, run_list},
                 {"send", 2, run_send},
                 {"retry", 3, run_retry},
                 {"drop", 3, run_drop}};
    const char *name = call->words_count > 1 ? call_word (call, 1) : "list";
    size_t words = call->words_count > 1 ? call->words_count : 2;
    saker_queue_t *queue = NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp (name, parts[i].name) == 0 && words == parts[i].words) {
            saker_err_t error = open_queue (call, &queue);
            error = error == SAKER_OK ? parts[i].run (call, queue) : error;
            saker_queue_close (&queue);
            return error;
        }
    }
    return call_fail (call, SAKER_EUSAGE, "queue: usage: saker queue %s", call->command->usage);
}

static const option_t queue_options[] = {
    {"timeout", "TIME", "send: how long to wait for the daemon (default: 10s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_queue = {
    .name = "queue",
    .run = run_queue,
    .usage = "FOLDER [list|send] | FOLDER retry|drop N|refused",
    .summary =
        "Look at the queue of an application: what waits for the daemon, and what it refused.",
    .details =
        "A queue is the folder that an application gave to saker_queue_open; it keeps there "
        "what it writes until the daemon has given a "
        "receipt. One process at a time has it open, so this works while the application "
        "does not run (exit status 9 otherwise). send sends "
        "what waits to the daemon of the store. retry puts a batch that was refused at the "
        "end again, drop lets go of one; refused stands for "
        "all that were refused. When send meets one that the daemon refuses, the others "
        "are sent all the same, and the exit status says why the first was refused (man "
        "saker). What the disk has damaged is kept aside, too, and can only be dropped: send "
        "ends with 10 as long as there is such a one.",
    .options = queue_options,
    .example = "saker queue ~/tracker/queue\n"
               "saker queue ~/tracker/queue retry 1\n"
               "saker queue ~/tracker/queue drop refused",
    .words_min = 1,
    .words_max = 3,
};
