#include "gateway/mend.h"

#include "gateway/account.h"

#include <stdlib.h>
#include <string.h>

typedef struct mending_t {
    courier_t *courier;
    letter_t letters[OFFICE_BATCH_MAX];
    letter_t last;
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

static bool is_of (const letter_t *letter, const saker_leaf_t *leaf)
{
    return letter->seq == leaf->seq && memcmp (letter->writer, leaf->writer, 16) == 0
           && strcmp (letter->document, leaf->document) == 0;
}

/* The leaves of a document come together. */
static bool is_noted (const mending_t *self, const saker_leaf_t *leaf)
{
    bool noted = is_of (&self->last, leaf);
    for (size_t i = self->count; i-- > 0 && !noted;) {
        noted = is_of (&self->letters[i], leaf);
    }
    return noted;
}

/* Is the change one that was under way, and the document one of those that were sent? */
static bool was_sent (mending_t *self, const saker_leaf_t *leaf)
{
    courier_t *courier = self->courier;
    return account_covers (courier, leaf->writer, delivered_number (leaf->seq, 0), leaf->time_ms)
           && account_has_sent (courier, leaf->writer, leaf->seq, leaf->document);
}

/* What a document shows, or a rival, that progress does not cover. */
static int see_leaf (const saker_leaf_t *leaf, void *argument)
{
    mending_t *self = argument;
    courier_t *courier = self->courier;
    const char *wanted = courier->hook.documents;
    int64_t number = delivered_whole (leaf->seq);
    if (strncmp (leaf->document, wanted, strlen (wanted)) != 0
        || !hook_wants (&courier->hook, leaf->pointer)
        || account_covers (courier, leaf->writer, number, leaf->time_ms) || is_noted (self, leaf)
        || was_sent (self, leaf)) {
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
    self->last = *letter;
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
        int64_t number = self->reached.list[i].number;
        letter_t letter = {.number = number, .seq = (uint64_t) number >> DELIVERED_SHIFT};
        memcpy (letter.writer, self->reached.list[i].writer, sizeof letter.writer);
        written = account_done (courier, &letter);
    }
    return written;
}

static void tell_mended (const courier_t *self, size_t count)
{
    if (count > 0) {
        office_log (self->office, 1,
                    "hooks: %s: changes were let go of before they were sent: %zu events are sent "
                    "of what the documents show; a longer history in saker.conf loses none",
                    self->hook.name, count);
    }
}

void mend_gap (courier_t *self)
{
    mending_t *mending = calloc (1, sizeof *mending);
    if (!mending) {
        return;
    }
    mending->courier = self;
    saker_err_t error = saker_iterate (self->call.peer, self->hook.collection, see_leaf, mending);
    flush_mended (mending);
    if ((error == SAKER_OK || error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED)
        && !mending->failed && write_reached (mending)) {
        self->gap = false;
        tell_mended (self, mending->all);
    }
    delivered_free (&mending->reached);
    free (mending);
}
