/* queuer STORE QUEUE NAME: an application that writes through a queue, is killed at any point, and
   goes on where it was. Write N counts one up at load/total and adds N to the set load/NAME, under
   the operation id NAME-N. N is kept in the file QUEUE.next before it is put, so after a kill the
   last one is put again. Prints "ready" when it listens to signals. At SIGTERM it puts no more,
   sends what waits, prints "done N repeated R refused F" and ends. */

#include "saker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST_MAX 8
#define WAITING_MAX 400
#define SLICE_MS 100

typedef struct heard_t {
    long long repeated, refused;
} heard_t;

static volatile sig_atomic_t stopping;

static void on_term (int number)
{
    (void) number;
    stopping = 1;
}

static long long read_next (const char *file)
{
    long long next = 1;
    char text[32] = "";
    FILE *stream = fopen (file, "r");
    if (stream && fgets (text, sizeof text, stream)) {
        next = strtoll (text, NULL, 10);
    }
    if (stream) {
        fclose (stream);
    }
    return next > 0 ? next : 1;
}

/* Under a name of its own first: a kill leaves the old number or the new one. */
static bool keep_next (const char *file, long long next)
{
    char draft[4200];
    snprintf (draft, sizeof draft, "%s.new", file);
    FILE *stream = fopen (draft, "w");
    bool kept = stream && fprintf (stream, "%lld\n", next) > 0;
    kept = stream && fclose (stream) == 0 && kept;
    return kept && rename (draft, file) == 0;
}

static saker_err_t put (saker_queue_t *queue, const char *name, long long number)
{
    char id[64];
    int size = snprintf (id, sizeof id, "%s-%lld", name, number);
    const saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    saker_batch_t *batch = saker_batch_new ("load");
    saker_err_t error = batch ? saker_batch_incr (batch, "total", "/count", 1) : SAKER_ENOMEM;
    error = error == SAKER_OK ? saker_batch_add (batch, name, "/written", &value) : error;
    error = error == SAKER_OK ? saker_batch_operation (batch, id, (size_t) size) : error;
    error = error == SAKER_OK ? saker_queue_put (queue, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

static int hear (const saker_queued_t *queued, const saker_receipt_t *receipt, void *argument)
{
    heard_t *heard = argument;
    heard->repeated += receipt && receipt->repeated;
    heard->refused += !receipt;
    if (!receipt) {
        fprintf (stderr, "queuer: refused: %s\n", queued->sentence);
    }
    return 0;
}

static saker_err_t send_some (saker_queue_t *queue, heard_t *heard, uint64_t *waiting)
{
    saker_queue_count_t count;
    saker_err_t error = saker_queue_send (queue, SLICE_MS, hear, heard);
    saker_queue_count (queue, &count);
    *waiting = count.waiting;
    return error == SAKER_EUNREACHABLE ? SAKER_OK : error;
}

/* Whether the first one was put before the kill is not known: it is put in any case. */
static saker_err_t work (saker_queue_t *queue, const char *name, const char *file)
{
    heard_t heard = {0, 0};
    uint64_t waiting = 1;
    long long next = read_next (file);
    saker_err_t error = keep_next (file, next) ? put (queue, name, next++) : SAKER_EIO;
    srand ((unsigned) time (NULL) ^ (unsigned) getpid ());
    while (error == SAKER_OK && (!stopping || waiting > 0)) {
        int burst = stopping || waiting > WAITING_MAX ? 0 : 1 + rand () % BURST_MAX;
        for (int i = 0; i < burst && error == SAKER_OK; i++) {
            error = keep_next (file, next) ? put (queue, name, next) : SAKER_EIO;
            next++;
        }
        error = error == SAKER_OK ? send_some (queue, &heard, &waiting) : error;
    }
    if (error == SAKER_OK) {
        printf ("done %lld repeated %lld refused %lld\n", next - 1, heard.repeated, heard.refused);
    }
    return error;
}

int main (int argc, char **argv)
{
    char file[4096];
    saker_queue_t *queue = NULL;
    if (argc != 4) {
        fprintf (stderr, "usage: queuer STORE QUEUE NAME\n");
        return SAKER_EUSAGE;
    }
    signal (SIGTERM, on_term);
    puts ("ready");
    fflush (stdout);
    snprintf (file, sizeof file, "%s.next", argv[2]);
    saker_err_t error = saker_queue_open (&queue, argv[2], argv[1], 0);
    error = error == SAKER_OK ? work (queue, argv[3], file) : error;
    if (error != SAKER_OK) {
        fprintf (stderr, "queuer: %s: %s\n", saker_error_name (error), saker_error_text ());
    }
    saker_queue_close (&queue);
    return (int) error;
}
