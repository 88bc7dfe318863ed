#include "peer/cells_store.h"

#include "peer/conflicts.h"
#include "peer/page_tally.h"
#include "peer/pages.h"

#include "crdt/limits.h"

#include <stdlib.h>
#include <string.h>

#define BOUNDS_MAX 8 /* of more, all entries are visited */

typedef struct view_t {
    skr_cells_store_t *owner;
    skr_sight_t sight;
    uint32_t collection_no;
    skr_collection_t *live; /* NULL: as committed */
    skr_cells_t cells;
} view_t;

struct skr_cells_store_t {
    skr_store_t *store;
    view_t committed;
    view_t group;
    skr_pages_t pages;
    skr_page_t *page; /* that is being changed */
    size_t met;       /* the place in the page asked for last of what a walk visited last */
    unsigned walks;   /* that go on */
    skr_writer_cache_t writers;
    skr_buf_t sort_key;
};

/* ---- conflicts, where tallying does not settle them: see conflicts.h */

static saker_err_t add_conflict (skr_cells_store_t *self, skr_span_t path)
{
    return skr_conflicts_add (self->store, self->page->collection_no,
                              skr_span_of (&self->page->document), path);
}

/* Looks at a place, and at those above it; `had`: only where the index has them. */
static saker_err_t judge_above (view_t *view, skr_span_t document, skr_span_t path, bool had)
{
    skr_store_t *store = view->owner->store;
    skr_span_t rest = path, key;
    bool more = true, has, conflict;
    while (more) {
        skr_span_t above = skr_span (path.data, path.size - rest.size);
        SKR_TRY (skr_conflicts_has (store, SKR_GROUP, view->collection_no, document, above, &has));
        if (has || !had) {
            SKR_TRY (skr_conflicts_judge (&view->cells, document, above, &conflict));
            if (has && !conflict) {
                SKR_TRY (skr_conflicts_remove (store, view->collection_no, document, above));
            } else if (conflict && !has) {
                SKR_TRY (skr_conflicts_add (store, view->collection_no, document, above));
            }
        }
        more = skr_path_next (&rest, &key);
    }
    return SAKER_OK;
}

/* An entry came. Its neighbours tell, unless one of them may lie in another bucket. */
static saker_err_t note_put (view_t *view, skr_span_t document, const skr_entry_t *entry, size_t at)
{
    skr_cells_store_t *self = view->owner;
    const skr_page_t *page = self->page;
    skr_span_t place;
    if (skr_tally_settles (page)) {
        return SAKER_OK;
    }
    bool first = at == 0 && page->key.size > 0, last = at + 1 == page->count && page->bounded;
    if (first || last) {
        skr_span_t path = skr_conflicts_path (entry->address);
        return judge_above (view, document, path, false);
    }
    if (at > 0 && skr_conflicts_between (skr_page_address (page, at - 1), entry->address, &place)) {
        SKR_TRY (add_conflict (self, place));
    }
    if (at + 1 < page->count
        && skr_conflicts_between (entry->address, skr_page_address (page, at + 1), &place)) {
        SKR_TRY (add_conflict (self, place));
    }
    return SAKER_OK;
}

/* An entry went: what was in conflict may be settled. */
static saker_err_t note_remove (view_t *view, skr_span_t document, const skr_entry_t *entry)
{
    skr_cells_store_t *self = view->owner;
    bool any;
    if (skr_tally_settles (self->page)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_conflicts_any (self->store, SKR_GROUP, view->collection_no, document, &any));
    return any ? judge_above (view, document, skr_conflicts_path (entry->address), true) : SAKER_OK;
}

/* ---- the interface: changing */

static saker_err_t item_of (view_t *view, const skr_entry_t *entry, skr_item_t *item)
{
    skr_cells_store_t *self = view->owner;
    if (view->sight != SKR_GROUP) {
        return skr_fail (SAKER_EUSAGE, "cells as committed cannot be changed");
    }
    SKR_TRY (skr_pages_check (&self->pages));
    *item = (skr_item_t){
        .index = entry->dot.index,
        .seq = entry->dot.seq,
        .hlc = entry->hlc,
        .address = entry->address,
        .value = entry->value,
    };
    return skr_writer_cache_no (&self->writers, self->store, SKR_GROUP, &entry->dot.writer,
                                &item->writer);
}

