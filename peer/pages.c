#include "peer/pages_internal.h"

#include "peer/page_tally.h"

#include <stdlib.h>
#include <string.h>

/* A page that has grown so far is written, as several buckets. */
#define PAGE_BYTES_MAX (4 * SKR_BUCKET_BYTES_MAX)
#define PAGE_ITEMS_MAX 4096
#define ITEMS_MAX 262144 /* of all pages, about */
#define GARBAGE_BYTES_MAX (1u << 20)
/* What is kept after a group: bytes of all pages, bytes of one, and empty ones. */
#define KEPT_BYTES_MAX (12u << 20)
#define KEPT_PAGE_BYTES_MAX 32768
#define SPARE_PAGES_MAX 64

saker_err_t skr_pages_no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for cells");
}

/* ---- lists of pages */

static size_t index_of (uint32_t hash)
{
    return hash % SKR_PAGES_INDEX;
}

static void add_due (skr_pages_t *self, skr_page_t *page)
{
    if (!page->due) {
        page->due = true;
        page->due_place = self->due_count;
        self->due[self->due_count++] = page;
    }
}

static void remove_due (skr_pages_t *self, skr_page_t *page)
{
    if (page->due) {
        skr_page_t *last = self->due[--self->due_count];
        page->due = false;
        last->due_place = page->due_place;
        self->due[page->due_place] = last;
    }
}

static void count_bytes (skr_pages_t *self, skr_page_t *page)
{
    self->bytes -= page->bytes;
    page->bytes = sizeof *page + page->arena.capacity + page->conflicts.capacity
                  + page->capacity * sizeof *page->slots;
    self->bytes += page->bytes;
}

static void add_page (skr_pages_t *self, skr_page_t *page)
{
    page->active = true;
    page->place = self->count++;
    page->next = self->index[index_of (page->hash)];
    self->index[index_of (page->hash)] = page;
    self->items += page->count;
    count_bytes (self, page);
    if (!skr_page_is_whole (page)) {
        add_due (self, page);
    }
}

/* Empties it and keeps it for another. */
void skr_pages_let_go (skr_pages_t *self, skr_page_t *page)
{
    skr_page_t **at = &self->index[index_of (page->hash)];
    skr_page_t *last = self->pages[--self->count];
    while (*at != page) {
        at = &(*at)->next;
    }
    *at = page->next;
    last->place = page->place;
    self->pages[page->place] = last;
    self->pages[self->count] = page;
    self->items -= page->count;
    self->bytes -= page->bytes;
    self->recent = NULL;
    remove_due (self, page);
    skr_page_clear (page);
}

saker_err_t skr_pages_check (const skr_pages_t *self)
{
    return self->failed ? skr_fail (self->failed, "cells: a write of this group has failed")
                        : SAKER_OK;
}

/* Afterwards it is a page still, unless it became several buckets. */
static saker_err_t write_page (skr_pages_t *self, skr_page_t *page)
{
    SKR_TRY (skr_pages_check (self));
    if (!page->dirty) {
        return SAKER_OK;
    }
    page->dirty = false;
    self->current = page;
    self->failed = skr_tally_page (self, page);
    self->failed = self->failed ? self->failed : skr_page_write_dirty (self);
    return self->failed;
}

