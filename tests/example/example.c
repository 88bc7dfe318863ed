/* example.c - a program that keeps the shots of a film in saker.

   Found a mesh and start its daemon, then build and run it:

     saker init film --store ~/film
     sakerd --store ~/film &
     cc -o example example.c $(pkg-config --cflags --libs libsaker)
     ./example ~/film

   It writes two shots as one change, reads one of them, lists all, watches what changes, and waits
   until the other machines have it. Run it on several machines of a mesh at the same time: the
   takes of a shot are counted exactly, whoever counts them. */

#include <saker.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every call tells what went wrong in one sentence. */
static void must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        fprintf (stderr, "%s: %s\n", what, saker_error_text ());
        exit ((int) error);
    }
}

static saker_value_t text (const char *words)
{
    saker_value_t value = {SAKER_TEXT, {false}};
    value.as.string.data = words;
    value.as.string.size = strlen (words);
    return value;
}

static saker_value_t number (int64_t amount)
{
    saker_value_t value = {SAKER_INT, {false}};
    value.as.integer = amount;
    return value;
}

/* All of a batch is written, here and on every other machine, or nothing of it. */
static void write_shots (saker_t *peer)
{
    saker_batch_t *batch = saker_batch_new ("shots");
    saker_receipt_t receipt;
    saker_value_t dawn = text ("Dawn"), dusk = text ("Dusk"), frames = number (120);
    saker_value_t night = text ("night");
    if (!batch) {
        fprintf (stderr, "out of memory\n");
        exit (1);
    }
    must (saker_batch_set (batch, "sq010", "/title", &dawn), "set the title");
    must (saker_batch_set (batch, "sq010", "/frames", &frames), "set the frames");
    must (saker_batch_incr (batch, "sq010", "/takes", 1), "count a take");
    must (saker_batch_set (batch, "sq020", "/title", &dusk), "set the title");
    must (saker_batch_add (batch, "sq020", "/tags", &night), "add a tag");
    must (saker_write (peer, batch, &receipt), "write");
    printf ("written: change %llu of this machine\n", (unsigned long long) receipt.seq);
    saker_batch_destroy (&batch);
}

static void print_value (const saker_value_t *value)
{
    switch (value->type) {
    case SAKER_NULL:
        printf ("null");
        break;
    case SAKER_BOOL:
        printf (value->as.boolean ? "true" : "false");
        break;
    case SAKER_INT:
        printf ("%lld", (long long) value->as.integer);
        break;
    case SAKER_DOUBLE:
        printf ("%g", value->as.number);
        break;
    case SAKER_TEXT:
        printf ("\"%.*s\"", (int) value->as.string.size, value->as.string.data);
        break;
    case SAKER_BYTES:
        printf ("%zu bytes", value->as.string.size);
        break;
    case SAKER_MAP:
        printf ("{}");
        break;
    }
}

/* A rival is what somebody else wrote at the same time: it is kept until one is chosen. */
static int print_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) argument;
    printf ("  %s %s = ", leaf->document, leaf->pointer);
    print_value (&leaf->value);
    printf (" by %s%s\n", leaf->author, leaf->rival ? " (a rival)" : "");
    return 0; /* go on */
}

static int print_event (const saker_event_t *event, void *argument)
{
    (void) argument;
    printf ("  %s/%s was changed by %s\n", event->collection, event->document, event->author);
    return 0;
}

int main (int argc, char **argv)
{
    saker_t *peer = NULL;
    saker_cursor_t cursor;
    saker_err_t error;

    /* NULL: the store of $SAKER_STORE, or ~/.saker */
    must (saker_open (&peer, argc > 1 ? argv[1] : NULL, 5000), "open");
    must (saker_now (peer, &cursor), "begin to watch");

    write_shots (peer);

    printf ("the shot sq010:\n");
    must (saker_read (peer, "shots", "sq010", "", print_leaf, NULL), "read");

    printf ("all shots:\n");
    must (saker_iterate (peer, "shots", print_leaf, NULL), "iterate");

    printf ("what has changed:\n");
    must (saker_watch (peer, "shots", &cursor, 1000, print_event, NULL), "watch");

    error = saker_wait (peer, NULL, 5000);
    if (error == SAKER_ETIMEOUT) {
        printf ("not everybody has it yet: %s\n", saker_error_text ());
    } else {
        must (error, "wait");
        printf ("every machine has it\n");
    }

    saker_close (&peer);
    return 0;
}