/* Makes the page of this item the one that is changed. */
static saker_err_t open_page (view_t *view, skr_span_t document, const skr_item_t *item)
{
    skr_cells_store_t *self = view->owner;
    const skr_page_of_t of = {view->collection_no, view->live, document};
    skr_item_key (&self->sort_key, item);
    return self->sort_key.failed
               ? skr_pages_no_memory ()
               : skr_pages_get (&self->pages, &of, skr_span_of (&self->sort_key), &self->page);
}

static saker_err_t put_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    skr_item_t item;
    SKR_TRY (item_of (view, entry, &item));
    SKR_TRY (open_page (view, document, &item));
    size_t at = skr_page_place (self->page, &item);
    if (skr_page_has (self->page, at, &item)) {
        return skr_fail (SAKER_EDAMAGED, "an entry that is to be added is there already");
    }
    SKR_TRY (skr_page_insert (&self->pages, self->page, at, &item));
    SKR_TRY (note_put (view, document, entry, at));
    return skr_page_trim (&self->pages, self->page);
}

static saker_err_t remove_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    skr_item_t item;
    SKR_TRY (item_of (view, entry, &item));
    SKR_TRY (open_page (view, document, &item));
    size_t at = skr_page_place (self->page, &item);
    if (!skr_page_has (self->page, at, &item)) {
        return skr_fail (SAKER_EDAMAGED, "an entry that is to be removed is not there");
    }
    SKR_TRY (skr_page_remove (&self->pages, self->page, at));
    return note_remove (view, document, entry);
}

/* Is it where a walk visited it last? Who replaces an entry has mostly looked for it. A dot is
   given once, so it tells which entry this is. */
static bool is_met (const view_t *view, const skr_item_t *item)
{
    const skr_page_t *page = view->owner->pages.recent;
    if (!page || page->collection_no != view->collection_no || view->owner->met >= page->count) {
        return false;
    }
    const skr_slot_t *slot = &page->slots[view->owner->met];
    return slot->writer == item->writer && slot->seq == item->seq && slot->index == item->index;
}

/* The place of an entry that is to be replaced, in the page that is changed from now on; *there: it
   is the one there. */
static saker_err_t find_place (view_t *view, skr_span_t document, const skr_item_t *item,
                               size_t *at, bool *there)
{
    skr_cells_store_t *self = view->owner;
    *there = is_met (view, item);
    if (*there) {
        self->page = self->pages.recent;
        self->page->live = view->live;
        *at = self->met;
        return SAKER_OK;
    }
    SKR_TRY (open_page (view, document, item));
    *at = skr_page_place (self->page, item);
    *there = skr_page_has (self->page, *at, item);
    return SAKER_OK;
}

static bool is_same_writers (const skr_page_t *page, size_t one, size_t other)
{
    return page->slots[one].writer == page->slots[other].writer
           && skr_page_same_place (page, one, other);
}

/* Does another of its address and writer come between the same? */
static bool can_renew (const skr_page_t *page, size_t at)
{
    return skr_page_is_whole (page) && (at == 0 || !is_same_writers (page, at, at - 1))
           && (at + 1 == page->count || !is_same_writers (page, at, at + 1));
}

static saker_err_t replace_entry (void *context, skr_span_t document, const skr_entry_t *old,
                                  const skr_entry_t *entry)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    skr_item_t item, fresh;
    size_t at;
    bool there;
    SKR_TRY (item_of (view, old, &item));
    SKR_TRY (find_place (view, document, &item, &at, &there));
    fresh = item;
    fresh.seq = entry->dot.seq;
    fresh.index = entry->dot.index;
    fresh.hlc = entry->hlc;
    fresh.value = entry->value;
    if (!there || !can_renew (self->page, at)) {
        SKR_TRY (remove_entry (context, document, old));
        return put_entry (context, document, entry);
    }
    SKR_TRY (skr_page_renew (&self->pages, self->page, at, &fresh));
    return skr_page_trim (&self->pages, self->page);
}

/* ---- the interface: scanning */

