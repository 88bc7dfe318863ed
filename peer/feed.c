/* Positions in the log that a snapshot replaced are missing; that starts a new epoch, so a reader
   that was below them has to read anew, and one that starts after skips them unseen. Positions that
   the cut took away are missing, too: a reader that was below one that it would have seen is told.
 */

#include "peer/feed.h"

#include "crdt/hlc.h"
#include "peer/replica_internal.h"

#include <stdlib.h>
#include <string.h>

#define CURSOR_BYTES 24 /* epoch 16, position u64 */
#define CURSOR_NAME_BYTES_MAX 64

/* ---- where a cursor stands */

/* The highest position that was cut away, of what such a reader sees. */
static uint64_t cut_position (const skr_replica_t *self, const skr_collection_t *wanted)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < self->shown_count; i++) {
        const skr_held_t *held = self->held[i];
        if ((!wanted || wanted->no == held->shown.no) && held->cut_position > highest) {
            highest = held->cut_position;
        }
    }
    return highest;
}

static saker_err_t check_cursor (skr_replica_t *self, const skr_collection_t *wanted,
                                 const saker_cursor_t *cursor, uint64_t *last)
{
    if (memcmp (cursor->epoch, self->epoch.bytes, sizeof cursor->epoch) != 0) {
        return skr_fail (SAKER_EGAP, "the cursor is of another store, or from before a restore: "
                                     "read anew and watch from now");
    }
    SKR_TRY (skr_log_last (self->store, SKR_COMMITTED, last));
    if (cursor->position > *last || cursor->position < cut_position (self, wanted)) {
        return skr_fail (SAKER_EGAP, "the cursor points to what is not kept: read anew and watch "
                                     "from now");
    }
    return SAKER_OK;
}

/* ---- one change as events */

typedef struct reading_t {
    skr_replica_t *replica;
    const skr_collection_t *wanted; /* NULL: all but the roster */
    skr_event_fn *visit;
    void *argument;
    skr_buf_t content;
    size_t changes;
} reading_t;

static int compare_spans (const void *one, const void *other)
{
    return skr_span_compare (*(const skr_span_t *) one, *(const skr_span_t *) other);
}

/* The documents that a content touches, each once. *documents is allocated. */
static saker_err_t list_documents (const skr_content_t *content, skr_span_t **documents,
                                   size_t *count)
{
    skr_span_t *list = calloc (content->ops_count, sizeof *list);
    size_t found = 0, kept = 0;
    if (!list) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < content->ops_count; i++) {
        if (found == 0 || !skr_span_equal (list[found - 1], content->ops[i].document)) {
            list[found++] = content->ops[i].document;
        }
    }
    qsort (list, found, sizeof *list, compare_spans);
    for (size_t i = 0; i < found; i++) {
        if (kept == 0 || !skr_span_equal (list[kept - 1], list[i])) {
            list[kept++] = list[i];
        }
    }
    *documents = list;
    *count = kept;
    return SAKER_OK;
}

static saker_err_t visit_document (reading_t *reading, const saker_event_t *change,
                                   skr_span_t document)
{
    char text[SKR_DOCUMENT_BYTES_MAX + 1] = {0};
    saker_event_t event = *change;
    if (document.size > 0) {
        memcpy (text, document.data, document.size);
    }
    event.document = text;
    return reading->visit (&event, reading->argument);
}

static saker_err_t visit_content (reading_t *reading, const skr_collection_t *collection,
                                  const skr_change_t *change, uint64_t position,
                                  const skr_content_t *content)
{
    const skr_member_t *author = skr_roster_by_writer (reading->replica->roster, &change->writer);
    saker_event_t event = {.position = position,
                           .collection = collection->name,
                           .author = author ? author->name : "",
                           .seq = change->seq,
                           .time_ms = skr_hlc_ms (change->hlc)};
    const skr_partial_t *partial = skr_partial_of (reading->replica, &collection->id);
    skr_span_t *documents = NULL;
    size_t count = 0;
    memcpy (event.writer, change->writer.bytes, sizeof event.writer);
    saker_err_t error = list_documents (content, &documents, &count);
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        if (skr_partial_shows (partial, documents[i])) {
            error = visit_document (reading, &event, documents[i]);
        }
    }
    free (documents);
    return error;
}

