#include "gateway/mend.h"

#include "gateway/account.h"

#include <stdlib.h>
#include <string.h>

typedef struct mending_t {
    courier_t *courier;
    letter_t letters[OFFICE_BATCH_MAX];
    size_t count, all;
    delivered_t reached; /* what the documents show of each writer */
    bool failed;
} mending_t;

static void flush_mended (mending_t *self)
{
    if (self->count > 0 && !self->failed) {
        self->failed = !account_set_aside (self->courier, self->letters, self->count, false);
    }
    self->all += self->count;
    self->count = 0;
}

static bool is_noted (const mending_t *self, const saker_leaf_t *leaf)
{
    for (size_t i = self->count; i-- > 0;) {
        const letter_t *letter = &self->letters[i];
        if (letter->seq == leaf->seq && memcmp (letter->writer, leaf->writer, 16) == 0
            && strcmp (letter->document, leaf->document) == 0) {
            return true;
        }
    }
    return false;
}

/* What a document shows, or a rival, that progress does not cover. Of a change of several documents
   it is not known which were sent: all of them count as not sent. */
static int see_leaf (const saker_leaf_t *leaf, void *argument)
{
    mending_t *self = argument;
    courier_t *courier = self->courier;
    const char *wanted = courier->hook.documents;
    int64_t number = delivered_whole (leaf->seq);
    if (strncmp (leaf->document, wanted, strlen (wanted)) != 0
        || account_covers (courier, leaf->writer, number, leaf->time_ms) || is_noted (self, leaf)) {
        return 0;
    }
    const saker_event_t event = {.collection = courier->hook.collection,
                                 .document = leaf->document,
                                 .author = leaf->author,
                                 .seq = leaf->seq,
                                 .time_ms = leaf->time_ms};
    letter_t *letter = &self->letters[self->count++];
    letter_of (letter, &event);
    letter_id (event.collection, event.document, leaf->writer, event.seq, letter->id);
    memcpy (letter->writer, leaf->writer, sizeof letter->writer);
    letter->number = number;
    self->failed |= !delivered_raise (&self->reached, leaf->writer, number);
    if (self->count == OFFICE_BATCH_MAX) {
        flush_mended (self);
    }
    return self->failed || self->all >= OFFICE_ASIDES_MAX || courier_is_ending (courier);
}

/* Once all of it is set aside, progress covers it. */
static bool write_reached (mending_t *self)
{
    courier_t *courier = self->courier;
    bool written = true;
    for (size_t i = 0; i < self->reached.count && written; i++) {
        letter_t letter = {.number = self->reached.list[i].number};
        memcpy (letter.writer, self->reached.list[i].writer, sizeof letter.writer);
        written = account_done (courier, &letter);
    }
    return written;
}

/* The feed has not all of what was not sent; the documents have what came of it: that is set aside,
   to be sent. What was written over meanwhile, or deleted, is not told any more. */
void mend_gap (courier_t *self)
{
    mending_t *mending = calloc (1, sizeof *mending);
    if (!mending) {
        return;
    }
    mending->courier = self;
    saker_err_t error = saker_iterate (self->call.peer, self->hook.collection, see_leaf, mending);
    flush_mended (mending);
    if ((error == SAKER_OK || error == SAKER_ENOTFOUND) && !mending->failed
        && write_reached (mending)) {
        self->gap = false;
        office_log (
            self->office, mending->all > 0 ? 1 : 2,
            "hooks: %s: the history of this peer begins behind what was sent: %zu events "
            "are sent of what the documents show; a longer history in saker.conf loses none",
            self->hook.name, mending->all);
    }
    delivered_free (&mending->reached);
    free (mending);
}
