/* A client for the crash tests: writes batches of two documents that always hold the same number,
   and tells what was acknowledged, when.

     load write STORE FROM COUNT   one line "ACK number time_ns" each; errors that pass are tried
   again (with the same operation id) for up to 20 s, then "GAVE-UP number error" load check STORE
   NUMBER       both documents hold the same number, at least NUMBER */

#include "saker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60

static uint64_t now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static saker_err_t write_once (saker_t *saker, long number)
{
    saker_batch_t *batch = saker_batch_new ("crash");
    saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    char id[32];
    snprintf (id, sizeof id, "operation %ld", number);
    saker_err_t error = saker_batch_set (batch, "one", "/n", &value);
    error = error == SAKER_OK ? saker_batch_set (batch, "two", "/n", &value) : error;
    error = error == SAKER_OK ? saker_batch_incr (batch, "sum", "/n", 1) : error;
    error = error == SAKER_OK ? saker_batch_operation (batch, id, strlen (id)) : error;
    error = error == SAKER_OK ? saker_write (saker, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

static int write_all (saker_t *saker, long from, long count)
{
    for (long number = from; number < from + count; number++) {
        uint64_t deadline_ns = now_ns () + PATIENCE_S * 1000000000ull;
        saker_err_t error;
        while ((error = write_once (saker, number)) != SAKER_OK) {
            if (error == SAKER_EUNREACHABLE || now_ns () > deadline_ns) {
                printf ("GAVE-UP %ld %s\n", number, saker_error_text ());
                return 1;
            }
            printf ("ERROR %ld %s\n", number, saker_error_name (error));
            usleep (20000);
        }
        printf ("ACK %ld %" PRIu64 "\n", number, now_ns ());
        fflush (stdout);
    }
    return 0;
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    *(long *) argument = (long) leaf->value.as.integer;
    return 0;
}

static long number_of (saker_t *saker, const char *document)
{
    long number = -1;
    saker_err_t error = saker_read (saker, "crash", document, "/n", take_leaf, &number);
    if (error != SAKER_OK) {
        printf ("read %s: %s\n", document, saker_error_text ());
    }
    return number;
}

static int check (saker_t *saker, long least)
{
    long one = number_of (saker, "one"), two = number_of (saker, "two");
    long sum = number_of (saker, "sum");
    printf ("one %ld two %ld sum %ld, acknowledged %ld\n", one, two, sum, least);
    return one == two && one >= least && sum == one ? 0 : 1;
}

int main (int argc, char **argv)
{
    saker_t *saker = NULL;
    if (argc < 4) {
        fprintf (stderr, "usage: load write STORE FROM COUNT | check STORE NUMBER\n");
        return 2;
    }
    if (saker_open (&saker, argv[2], 5000) != SAKER_OK) {
        printf ("GAVE-UP 0 %s\n", saker_error_text ());
        return 1;
    }
    int code = strcmp (argv[1], "write") == 0 && argc > 4
                   ? write_all (saker, strtol (argv[3], NULL, 10), strtol (argv[4], NULL, 10))
                   : check (saker, strtol (argv[3], NULL, 10));
    saker_close (&saker);
    return code;
}
