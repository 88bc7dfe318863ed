/* The queue of a client against api.c over a real replica, through a real socket: what waits is
   written once, in order, whatever was lost on the way; what is refused goes aside. */

#include "tests/check.h"
#include "tests/lib/local_server.h"
#include "tests/lib/temp_folder.h"

#include "peer/outbox.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND_MS 20000

typedef struct fixture_t {
    pair_t pair;
    local_server_t server;
    bool running;
    char folder[256];
    saker_queue_t *queue;
} fixture_t;

static saker_err_t open_queue (fixture_t *fixture)
{
    return saker_queue_open (&fixture->queue, fixture->folder, fixture->pair.store_a, 0);
}

static bool run_server (fixture_t *fixture)
{
    fixture->running = local_server_start (&fixture->server, &fixture->pair, fixture->pair.store_a);
    return fixture->running;
}

static bool begin (fixture_t *fixture)
{
    static const skr_id_t roster;
    memset (fixture, 0, sizeof *fixture);
    bool ready = pair_open (&fixture->pair)
                 && pair_sync (fixture->pair.b, fixture->pair.a, &roster) == SAKER_OK;
    (void) snprintf (fixture->folder, sizeof fixture->folder, "%s/queue", fixture->pair.folder);
    if (ready && open_queue (fixture) != SAKER_OK) {
        printf ("open: %s\n", saker_error_text ());
        return false;
    }
    return ready;
}

static void end (fixture_t *fixture)
{
    saker_queue_close (&fixture->queue);
    if (fixture->running) {
        local_server_stop (&fixture->server);
    }
    pair_close (&fixture->pair);
}

/* Counts one up and sets /last, in one batch. */
static saker_batch_t *counting (int64_t number, const char *id)
{
    const saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    saker_batch_t *batch = saker_batch_new ("shots");
    if (saker_batch_incr (batch, "sq010", "/takes", 1) != SAKER_OK
        || saker_batch_set (batch, "sq010", "/last", &value) != SAKER_OK
        || (id && saker_batch_operation (batch, id, strlen (id)) != SAKER_OK)) {
        saker_batch_destroy (&batch);
    }
    return batch;
}

static saker_err_t put (fixture_t *fixture, int64_t number, const char *id)
{
    saker_batch_t *batch = counting (number, id);
    saker_err_t error = saker_queue_put (fixture->queue, batch, NULL);
    saker_batch_destroy (&batch);
    return error;
}

/* A batch that the daemon refuses: it expects a state that is not there. */
static saker_err_t put_wrong (fixture_t *fixture, uint64_t *number)
{
    static const uint8_t state[SAKER_STATE_BYTES] = {1};
    const saker_value_t value = {.type = SAKER_NULL};
    saker_batch_t *batch = saker_batch_new ("shots");
    saker_err_t error = saker_batch_expect (batch, "sq020", "", state);
    error = error == SAKER_OK ? saker_batch_set (batch, "sq020", "/done", &value) : error;
    error = error == SAKER_OK ? saker_queue_put (fixture->queue, batch, number) : error;
    saker_batch_destroy (&batch);
    return error;
}

typedef struct seen_t {
    int64_t takes, last;
    size_t sent, repeated, refused, listed;
    char sentence[512];
    saker_queue_t *dropping;
} seen_t;

static int see_leaf (const saker_leaf_t *leaf, void *argument)
{
    seen_t *seen = argument;
    int64_t *to = strcmp (leaf->pointer, "/takes") == 0 ? &seen->takes : &seen->last;
    *to = leaf->value.type == SAKER_INT ? leaf->value.as.integer : -1;
    return 0;
}

/* What the document holds now; -1 in both: it cannot be read. */
static seen_t look (const fixture_t *fixture)
{
    seen_t seen = {.takes = 0};
    saker_t *peer = NULL;
    saker_err_t error = saker_open (&peer, fixture->pair.store_a, SEND_MS);
    error = error == SAKER_OK ? saker_read (peer, "shots", "sq010", "", see_leaf, &seen) : error;
    saker_close (&peer);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        seen.takes = seen.last = -1;
    }
    return seen;
}

static int see_sent (const saker_queued_t *queued, const saker_receipt_t *receipt, void *argument)
{
    seen_t *seen = argument;
    seen->sent += receipt != NULL;
    seen->repeated += receipt && receipt->repeated;
    seen->refused += !receipt;
    (void) snprintf (seen->sentence, sizeof seen->sentence, "%s", queued->sentence);
    return 0;
}

