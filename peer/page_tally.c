#include "peer/page_tally.h"

#include "peer/conflicts.h"

/* ---- the fingerprint */

static saker_err_t hash_slot (skr_pages_t *self, const skr_page_t *page, size_t at)
{
    skr_slot_t *slot = &page->slots[at];
    skr_item_t item = skr_page_item (page, at);
    skr_entry_t entry = {.dot = {.seq = item.seq, .index = item.index},
                         .hlc = item.hlc,
                         .address = item.address,
                         .value = item.value};
    if (slot->hashed) {
        return SAKER_OK;
    }
    SKR_TRY (skr_writer_cache_id (self->writers, self->store, SKR_GROUP, item.writer,
                                  &entry.dot.writer));
    slot->hash = skr_fingerprint_of (&page->live->id, skr_span_of (&page->document), &entry);
    slot->hashed = true;
    return SAKER_OK;
}

static saker_err_t count_items (skr_pages_t *self, skr_page_t *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (!page->slots[i].counted) {
            SKR_TRY (hash_slot (self, page, i));
            skr_fingerprint_plus (&page->live->fingerprint, &page->slots[i].hash);
            page->slots[i].counted = true;
        }
    }
    return SAKER_OK;
}

saker_err_t skr_tally_remove (skr_pages_t *self, skr_page_t *page, size_t at)
{
    if (!page->slots[at].counted) {
        return SAKER_OK;
    }
    SKR_TRY (hash_slot (self, page, at));
    skr_fingerprint_minus (&page->live->fingerprint, &page->slots[at].hash);
    return SAKER_OK;
}

/* ---- conflicts */

static void put_path (skr_buf_t *paths, skr_span_t path)
{
    uint8_t size[4];
    skr_put_u32 (size, (uint32_t) path.size);
    skr_buf_append (paths, size, sizeof size);
    skr_buf_append_span (paths, path);
}

static bool next_path (skr_span_t paths, size_t *at, skr_span_t *path)
{
    if (*at == paths.size) {
        return false;
    }
    *path = skr_span (paths.data + *at + 4, skr_get_u32 (paths.data + *at));
    *at += 4 + path->size;
    return true;
}

/* The places in conflict, as the cells stand: in the order of addresses those of one place follow
   each other. */
static saker_err_t find_paths (skr_pages_t *self, const skr_page_t *page)
{
    skr_span_t path, last = skr_span (NULL, 0);
    skr_buf_clear (&self->paths);
    for (size_t i = 1; i < page->count; i++) {
        bool repeats = i > 1 && page->slots[i - 2].address == page->slots[i].address;
        if (repeats
            || !skr_conflicts_between (skr_page_address (page, i - 1), skr_page_address (page, i),
                                       &path)) {
            continue;
        }
        if (self->paths.size == 0 || !skr_span_equal (last, path)) {
            put_path (&self->paths, path);
            last = path;
        }
    }
    return self->paths.failed ? skr_pages_no_memory () : SAKER_OK;
}

/* One of them, while they are compared with the index. */
typedef struct place_t {
    skr_span_t path;
    bool indexed;
} place_t;

static saker_err_t list_places (skr_pages_t *self)
{
    place_t place = {.indexed = false};
    size_t at = 0;
    skr_buf_clear (&self->places);
    while (next_path (skr_span_of (&self->paths), &at, &place.path)) {
        skr_buf_append (&self->places, &place, sizeof place);
    }
    return self->places.failed ? skr_pages_no_memory () : SAKER_OK;
}

/* What the index has of a document is compared with what was found. */
typedef struct comparing_t {
    place_t *places;
    size_t count;
    size_t next;     /* the order is mostly the same */
    skr_buf_t stale; /* paths */
} comparing_t;

static saker_err_t compare_place (skr_span_t key, skr_span_t document, skr_span_t path,
                                  void *argument)
{
    comparing_t *comparing = argument;
    (void) key, (void) document;
    for (size_t i = 0; i < comparing->count; i++) {
        place_t *place = &comparing->places[(comparing->next + i) % comparing->count];
        if (skr_span_equal (place->path, path)) {
            place->indexed = true;
            comparing->next += i + 1;
            return SAKER_OK;
        }
    }
    put_path (&comparing->stale, path);
    return comparing->stale.failed ? skr_pages_no_memory () : SAKER_OK;
}

static saker_err_t remove_stale (skr_pages_t *self, const skr_page_t *page, skr_span_t stale)
{
    skr_span_t path;
    size_t at = 0;
    while (next_path (stale, &at, &path)) {
        SKR_TRY (skr_conflicts_remove (self->store, page->collection_no,
                                       skr_span_of (&page->document), path));
    }
    return SAKER_OK;
}

static saker_err_t add_places (skr_pages_t *self, const skr_page_t *page, const place_t *places,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!places[i].indexed) {
            SKR_TRY (skr_conflicts_add (self->store, page->collection_no,
                                        skr_span_of (&page->document), places[i].path));
        }
    }
    return SAKER_OK;
}

/* A damaged record is left: the index is made anew at the next start. */
static saker_err_t compare_index (skr_pages_t *self, const skr_page_t *page, place_t *places,
                                  size_t count)
{
    comparing_t comparing = {.places = places, .count = count};
    saker_err_t error = skr_conflicts_scan (self->store, SKR_GROUP, page->collection_no,
                                            skr_span_of (&page->document), skr_span (NULL, 0),
                                            compare_place, &comparing);
    if (error == SAKER_OK) {
        error = remove_stale (self, page, skr_span_of (&comparing.stale));
    }
    skr_buf_free (&comparing.stale);
    return error == SAKER_EDAMAGED ? SAKER_OK : error;
}

/* What only came settles nothing; and where it is known what the index has, it mostly has it still.
 */
static bool may_be_indexed (const skr_page_t *page, size_t count)
{
    return page->indexed ? page->conflicts.size > 0 : count > 0 || page->removed;
}

static saker_err_t settle_places (skr_pages_t *self, skr_page_t *page)
{
    SKR_TRY (find_paths (self, page));
    if (page->indexed
        && skr_span_equal (skr_span_of (&self->paths), skr_span_of (&page->conflicts))) {
        return SAKER_OK;
    }
    SKR_TRY (list_places (self));
    place_t *places = (place_t *) (void *) self->places.data;
    size_t count = self->places.size / sizeof *places;
    if (may_be_indexed (page, count)) {
        SKR_TRY (compare_index (self, page, places, count));
    }
    SKR_TRY (add_places (self, page, places, count));
    skr_buf_clear (&page->conflicts);
    skr_buf_append_span (&page->conflicts, skr_span_of (&self->paths));
    page->indexed = !page->conflicts.failed;
    return SAKER_OK;
}

bool skr_tally_settles (const skr_page_t *page)
{
    return page->document.size == 0 || skr_page_is_whole (page);
}

saker_err_t skr_tally_page (skr_pages_t *self, skr_page_t *page)
{
    SKR_TRY (count_items (self, page));
    if (page->document.size > 0 && skr_page_is_whole (page)) { /* not the roster */
        SKR_TRY (settle_places (self, page));
    }
    page->removed = false;
    return SAKER_OK;
}