/* A walk over the entries with one address prefix. */
typedef struct walk_t {
    view_t *view;
    skr_page_of_t of;
    skr_span_t prefix;
    skr_visit_fn *visit;
    void *argument;
    const skr_dot_t *bounds; /* what is not within them is not visited; NULL: all is */
    size_t bounds_count;
    uint32_t numbers[BOUNDS_MAX]; /* of their writers */
    skr_bucket_reader_t reader;
    bool done; /* an entry above the prefix was met */
} walk_t;

static saker_err_t entry_of (skr_cells_store_t *self, skr_sight_t sight, const skr_item_t *item,
                             skr_entry_t *entry)
{
    entry->dot.seq = item->seq;
    entry->dot.index = item->index;
    entry->hlc = item->hlc;
    entry->address = item->address;
    entry->value = item->value;
    return skr_writer_cache_id (&self->writers, self->store, sight, item->writer,
                                &entry->dot.writer);
}

static bool is_within (const walk_t *walk, uint32_t writer, uint64_t seq, uint32_t index)
{
    for (size_t i = 0; i < walk->bounds_count; i++) {
        const skr_dot_t *bound = &walk->bounds[i];
        if (walk->numbers[i] == writer) {
            return seq < bound->seq || (seq == bound->seq && index <= bound->index);
        }
    }
    return !walk->bounds;
}

static bool reaches (walk_t *walk, skr_span_t address)
{
    bool reached = skr_span_starts (address, walk->prefix);
    walk->done = !reached && skr_span_compare (address, walk->prefix) > 0;
    return reached;
}

static saker_err_t visit_item (walk_t *walk, const skr_item_t *item)
{
    skr_entry_t entry;
    SKR_TRY (entry_of (walk->view->owner, walk->view->sight, item, &entry));
    return walk->visit (&entry, walk->argument);
}

static saker_err_t walk_bucket (walk_t *walk, skr_span_t bucket)
{
    const skr_item_t *item = &walk->reader.item;
    skr_bucket_open (&walk->reader, bucket);
    while (!walk->done && skr_bucket_next (&walk->reader)) {
        if (reaches (walk, item->address)
            && is_within (walk, item->writer, item->seq, item->index)) {
            SKR_TRY (visit_item (walk, item));
        }
    }
    return walk->reader.error;
}

static saker_err_t walk_page (walk_t *walk, const skr_page_t *page)
{
    skr_item_t first = {.address = walk->prefix};
    uint32_t reached = UINT32_MAX; /* the address that was compared last */
    for (size_t at = skr_page_place (page, &first); at < page->count; at++) {
        const skr_slot_t *slot = &page->slots[at];
        if (slot->address != reached && !reaches (walk, skr_page_address (page, at))) {
            break; /* from the first place on, all that begin with the prefix follow each other */
        }
        reached = slot->address;
        if (is_within (walk, slot->writer, slot->seq, slot->index)) {
            const skr_item_t item = skr_page_item (page, at);
            walk->view->owner->met = at;
            SKR_TRY (visit_item (walk, &item));
        }
    }
    return SAKER_OK;
}

/* What a group has of a bucket stands for the record. */
static saker_err_t walk_record (skr_span_t key, skr_span_t bucket, void *argument)
{
    walk_t *walk = argument;
    const skr_page_t *page = NULL;
    if (walk->view->sight == SKR_GROUP) {
        page = skr_pages_find (
            &walk->view->owner->pages, &walk->of,
            skr_span (key.data + SKR_CELLS_PREFIX_BYTES, key.size - SKR_CELLS_PREFIX_BYTES));
    }
    SKR_TRY (page ? walk_page (walk, page) : walk_bucket (walk, bucket));
    return walk->done ? SKR_STOP : SAKER_OK;
}

/* A first page that is not in the store yet. */
static saker_err_t walk_new (walk_t *walk)
{
    const skr_page_t *first = NULL;
    if (walk->view->sight == SKR_GROUP) {
        first = skr_pages_find (&walk->view->owner->pages, &walk->of, skr_span (NULL, 0));
    }
    return first && !first->stored ? walk_page (walk, first) : SAKER_OK;
}

