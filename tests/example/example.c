/* A whole program on libsaker: keeps the shots of a film, and shows what others do to them.

     cc example.c $(pkg-config --cflags --libs libsaker) -o example
     ./example [STORE]            with a daemon running on the store */

#include <saker.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        fprintf (stderr, "%s: %s\n", what, saker_error_text ());
        exit ((int) error);
    }
}

static saker_value_t text (const char *string)
{
    saker_value_t value = {.type = SAKER_TEXT};
    value.as.string.data = string;
    value.as.string.size = strlen (string);
    return value;
}

/* One change: all of it or nothing, here and at every other peer. */
static void write_shot (saker_t *saker)
{
    saker_batch_t *batch = saker_batch_new ("shots");
    saker_value_t title = text ("Dawn");
    saker_value_t tag = text ("exterior");
    saker_receipt_t receipt;
    must (batch ? SAKER_OK : SAKER_ENOMEM, "batch");
    must (saker_batch_set (batch, "sq010", "/title", &title), "title");
    must (saker_batch_incr (batch, "sq010", "/takes", 1), "takes");
    must (saker_batch_add (batch, "sq010", "/tags", &tag), "tags");
    must (saker_write (saker, batch, &receipt), "write");
    printf ("written: change %" PRIu64 " of this peer\n", receipt.seq);
    saker_batch_destroy (&batch);
}

static int show_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) argument;
    printf ("  %s%s = ", leaf->document, leaf->pointer);
    if (leaf->value.type == SAKER_TEXT) {
        printf ("%.*s", (int) leaf->value.as.string.size, leaf->value.as.string.data);
    } else if (leaf->value.type == SAKER_INT) {
        printf ("%" PRId64, leaf->value.as.integer);
    }
    printf (" (%s%s)\n", leaf->author, leaf->rival ? ", a rival" : "");
    return 0;
}

static int show_event (const saker_event_t *event, void *argument)
{
    ++*(int *) argument;
    printf ("  %s touched %s/%s\n", event->author, event->collection, event->document);
    return 0;
}

int main (int argc, char **argv)
{
    saker_t *saker = NULL;
    saker_cursor_t cursor;
    int events = 0;
    must (saker_open (&saker, argc > 1 ? argv[1] : NULL, 5000), "open");
    must (saker_now (saker, &cursor), "now");
    write_shot (saker);
    printf ("one document:\n");
    must (saker_read (saker, "shots", "sq010", "", show_leaf, NULL), "read");
    printf ("all of them:\n");
    must (saker_iterate (saker, "shots", show_leaf, NULL), "iterate");
    printf ("what happened since:\n");
    must (saker_watch (saker, NULL, &cursor, 5000, show_event, &events), "watch");
    must (saker_cursor_save (saker, "example", &cursor), "keep the cursor");
    must (saker_wait (saker, NULL, 10000), "wait until all have it");
    saker_close (&saker);
    printf ("%d event%s; every member has stored it\n", events, events == 1 ? "" : "s");
    return 0;
}
