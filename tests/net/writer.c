/* writer STORE NAME SECONDS: writes as fast as it can and survives a daemon that does not. Each
   write makes a document NAME-N with a field n and counts one up in the document "total", in one
   batch with an operation id. A write that was not acknowledged is sent again, with the same id,
   until it is. Prints N for each that was acknowledged. Ends after SECONDS, or at SIGTERM, once
   nothing is in doubt. */

#include "saker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPEN_MS 300
#define GIVE_UP_S 60 /* with one write in doubt */

static volatile sig_atomic_t stopping;

static void on_term (int number)
{
    (void) number;
    stopping = 1;
}

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static saker_batch_t *make_batch (const char *name, int64_t number)
{
    char document[128];
    int size = snprintf (document, sizeof document, "%s-%lld", name, (long long) number);
    saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    saker_batch_t *batch = saker_batch_new ("load");
    if (batch
        && (saker_batch_set (batch, document, "/n", &value) != SAKER_OK
            || saker_batch_incr (batch, "total", "/count", 1) != SAKER_OK
            || saker_batch_operation (batch, document, (size_t) size) != SAKER_OK)) {
        saker_batch_destroy (&batch);
    }
    return batch;
}

/* Failures that a killed daemon explains. */
static bool is_passing (saker_err_t error)
{
    return error == SAKER_EUNREACHABLE || error == SAKER_ETIMEOUT || error == SAKER_EIO;
}

static saker_err_t write_one (saker_t **saker, const char *store, const saker_batch_t *batch)
{
    double until_s = now_s () + GIVE_UP_S;
    saker_err_t error = SAKER_EUNREACHABLE;
    while (error != SAKER_OK && now_s () < until_s) {
        error = *saker ? SAKER_OK : saker_open (saker, store, OPEN_MS);
        if (error == SAKER_OK) {
            error = saker_write (*saker, batch, NULL);
        }
        if (error != SAKER_OK) {
            saker_close (saker);
        }
        if (error != SAKER_OK && !is_passing (error)) {
            return error;
        }
    }
    return error;
}

int main (int argc, char **argv)
{
    saker_t *saker = NULL;
    saker_err_t error = SAKER_OK;
    if (argc != 4) {
        fprintf (stderr, "usage: writer STORE NAME SECONDS\n");
        return SAKER_EUSAGE;
    }
    signal (SIGTERM, on_term);
    double until_s = now_s () + strtod (argv[3], NULL);
    for (int64_t number = 1; error == SAKER_OK && !stopping && now_s () < until_s; number++) {
        saker_batch_t *batch = make_batch (argv[2], number);
        error = batch ? write_one (&saker, argv[1], batch) : SAKER_ENOMEM;
        saker_batch_destroy (&batch);
        if (error == SAKER_OK) {
            printf ("%lld\n", (long long) number);
            fflush (stdout);
        }
    }
    if (error != SAKER_OK) {
        fprintf (stderr, "writer: %s: %s\n", saker_error_name (error), saker_error_text ());
    }
    saker_close (&saker);
    return (int) error;
}