static saker_err_t walk_store (walk_t *walk)
{
    skr_cells_store_t *self = walk->view->owner;
    skr_cells_where_t where = {.sight = walk->view->sight};
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    uint64_t no;
    SKR_TRY (walk_new (walk));
    saker_err_t error = skr_store_document_no (self->store, where.sight, walk->of.collection_no,
                                               walk->of.document, &no);
    if (error) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    skr_cells_prefix (where.prefix, walk->view->collection_no, no);
    skr_span_t from = skr_span (where.prefix, SKR_CELLS_PREFIX_BYTES), found, bucket;
    if (walk->prefix.size > 0) {
        error = skr_cells_locate (&self->pages, &where, walk->prefix, &found, &bucket);
        if (!error) {
            from = skr_cells_key (bytes, where.prefix, found);
        } else if (error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_store_scan (self->store, where.sight, SKR_CELLS,
                           skr_span (where.prefix, SKR_CELLS_PREFIX_BYTES), from, walk_record,
                           walk);
}

/* *page: where all that is looked for lies, or NULL: it is not one page. No page is let go while a
   walk goes on. */
static saker_err_t find_page (view_t *view, const skr_page_of_t *of, skr_span_t prefix,
                              skr_page_t **page)
{
    skr_cells_store_t *self = view->owner;
    SKR_TRY (skr_pages_check (&self->pages));
    if (self->walks == 0 || !skr_pages_full (&self->pages)) {
        SKR_TRY (skr_pages_get (&self->pages, of, prefix, page));
        *page = skr_page_covers (*page, prefix) ? *page : NULL;
    }
    return SAKER_OK;
}

static saker_err_t go (walk_t *walk)
{
    view_t *view = walk->view;
    skr_page_t *page = NULL;
    if (view->sight == SKR_GROUP) {
        SKR_TRY (find_page (view, &walk->of, walk->prefix, &page));
    }
    view->owner->walks++;
    saker_err_t error = page ? walk_page (walk, page) : walk_store (walk);
    view->owner->walks--;
    skr_bucket_free (&walk->reader);
    return error;
}

static walk_t walk_of (view_t *view, skr_span_t document, skr_span_t prefix, skr_visit_fn *visit,
                       void *argument)
{
    return (walk_t){.view = view,
                    .of = {view->collection_no, view->live, document},
                    .prefix = prefix,
                    .visit = visit,
                    .argument = argument};
}

static saker_err_t scan_entries (void *context, skr_span_t document, skr_span_t prefix,
                                 skr_visit_fn *visit, void *argument)
{
    walk_t walk = walk_of (context, document, prefix, visit, argument);
    return go (&walk);
}

static saker_err_t scan_within (void *context, skr_span_t document, skr_span_t prefix,
                                const skr_dot_t *bounds, size_t bounds_count, skr_visit_fn *visit,
                                void *argument)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    walk_t walk = walk_of (view, document, prefix, visit, argument);
    for (size_t i = 0; i < bounds_count && bounds_count <= BOUNDS_MAX; i++) {
        SKR_TRY (skr_writer_cache_find (&self->writers, self->store, view->sight, &bounds[i].writer,
                                        &walk.numbers[i]));
        walk.bounds = bounds;
        walk.bounds_count = bounds_count;
    }
    return go (&walk);
}

/* ---- life */

static void init_view (view_t *view, skr_cells_store_t *self, skr_sight_t sight)
{
    view->owner = self;
    view->sight = sight;
    view->cells = (skr_cells_t){
        .context = view,
        .scan = scan_entries,
        .scan_within = scan_within,
        .put = put_entry,
        .remove = remove_entry,
        .replace = replace_entry,
    };
}

saker_err_t skr_cells_store_new (skr_cells_store_t **self_p, skr_store_t *store)
{
    skr_cells_store_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self) {
        return skr_pages_no_memory ();
    }
    self->store = self->pages.store = store;
    self->pages.writers = &self->writers;
    init_view (&self->committed, self, SKR_COMMITTED);
    init_view (&self->group, self, SKR_GROUP);
    return SAKER_OK;
}