/* Those of new documents as they came, and these get their numbers then. */
static int compare_pages (const void *one, const void *other)
{
    const skr_page_t *a = *(skr_page_t *const *) one, *b = *(skr_page_t *const *) other;
    if ((a->document_no == 0) != (b->document_no == 0)) {
        return a->document_no == 0 ? 1 : -1;
    }
    if (a->document_no != b->document_no) {
        return a->document_no < b->document_no ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static void free_page (skr_page_t *page)
{
    skr_buf_free (&page->document);
    skr_buf_free (&page->key);
    skr_buf_free (&page->upper);
    skr_buf_free (&page->arena);
    skr_buf_free (&page->conflicts);
    free (page->slots);
    free (page);
}

static void free_spare (skr_pages_t *self)
{
    while (self->allocated > self->count + SPARE_PAGES_MAX) {
        free_page (self->pages[--self->allocated]);
    }
}

static void let_all_go (skr_pages_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        self->index[index_of (self->pages[i]->hash)] = NULL;
        skr_page_clear (self->pages[i]);
    }
    self->count = self->due_count = 0;
    self->items = self->bytes = 0;
    self->recent = NULL;
    self->last_known = false;
    free_spare (self);
}

static void sort_due (skr_pages_t *self)
{
    bool sorted = true;
    for (size_t i = 1; i < self->due_count && sorted; i++) {
        sorted = compare_pages (&self->due[i - 1], &self->due[i]) <= 0;
    }
    if (!sorted) {
        qsort (self->due, self->due_count, sizeof (skr_page_t *), compare_pages);
    }
}

static saker_err_t write_due (skr_pages_t *self, size_t count)
{
    saker_err_t error = skr_pages_check (self);
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = self->due[i]->count > 0 ? write_page (self, self->due[i]) : SAKER_OK;
    }
    /* A document goes with the last bucket that goes: not before others are written. */
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = write_page (self, self->due[i]);
    }
    return error;
}

/* What was just made, by an import, is not soon written again. */
static bool is_kept (const skr_page_t *page)
{
    return skr_page_is_whole (page) && page->count > 0 && !page->made
           && page->bytes <= KEPT_PAGE_BYTES_MAX;
}

saker_err_t skr_pages_write (skr_pages_t *self)
{
    size_t count = self->due_count;
    sort_due (self);
    self->due_count = 0; /* they stay in the list meanwhile, out of let_go's way */
    for (size_t i = 0; i < count; i++) {
        self->due[i]->due = false;
    }
    saker_err_t error = write_due (self, count);
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        skr_page_t *page = self->due[i];
        if (page->active) {
            count_bytes (self, page);
        }
        if (page->active && !is_kept (page)) {
            skr_pages_let_go (self, page);
        }
    }
    self->last_known = false;
    if (error != SAKER_OK || self->bytes > KEPT_BYTES_MAX) {
        let_all_go (self);
    }
    free_spare (self);
    return error;
}

void skr_pages_drop (skr_pages_t *self)
{
    let_all_go (self);
    self->failed = SAKER_OK;
}

void skr_pages_free (skr_pages_t *self)
{
    while (self->allocated) {
        free_page (self->pages[--self->allocated]);
    }
    free (self->pages);
    free (self->due);
    skr_buf_free (&self->bucket.bytes);
    skr_bucket_free (&self->reader);
    skr_buf_free (&self->sort_key);
    skr_buf_free (&self->other_key);
    skr_buf_free (&self->paths);
    skr_buf_free (&self->places);
}

/* ---- the pages of a document */