static int see_queued (const saker_queued_t *queued, void *argument)
{
    seen_t *seen = argument;
    seen->listed++;
    seen->refused += queued->error != SAKER_OK;
    if (queued->error != SAKER_OK) {
        (void) snprintf (seen->sentence, sizeof seen->sentence, "%s/%s %d: %s", queued->collection,
                         queued->document, (int) queued->error, queued->sentence);
    }
    return seen->dropping && saker_queue_drop (seen->dropping, queued->number) != SAKER_OK;
}

/* ---- what waits is written, once and in order */

static void what_waits_is_written_when_the_daemon_comes (void)
{
    static fixture_t fixture;
    seen_t seen = {.takes = 0};
    saker_queue_count_t count;
    CHECK (begin (&fixture));
    for (int64_t i = 1; i <= 150; i++) { /* more than one note of what was tried covers */
        CHECK_OK (put (&fixture, i, NULL));
    }
    CHECK_ERR (saker_queue_send (fixture.queue, 0, NULL, NULL), SAKER_EUNREACHABLE,
               "150 batches wait in the queue: no daemon answers");
    saker_queue_close (&fixture.queue);
    CHECK_OK (open_queue (&fixture));
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting, 150);
    CHECK (count.bytes > 150 && count.bytes_max == 64 << 20);
    CHECK (run_server (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 150);
    CHECK_INT (seen.repeated, 0);
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting + count.refused + count.bytes, 0);
    seen = look (&fixture);
    CHECK_INT (seen.takes, 150);
    CHECK_INT (seen.last, 150);
    end (&fixture);
}

/* As killed between the receipt and the note of it. */
static int leave_at_third (const saker_queued_t *queued, const saker_receipt_t *receipt,
                           void *argument)
{
    (void) argument;
    if (queued->number == 3) {
        _exit (receipt ? 3 : 1);
    }
    return 0;
}

static void a_client_that_ends_before_it_noted_the_receipt_repeats (void)
{
    static fixture_t fixture;
    seen_t seen = {.takes = 0};
    int status = 0;
    CHECK (begin (&fixture));
    for (int64_t i = 1; i <= 5; i++) {
        CHECK_OK (put (&fixture, i, i == 2 ? "of its own" : NULL));
    }
    saker_queue_close (&fixture.queue);
    pid_t child = fork (); /* no thread runs yet */
    if (child == 0) {
        bool opened = open_queue (&fixture) == SAKER_OK;
        (void) (opened && saker_queue_send (fixture.queue, SEND_MS, leave_at_third, NULL));
        _exit (1);
    }
    CHECK (run_server (&fixture));
    CHECK (waitpid (child, &status, 0) == child);
    CHECK (WIFEXITED (status) && WEXITSTATUS (status) == 3);
    CHECK_OK (open_queue (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 5);
    CHECK_INT (seen.repeated, 3);
    seen = look (&fixture);
    CHECK_INT (seen.takes, 5);
    CHECK_INT (seen.last, 5);
    end (&fixture);
}

static void an_answer_that_does_not_come_leaves_it_in_the_queue (void)
{
    static fixture_t fixture;
    seen_t seen = {.takes = 0};
    CHECK (begin (&fixture));
    CHECK (run_server (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL)); /* it is connected now */
    CHECK_OK (put (&fixture, 2, NULL));
    atomic_store (&fixture.server.mute, true);
    CHECK_ERR (saker_queue_send (fixture.queue, 0, see_sent, &seen), SAKER_EUNREACHABLE,
               "1 batches wait");
    atomic_store (&fixture.server.mute, false);
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 1);
    CHECK_INT (look (&fixture).takes, 2);
    end (&fixture);
}

/* ---- what is refused goes aside */

