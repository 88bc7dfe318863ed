/* embedded.c - a program that carries its own replica: it needs no daemon, and works offline.

     cc -o embedded embedded.c $(pkg-config --cflags --libs libsaker)
     ./embedded ~/notes                  founds a mesh, and writes a note
     ./embedded ~/notes "$TICKET"        or joins one, with a ticket of saker invite

   Each run adds a note and lists all of them. Where a member is reached that listens, as any sakerd
   does, the notes of all machines come and go over the connection that this program makes. */

#include <saker.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEET_MS 3000

static void must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        fprintf (stderr, "%s: %s\n", what, saker_error_text ());
        exit ((int) error);
    }
}

/* Called in the thread that runs the replica. */
static void print_log (int level, const char *message, void *argument)
{
    (void) argument;
    if (level <= 1) {
        fprintf (stderr, "saker: %s\n", message);
    }
}

/* The first time there is no store yet: it is made, without a daemon. */
static void open_store (saker_t **notes, const char *store, const char *ticket)
{
    saker_err_t error = saker_open_embedded (notes, store, NULL, print_log, NULL);
    if (error == SAKER_ENOTFOUND) {
        must (ticket ? saker_join (store, ticket, "notes", 10000)
                     : saker_init (store, "notes", "notes"),
              "make the store");
        error = saker_open_embedded (notes, store, NULL, print_log, NULL);
    }
    must (error, "open");
}

static void add_note (saker_t *notes)
{
    char name[32], words[64];
    time_t now = time (NULL);
    saker_value_t value = {SAKER_TEXT, {false}};
    saker_batch_t *batch = saker_batch_new ("notes");
    snprintf (name, sizeof name, "%lld", (long long) now);
    snprintf (words, sizeof words, "written offline, perhaps");
    value.as.string.data = words;
    value.as.string.size = strlen (words);
    must (saker_batch_set (batch, name, "/text", &value), "set");
    must (saker_batch_incr (batch, "runs", "/count", 1), "count");
    must (saker_write (notes, batch, NULL), "write"); /* it is on the disk */
    saker_batch_destroy (&batch);
}

static int print_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) argument;
    if (leaf->value.type == SAKER_INT) {
        printf ("  %s %s = %lld\n", leaf->document, leaf->pointer,
                (long long) leaf->value.as.integer);
    } else {
        printf ("  %s %s = %.*s, by %s\n", leaf->document, leaf->pointer,
                (int) leaf->value.as.string.size, leaf->value.as.string.data, leaf->author);
    }
    return 0;
}

int main (int argc, char **argv)
{
    saker_t *notes = NULL;
    if (argc < 2) {
        fprintf (stderr, "usage: embedded STORE [TICKET]\n");
        return 2;
    }
    open_store (&notes, argv[1], argc > 2 ? argv[2] : NULL);
    add_note (notes);
    if (saker_wait (notes, NULL, MEET_MS) == SAKER_OK) {
        printf ("every machine has it\n");
    } else {
        printf ("it will go out later: %s\n", saker_error_text ());
    }
    printf ("all notes:\n");
    must (saker_iterate (notes, "notes", print_leaf, NULL), "iterate");
    saker_close (&notes);
    return 0;
}