static uint32_t hash_of (const skr_page_of_t *of)
{
    uint64_t hash = 0xcbf29ce484222325u ^ of->collection_no; /* FNV-1a */
    for (size_t i = 0; i < of->document.size; i++) {
        hash = (hash ^ of->document.data[i]) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccdu;
    return (uint32_t) (hash >> 32);
}

/* The hash tells nearly all others apart, without a look at their names. */
static bool is_of (const skr_page_t *page, const skr_page_of_t *of, uint32_t hash)
{
    return page->hash == hash && page->collection_no == of->collection_no
           && skr_span_equal (skr_span_of (&page->document), of->document);
}

/* The page of a sort key, or NULL. *any: some page of the document, or NULL. */
static skr_page_t *find (const skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                         skr_page_t **any)
{
    uint32_t hash = hash_of (of);
    *any = NULL;
    if (self->recent && is_of (self->recent, of, hash) && skr_page_is_whole (self->recent)) {
        return self->recent;
    }
    for (skr_page_t *page = self->index[index_of (hash)]; page; page = page->next) {
        if (is_of (page, of, hash)) {
            if (skr_page_is_whole (page) || skr_page_holds (page, sort)) {
                return page;
            }
            *any = page;
        }
    }
    return NULL;
}

skr_page_t *skr_pages_find (const skr_pages_t *self, const skr_page_of_t *of, skr_span_t key)
{
    uint32_t hash = hash_of (of);
    for (skr_page_t *page = self->index[index_of (hash)]; page; page = page->next) {
        if (is_of (page, of, hash) && skr_span_equal (skr_page_key (page), key)) {
            return page;
        }
    }
    return NULL;
}

/* ---- loading */

/* The first bucket of a document and the key of the second, while a scan lends them. */
typedef struct loading_t {
    skr_page_t *page;
    skr_span_t first;
    bool found; /* the first one */
} loading_t;

static saker_err_t load_record (skr_span_t key, skr_span_t bucket, void *argument)
{
    loading_t *loading = argument;
    skr_span_t sort =
        skr_span (key.data + SKR_CELLS_PREFIX_BYTES, key.size - SKR_CELLS_PREFIX_BYTES);
    if (!loading->found && sort.size == 0) {
        loading->found = true;
        loading->first = bucket;
        return SAKER_OK;
    }
    loading->page->bounded = true;
    skr_buf_append_span (&loading->page->upper, sort);
    return loading->page->upper.failed ? skr_pages_no_memory () : SKR_STOP;
}

/* Most documents are one bucket. *done: the sort key belongs to the first. */
static saker_err_t load_first (skr_pages_t *self, skr_page_t *page, skr_span_t sort, bool *done)
{
    loading_t loading = {.page = page};
    uint8_t prefix[SKR_CELLS_PREFIX_BYTES];
    skr_cells_prefix (prefix, page->collection_no, page->document_no);
    SKR_TRY (skr_store_scan (self->store, SKR_GROUP, SKR_CELLS, skr_span (prefix, sizeof prefix),
                             skr_span (NULL, 0), load_record, &loading));
    *done = loading.found && (skr_page_is_whole (page) || skr_page_holds (page, sort));
    if (*done) {
        page->stored = true;
        return skr_page_decode (self, page, loading.first);
    }
    page->bounded = false;
    skr_buf_clear (&page->upper);
    return SAKER_OK;
}

/* *there: the page that has it already. */
static saker_err_t load_other (skr_pages_t *self, const skr_page_of_t *of, skr_page_t *page,
                               skr_span_t sort, skr_page_t **there)
{
    skr_cells_where_t where = {.sight = SKR_GROUP};
    skr_span_t found = skr_span (NULL, 0), bucket;
    skr_cells_prefix (where.prefix, page->collection_no, page->document_no);
    saker_err_t error = skr_cells_locate (self, &where, sort, &found, &bucket);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    *there = skr_pages_find (self, of, error ? skr_span (NULL, 0) : found);
    if (*there) {
        return SAKER_OK;
    }
    if (error == SAKER_OK) {
        page->stored = true;
        skr_buf_append_span (&page->key, found);
        SKR_TRY (skr_page_decode (self, page, bucket));
    }
    SKR_TRY (skr_bucket_after (self, &where, skr_page_key (page), &page->upper));
    page->bounded = page->upper.size > 0;
    return page->key.failed ? skr_pages_no_memory () : SAKER_OK;
}

/* ---- one more page */

static bool grow_list (skr_page_t ***list, size_t capacity)
{
    skr_page_t **grown = realloc (*list, capacity * sizeof (skr_page_t *));
    *list = grown ? grown : *list;
    return grown != NULL;
}

/* NULL: out of memory. */
static skr_page_t *new_page (skr_pages_t *self)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : SPARE_PAGES_MAX;
        if (!grow_list (&self->pages, capacity) || !grow_list (&self->due, capacity)) {
            return NULL;
        }
        self->capacity = capacity;
    }
    if (self->count == self->allocated) {
        skr_page_t *page = calloc (1, sizeof *page);
        self->pages[self->count] = page;
        self->allocated += page != NULL;
    }
    return self->pages[self->count];
}