static void what_is_refused_goes_aside_and_the_rest_goes_on (void)
{
    static fixture_t fixture;
    seen_t seen = {.takes = 0};
    uint64_t number = 0;
    saker_queue_count_t count;
    CHECK (begin (&fixture));
    CHECK (run_server (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_OK (put_wrong (&fixture, &number));
    CHECK_OK (put (&fixture, 2, NULL));
    CHECK_INT (number, 2);
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 2);
    CHECK_INT (seen.refused, 1);
    CHECK_INT (look (&fixture).takes, 2);

    saker_queue_close (&fixture.queue);
    CHECK_OK (open_queue (&fixture));
    seen = (seen_t){.takes = 0};
    CHECK_OK (saker_queue_list (fixture.queue, see_queued, &seen));
    CHECK_INT (seen.listed, 1);
    CHECK (strstr (seen.sentence, "shots/sq020 20: "));
    CHECK_ERR (saker_queue_retry (fixture.queue, 1), SAKER_ENOTFOUND, "no batch 1");
    CHECK_OK (saker_queue_retry (fixture.queue, number));
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting, 1);
    CHECK_INT (count.refused, 0);
    CHECK_ERR (saker_queue_retry (fixture.queue, 4), SAKER_EUSAGE, "waits to be sent");
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL)); /* refused again */
    CHECK_OK (put (&fixture, 3, NULL));
    seen = (seen_t){.dropping = fixture.queue};
    CHECK_OK (saker_queue_list (fixture.queue, see_queued, &seen));
    CHECK_INT (seen.listed, 2);
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting + count.refused + count.bytes, 0);
    CHECK_ERR (saker_queue_drop (fixture.queue, number), SAKER_ENOTFOUND, "no batch 2");
    end (&fixture);
}

/* ---- what may have been written, without a way to find out */

/* As a client leaves it that was stopped with everything under way. */
static saker_err_t note_tried (fixture_t *fixture, uint64_t since_ms, const uint8_t writer[16])
{
    skr_outbox_t *outbox = NULL;
    skr_tried_t tried = {.since_ms = since_ms};
    memcpy (tried.writer, writer, sizeof tried.writer);
    saker_queue_close (&fixture->queue);
    saker_err_t error = skr_outbox_open (&outbox, fixture->folder, 0, skr_world_real ());
    if (error == SAKER_OK) {
        tried.up_to = skr_outbox_last (outbox);
        error = skr_outbox_begin (outbox);
        error = error == SAKER_OK ? skr_outbox_try (outbox, &tried) : error;
        error = error == SAKER_OK ? skr_outbox_commit (outbox) : error;
    }
    skr_outbox_close (&outbox);
    return error == SAKER_OK ? open_queue (fixture) : error;
}

static uint64_t now_ms (void)
{
    return skr_world_real ()->wall_ms (NULL);
}

static void what_another_store_may_have_written_is_not_written_again (void)
{
    static fixture_t fixture;
    static const uint8_t other[16] = {7};
    seen_t seen = {.takes = 0};
    CHECK (begin (&fixture));
    CHECK (run_server (&fixture));
    CHECK_OK (put (&fixture, 1, "known"));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_OK (put (&fixture, 1, "known")); /* with a receipt there is no doubt */
    CHECK_OK (put (&fixture, 2, "not known"));
    CHECK_OK (note_tried (&fixture, now_ms (), other));
    CHECK_OK (put (&fixture, 3, NULL)); /* never sent */
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 2);
    CHECK_INT (seen.repeated, 1);
    CHECK_INT (seen.refused, 1);
    CHECK_INT (look (&fixture).takes, 2);
    seen = (seen_t){.takes = 0};
    CHECK_OK (saker_queue_list (fixture.queue, see_queued, &seen));
    CHECK_INT (seen.listed, 1);
    CHECK (strstr (seen.sentence, "it may have been written already"));
    CHECK_OK (saker_queue_retry (fixture.queue, 3)); /* somebody has looked: it is not there */
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 3);
    end (&fixture);
}

static void what_was_tried_before_receipts_end_is_not_written_again (void)
{
    static fixture_t fixture;
    const uint64_t day_ms = 24ull * 3600 * 1000;
    seen_t seen = {.takes = 0};
    uint8_t writer[16];
    CHECK (begin (&fixture));
    memcpy (writer, skr_replica_writer (fixture.pair.a)->bytes, sizeof writer);
    CHECK (run_server (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_OK (note_tried (&fixture, now_ms () - 28 * day_ms, writer));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 1); /* it would be known if it had been written */
    CHECK_OK (put (&fixture, 2, NULL));
    CHECK_OK (note_tried (&fixture, now_ms () - 30 * day_ms, writer));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, see_sent, &seen));
    CHECK_INT (seen.sent, 1);
    CHECK_INT (seen.refused, 1);
    CHECK_INT (look (&fixture).takes, 1);
    end (&fixture);
}

/* ---- one process, one folder, so many bytes */