static saker_err_t visit_entry (reading_t *reading, const skr_collection_t *collection,
                                const skr_log_entry_t *entry)
{
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (skr_change_parse (&change, entry->change));
    SKR_TRY (skr_replica_content (reading->replica, &change, &reading->content, &content));
    saker_err_t error = visit_content (reading, collection, &change, entry->position, &content);
    skr_content_free (&content);
    reading->changes += error == SAKER_OK;
    return error;
}

static bool is_wanted (const reading_t *reading, const skr_held_t *held)
{
    static const skr_id_t roster;
    if (!held) {
        return false;
    }
    return reading->wanted ? reading->wanted->no == held->shown.no
                           : !skr_id_equal (&held->shown.id, &roster) && !held->shown.sealed;
}

static saker_err_t read_position (reading_t *reading, uint64_t position)
{
    skr_log_entry_t entry;
    saker_err_t error = skr_log_get (reading->replica->store, SKR_COMMITTED, position, &entry);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    const skr_held_t *held = skr_holdings_by_no (reading->replica, entry.collection_no);
    return is_wanted (reading, held) ? visit_entry (reading, &held->shown, &entry) : SAKER_OK;
}

saker_err_t skr_feed_read (skr_replica_t *replica, const skr_collection_t *collection,
                           saker_cursor_t *cursor, size_t changes_max, skr_event_fn *visit,
                           void *argument)
{
    reading_t reading = {
        .replica = replica, .wanted = collection, .visit = visit, .argument = argument};
    uint64_t last;
    SKR_TRY (check_cursor (replica, collection, cursor, &last));
    saker_err_t error = SAKER_OK;
    while (cursor->position < last && reading.changes < changes_max) {
        error = read_position (&reading, cursor->position + 1);
        if (error != SAKER_OK) {
            break;
        }
        cursor->position++;
    }
    skr_buf_wipe (&reading.content);
    return error == SKR_STOP ? SAKER_OK : error;
}

saker_err_t skr_feed_now (skr_replica_t *replica, saker_cursor_t *cursor)
{
    memcpy (cursor->epoch, replica->epoch.bytes, sizeof cursor->epoch);
    return skr_log_last (replica->store, SKR_COMMITTED, &cursor->position);
}

/* ---- named cursors */

static saker_err_t check_name (const char *name, skr_span_t *key)
{
    *key = skr_span_text (name);
    if (key->size < 1 || key->size > CURSOR_NAME_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "the name of a cursor has 1 to %d bytes",
                         CURSOR_NAME_BYTES_MAX);
    }
    return SAKER_OK;
}

saker_err_t skr_feed_save (skr_replica_t *replica, const char *name, const saker_cursor_t *cursor)
{
    skr_span_t key;
    uint8_t value[CURSOR_BYTES];
    SKR_TRY (skr_replica_check_group (replica));
    SKR_TRY (check_name (name, &key));
    memcpy (value, cursor->epoch, 16);
    skr_put_u64 (value + 16, cursor->position);
    return skr_store_put (replica->store, SKR_CURSORS, key, skr_span (value, sizeof value));
}

saker_err_t skr_feed_load (skr_replica_t *replica, const char *name, saker_cursor_t *cursor)
{
    skr_span_t key, value;
    SKR_TRY (check_name (name, &key));
    saker_err_t error = skr_store_get (replica->store, SKR_COMMITTED, SKR_CURSORS, key, &value);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_ENOTFOUND, "no cursor called %s", name);
    }
    SKR_TRY (error);
    if (value.size != CURSOR_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "the record of cursor %s is not in form", name);
    }
    memcpy (cursor->epoch, value.data, 16);
    cursor->position = skr_get_u64 (value.data + 16);
    return SAKER_OK;
}