static saker_err_t number_page (const skr_pages_t *self, const skr_page_of_t *of,
                                const skr_page_t *any, skr_page_t *page)
{
    page->document_no = any ? any->document_no : 0;
    if (any) {
        return SAKER_OK;
    }
    saker_err_t error = skr_store_document_no (self->store, SKR_GROUP, of->collection_no,
                                               of->document, &page->document_no);
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t fill_page (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                              const skr_page_t *any, skr_page_t **page)
{
    skr_page_t *there = NULL;
    bool done = false;
    SKR_TRY (number_page (self, of, any, *page));
    if ((*page)->document_no == 0) {
        (*page)->indexed = true; /* as having none */
        return SAKER_OK;
    }
    if (!any) {
        SKR_TRY (load_first (self, *page, sort, &done));
    }
    if (!done) {
        SKR_TRY (load_other (self, of, *page, sort, &there));
    }
    *page = there ? there : *page;
    return SAKER_OK;
}

static saker_err_t open_page (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                              const skr_page_t *any, skr_page_t **page_p)
{
    skr_page_t *page = new_page (self), *filled = page;
    if (!page) {
        return skr_pages_no_memory ();
    }
    skr_page_clear (page);
    page->collection_no = of->collection_no;
    page->live = of->live;
    page->order = self->order++;
    page->hash = hash_of (of);
    skr_buf_clear (&page->key);
    skr_buf_clear (&page->upper);
    skr_buf_clear (&page->document);
    skr_buf_append_span (&page->document, of->document);
    SKR_TRY (page->document.failed ? skr_pages_no_memory ()
                                   : fill_page (self, of, sort, any, &filled));
    if (filled == page) {
        add_page (self, page);
    }
    filled->live = of->live;
    *page_p = filled;
    return SAKER_OK;
}

bool skr_pages_full (const skr_pages_t *self)
{
    return self->count == SKR_PAGES_MAX || self->items > ITEMS_MAX;
}

saker_err_t skr_pages_get (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                           skr_page_t **page)
{
    skr_page_t *any;
    *page = find (self, of, sort, &any);
    if (*page) {
        (*page)->live = of->live;
        self->recent = *page;
        return SAKER_OK;
    }
    if (skr_pages_full (self)) {
        SKR_TRY (skr_pages_write (self));
        let_all_go (self);
        any = NULL;
    }
    SKR_TRY (open_page (self, of, sort, any, page));
    self->recent = *page;
    return SAKER_OK;
}

/* ---- changing a page */

static void touch (skr_pages_t *self, skr_page_t *page)
{
    page->dirty = true;
    add_due (self, page);
}

saker_err_t skr_page_insert (skr_pages_t *self, skr_page_t *page, size_t at, const skr_item_t *item)
{
    SKR_TRY (skr_page_put_in (page, at, item, false));
    self->items++;
    page->appended = at + 1 == page->count;
    touch (self, page);
    return SAKER_OK;
}

saker_err_t skr_page_remove (skr_pages_t *self, skr_page_t *page, size_t at)
{
    SKR_TRY (skr_tally_remove (self, page, at));
    skr_page_take_out (page, at);
    self->items--;
    page->removed = true;
    touch (self, page);
    return SAKER_OK;
}

saker_err_t skr_page_renew (skr_pages_t *self, skr_page_t *page, size_t at, const skr_item_t *item)
{
    SKR_TRY (skr_tally_remove (self, page, at));
    SKR_TRY (skr_page_set (page, at, item));
    touch (self, page);
    return SAKER_OK;
}

saker_err_t skr_page_trim (skr_pages_t *self, skr_page_t *page)
{
    bool large = (page->live_bytes > PAGE_BYTES_MAX && page->count > 1)
                 || page->count > PAGE_ITEMS_MAX
                 || page->arena.size > page->live_bytes + GARBAGE_BYTES_MAX;
    if (!large) {
        return SAKER_OK;
    }
    SKR_TRY (write_page (self, page));
    if (page->active) {
        skr_pages_let_go (self, page);
    }
    return SAKER_OK;
}