static void a_queue_belongs_to_one_process (void)
{
    static fixture_t fixture;
    saker_queue_t *second = NULL;
    int status = 0;
    CHECK (begin (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_ERR (saker_queue_open (&second, fixture.folder, NULL, 0), SAKER_EBUSY, "in process");
    CHECK (!second);
    pid_t child = fork ();
    if (child == 0) {
        saker_queue_count_t count;
        bool refused = put (&fixture, 2, NULL) == SAKER_EUSAGE
                       && saker_queue_send (fixture.queue, 0, NULL, NULL) == SAKER_EUSAGE;
        saker_queue_count (fixture.queue, &count);
        saker_queue_close (&fixture.queue);
        _exit (refused && count.waiting == 1 && !fixture.queue ? 3 : 1);
    }
    CHECK (waitpid (child, &status, 0) == child);
    CHECK (WIFEXITED (status) && WEXITSTATUS (status) == 3);
    CHECK_OK (put (&fixture, 2, NULL)); /* and goes on to be this one's */
    end (&fixture);
}

static void a_folder_of_others_is_left_alone (void)
{
    static fixture_t fixture;
    saker_queue_t *queue = NULL;
    char folder[300], file[320];
    CHECK (begin (&fixture));
    CHECK_ERR (saker_queue_open (&queue, fixture.pair.store_b, NULL, 0), SAKER_EBUSY, "is open");
    (void) snprintf (folder, sizeof folder, "%s/other", fixture.pair.folder);
    CHECK (mkdir (folder, 0700) == 0);
    CHECK_OK (saker_queue_open (&queue, folder, NULL, 0)); /* an empty one is taken */
    saker_queue_close (&queue);
    (void) snprintf (folder, sizeof folder, "%s/taken", fixture.pair.folder);
    (void) snprintf (file, sizeof file, "%s/notes.txt", folder);
    CHECK (mkdir (folder, 0700) == 0);
    FILE *notes = fopen (file, "w");
    CHECK (notes && fclose (notes) == 0);
    CHECK_ERR (saker_queue_open (&queue, folder, NULL, 0), SAKER_EEXIST, "is no queue");
    (void) snprintf (folder, sizeof folder, "%s/none/queue", fixture.pair.folder);
    CHECK_ERR (saker_queue_open (&queue, folder, NULL, 0), SAKER_EINPUT,
               "the folder above it is not there");
    CHECK_ERR (saker_queue_open (&queue, "", NULL, 0), SAKER_EINPUT, "has 1 to");
    CHECK (!queue);
    end (&fixture);
}

static void a_full_queue_says_so (void)
{
    static fixture_t fixture;
    saker_queue_count_t count;
    CHECK (begin (&fixture));
    saker_queue_close (&fixture.queue);
    CHECK_OK (saker_queue_open (&fixture.queue, fixture.folder, fixture.pair.store_a, 120));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_ERR (put (&fixture, 2, NULL), SAKER_ELIMIT, "may hold 120 bytes: start the daemon");
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting, 1);
    CHECK (run_server (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_OK (put (&fixture, 2, NULL));
    end (&fixture);
}

/* Flips a bit wherever the bytes are in a file. */
static int flip (const char *file, const char *bytes)
{
    static char data[1 << 20];
    int flips = 0;
    FILE *stream = fopen (file, "r+");
    size_t size = stream ? fread (data, 1, sizeof data, stream) : 0;
    for (size_t at = 0; at + strlen (bytes) <= size; at++) {
        if (memcmp (data + at, bytes, strlen (bytes)) == 0) {
            data[at] ^= 1;
            flips +=
                fseek (stream, (long) at, SEEK_SET) == 0 && fwrite (data + at, 1, 1, stream) == 1;
        }
    }
    return stream && fclose (stream) == 0 ? flips : 0;
}

typedef struct asides_t {
    size_t waiting, damaged;
    uint64_t number, operations; /* of the last that is damaged */
    char sentence[512];
} asides_t;

static int note_aside (const saker_queued_t *queued, void *argument)
{
    asides_t *asides = argument;
    asides->waiting += queued->error == SAKER_OK;
    if (queued->error == SAKER_EDAMAGED) {
        asides->damaged++;
        asides->number = queued->number;
        asides->operations = queued->operations;
        (void) snprintf (asides->sentence, sizeof asides->sentence, "%s", queued->sentence);
    }
    return 0;
}

/* Closes the queue, and opens it with other bytes on the disk. */
static saker_err_t damage (fixture_t *fixture, const char *bytes)
{
    char file[300];
    saker_queue_close (&fixture->queue);
    (void) snprintf (file, sizeof file, "%s/data.mdb", fixture->folder);
    if (flip (file, bytes) == 0) {
        printf ("\"%s\" is not there\n", bytes);
        return SAKER_EIO;
    }
    return open_queue (fixture);
}

static void what_is_damaged_goes_aside_and_the_rest_goes_on (void)
{
    static fixture_t fixture;
    asides_t asides = {0};
    saker_queue_count_t count;
    CHECK (begin (&fixture));
    CHECK_OK (put (&fixture, 1, "before"));
    CHECK_OK (put (&fixture, 2, "to be damaged"));
    CHECK_OK (put (&fixture, 4, "behind"));
    CHECK_OK (damage (&fixture, "to be damaged"));
    CHECK_OK (saker_queue_list (fixture.queue, note_aside, &asides));
    CHECK_INT (asides.waiting, 2);
    CHECK_INT (asides.damaged, 1);
    CHECK_INT (asides.number, 2);
    CHECK_INT (asides.operations, 2); /* it can be read still */
    CHECK (strstr (asides.sentence, "write again what was in it"));
    CHECK_ERR (saker_queue_retry (fixture.queue, 2), SAKER_EDAMAGED, "write again");
    CHECK (run_server (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 2);
    saker_queue_close (&fixture.queue);
    CHECK_OK (open_queue (&fixture)); /* it is there still */
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.waiting, 0);
    CHECK_INT (count.refused, 1);
    CHECK_OK (put (&fixture, 8, NULL));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 3);
    CHECK_OK (saker_queue_drop (fixture.queue, 2));
    saker_queue_count (fixture.queue, &count);
    CHECK_INT (count.refused, 0);
    CHECK_INT (count.bytes, 0);
    end (&fixture);
}

static void all_may_be_damaged (void)
{
    static fixture_t fixture;
    asides_t asides = {0};
    CHECK (begin (&fixture));
    for (int i = 0; i < 5; i++) {
        CHECK_OK (put (&fixture, i, NULL));
    }
    CHECK_OK (damage (&fixture, "takes")); /* what each of them says */
    CHECK_OK (saker_queue_list (fixture.queue, note_aside, &asides));
    CHECK_INT (asides.damaged, 5);
    CHECK_INT (asides.waiting, 0);
    CHECK_OK (put (&fixture, 3, NULL)); /* under a number that none of them has */
    CHECK (run_server (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 1);
    end (&fixture);
}

/* Nobody knows then what was sent before, and to whom: nothing is written twice. */
static void a_damaged_note_of_what_was_sent_writes_nothing_twice (void)
{
    static fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK (run_server (&fixture));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_OK (put (&fixture, 2, NULL));
    CHECK_OK (damage (&fixture, "tried"));
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 1);
    CHECK_OK (saker_queue_retry (fixture.queue, 2)); /* a person has looked */
    CHECK_OK (saker_queue_send (fixture.queue, SEND_MS, NULL, NULL));
    CHECK_INT (look (&fixture).takes, 2);
    end (&fixture);
}

static void a_queue_of_which_nothing_can_be_read_says_so (void)
{
    static fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (put (&fixture, 1, NULL));
    CHECK_ERR (damage (&fixture, "outbox"), SAKER_EDAMAGED,
               "move the folder away to begin a new one");
    CHECK (!fixture.queue);
    end (&fixture);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (what_waits_is_written_when_the_daemon_comes);
    RUN (a_client_that_ends_before_it_noted_the_receipt_repeats);
    RUN (an_answer_that_does_not_come_leaves_it_in_the_queue);
    RUN (what_is_refused_goes_aside_and_the_rest_goes_on);
    RUN (what_another_store_may_have_written_is_not_written_again);
    RUN (what_was_tried_before_receipts_end_is_not_written_again);
    RUN (a_queue_belongs_to_one_process);
    RUN (a_folder_of_others_is_left_alone);
    RUN (a_full_queue_says_so);
    RUN (what_is_damaged_goes_aside_and_the_rest_goes_on);
    RUN (all_may_be_damaged);
    RUN (a_damaged_note_of_what_was_sent_writes_nothing_twice);
    RUN (a_queue_of_which_nothing_can_be_read_says_so);
    return CHECK_END ();
}