void skr_cells_store_destroy (skr_cells_store_t **self_p)
{
    skr_cells_store_t *self = *self_p;
    if (!self) {
        return;
    }
    skr_pages_free (&self->pages);
    skr_buf_free (&self->sort_key);
    skr_writer_cache_clear (&self->writers);
    free (self);
    *self_p = NULL;
}

const skr_cells_t *skr_cells_store_committed (skr_cells_store_t *self, uint32_t collection_no)
{
    self->committed.collection_no = collection_no;
    return &self->committed.cells;
}

const skr_cells_t *skr_cells_store_group (skr_cells_store_t *self, skr_collection_t *live)
{
    view_t *view = &self->group;
    if (view->collection_no != live->no || view->live != live) {
        /* What is kept with the cells belongs to the caller, who may move it from now on. */
        saker_err_t error = skr_pages_write (&self->pages);
        (void) error; /* the next put, scan or flush tells */
    }
    view->collection_no = live->no;
    view->live = live;
    return &view->cells;
}

saker_err_t skr_cells_store_flush (skr_cells_store_t *self)
{
    return skr_pages_write (&self->pages);
}

void skr_cells_store_drop (skr_cells_store_t *self)
{
    skr_pages_drop (&self->pages);
    /* Numbers that were given in the group are given again. */
    skr_writer_cache_clear (&self->writers);
}

/* ---- whole collections */

typedef struct listing_t {
    skr_document_fn *visit;
    void *argument;
} listing_t;

static saker_err_t list_document (skr_span_t key, skr_span_t no, void *argument)
{
    listing_t *listing = argument;
    (void) no;
    return listing->visit (skr_span (key.data + 4, key.size - 4), listing->argument);
}

saker_err_t skr_cells_store_documents (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, skr_span_t from,
                                       skr_document_fn *visit, void *argument)
{
    uint8_t key[4 + SKR_DOCUMENT_BYTES_MAX];
    listing_t listing = {visit, argument};
    if (from.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a document id of %zu bytes: at most %d", from.size,
                         SKR_DOCUMENT_BYTES_MAX);
    }
    if (sight == SKR_GROUP) {
        SKR_TRY (skr_cells_store_flush (self));
    }
    skr_put_u32 (key, collection_no);
    if (from.size > 0) {
        memcpy (key + 4, from.data, from.size);
    }
    return skr_store_scan (self->store, sight, SKR_DOCUMENTS, skr_span (key, 4),
                           skr_span (key, 4 + from.size), list_document, &listing);
}

typedef struct all_t {
    skr_cells_store_t *owner;
    skr_sight_t sight;
    uint32_t collection_no;
    uint64_t document_no;
    skr_span_t document;
    skr_cell_fn *visit;
    void *argument;
    skr_bucket_reader_t reader;
} all_t;

static saker_err_t visit_bucket (skr_span_t key, skr_span_t bucket, void *argument)
{
    all_t *all = argument;
    uint64_t no = skr_get_u64 (key.data + 4);
    if (no != all->document_no) {
        SKR_TRY (skr_store_document_id (all->owner->store, all->sight, all->collection_no, no,
                                        &all->document));
        all->document_no = no;
    }
    skr_bucket_open (&all->reader, bucket);
    while (skr_bucket_next (&all->reader)) {
        skr_entry_t entry;
        SKR_TRY (entry_of (all->owner, all->sight, &all->reader.item, &entry));
        SKR_TRY (all->visit (all->document, &entry, all->argument));
    }
    return all->reader.error;
}

saker_err_t skr_cells_store_all (skr_cells_store_t *self, skr_sight_t sight, uint32_t collection_no,
                                 skr_cell_fn *visit, void *argument)
{
    uint8_t prefix[4];
    all_t all = {
        .owner = self,
        .sight = sight,
        .collection_no = collection_no,
        .visit = visit,
        .argument = argument,
    };
    if (sight == SKR_GROUP) {
        SKR_TRY (skr_cells_store_flush (self));
    }
    skr_put_u32 (prefix, collection_no);
    saker_err_t error = skr_store_scan (self->store, sight, SKR_CELLS, skr_span (prefix, 4),
                                        skr_span (NULL, 0), visit_bucket, &all);
    skr_bucket_free (&all.reader);
    return error;
}
