#include "peer/pages_internal.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof (skr_slot_t) == 64, "a line of the cache");

skr_span_t skr_page_address (const skr_page_t *page, size_t at)
{
    const skr_slot_t *slot = &page->slots[at];
    return skr_span (page->arena.data + slot->address, slot->address_size);
}

skr_item_t skr_page_item (const skr_page_t *page, size_t at)
{
    const skr_slot_t *slot = &page->slots[at];
    return (skr_item_t){
        .writer = slot->writer,
        .index = slot->index,
        .seq = slot->seq,
        .hlc = slot->hlc,
        .address = skr_span (page->arena.data + slot->address, slot->address_size),
        .value = skr_span (page->arena.data + slot->value, slot->value_size),
    };
}

/* What a search found of one address holds for all that share its bytes. */
typedef struct searched_t {
    uint32_t address;
    int order;
} searched_t;

static int compare_at (const skr_page_t *page, size_t at, const skr_item_t *item,
                       searched_t *searched)
{
    const skr_item_t found = skr_page_item (page, at);
    if (page->slots[at].address != searched->address) {
        searched->address = page->slots[at].address;
        searched->order = skr_span_compare (found.address, item->address);
    }
    return searched->order ? searched->order : skr_item_compare_dots (&found, item);
}

size_t skr_page_place (const skr_page_t *page, const skr_item_t *item)
{
    searched_t searched = {.address = UINT32_MAX};
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_at (page, middle, item, &searched) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool skr_page_has (const skr_page_t *page, size_t at, const skr_item_t *item)
{
    if (at == page->count) {
        return false;
    }
    skr_item_t found = skr_page_item (page, at);
    return skr_item_compare (&found, item) == 0;
}

bool skr_page_same_place (const skr_page_t *page, size_t one, size_t other)
{
    const skr_slot_t *a = &page->slots[one], *b = &page->slots[other];
    return a->address == b->address
           || skr_span_equal (skr_page_address (page, one), skr_page_address (page, other));
}

static bool has_address (const skr_page_t *page, size_t at, skr_span_t address)
{
    return at < page->count && skr_span_equal (skr_page_address (page, at), address);
}

/* Where the address of an item that comes to `at` lies: with that of a neighbour, mostly. */
static uint32_t put_address (skr_page_t *page, size_t at, skr_span_t address)
{
    if (at > 0 && has_address (page, at - 1, address)) {
        return page->slots[at - 1].address;
    }
    if (has_address (page, at, address)) {
        return page->slots[at].address;
    }
    skr_buf_append_span (&page->arena, address);
    return (uint32_t) (page->arena.size - address.size);
}

saker_err_t skr_page_put_in (skr_page_t *page, size_t at, const skr_item_t *item, bool counted)
{
    if (page->count == page->capacity) {
        size_t capacity = page->capacity ? 2 * page->capacity : 4;
        skr_slot_t *slots = realloc (page->slots, capacity * sizeof *slots);
        if (!slots) {
            return skr_pages_no_memory ();
        }
        page->slots = slots;
        page->capacity = capacity;
    }
    skr_slot_t slot = {.writer = item->writer,
                       .index = item->index,
                       .seq = item->seq,
                       .hlc = item->hlc,
                       .counted = counted};
    slot.address = put_address (page, at, item->address);
    slot.address_size = (uint32_t) item->address.size;
    slot.value = (uint32_t) page->arena.size;
    slot.value_size = (uint32_t) item->value.size;
    skr_buf_append_span (&page->arena, item->value);
    if (page->arena.failed || page->arena.size > UINT32_MAX) {
        return skr_pages_no_memory ();
    }
    memmove (&page->slots[at + 1], &page->slots[at], (page->count - at) * sizeof *page->slots);
    page->slots[at] = slot;
    page->count++;
    page->live_bytes += item->address.size + item->value.size;
    return SAKER_OK;
}

void skr_page_take_out (skr_page_t *page, size_t at)
{
    page->live_bytes -= page->slots[at].address_size + page->slots[at].value_size;
    page->count--;
    memmove (&page->slots[at], &page->slots[at + 1], (page->count - at) * sizeof *page->slots);
}

saker_err_t skr_page_set (skr_page_t *page, size_t at, const skr_item_t *item)
{
    skr_slot_t *slot = &page->slots[at];
    if (item->value.size > slot->value_size) {
        slot->value = (uint32_t) page->arena.size;
        skr_buf_append_span (&page->arena, item->value);
    } else if (item->value.size > 0) {
        memcpy (page->arena.data + slot->value, item->value.data, item->value.size);
    }
    if (page->arena.failed || page->arena.size > UINT32_MAX) {
        return skr_pages_no_memory ();
    }
    page->live_bytes += item->value.size;
    page->live_bytes -= slot->value_size;
    slot->value_size = (uint32_t) item->value.size;
    slot->seq = item->seq;
    slot->index = item->index;
    slot->hlc = item->hlc;
    slot->hashed = slot->counted = false;
    return SAKER_OK;
}

void skr_page_clear (skr_page_t *page)
{
    page->active = false;
    page->stored = false;
    page->dirty = false;
    page->appended = false;
    page->bounded = false;
    page->made = false;
    page->removed = false;
    page->due = false;
    page->indexed = false;
    page->count = 0;
    page->bytes = 0;
    page->live_bytes = 0;
    skr_buf_clear (&page->arena);
    skr_buf_clear (&page->conflicts);
}

skr_span_t skr_page_key (const skr_page_t *page)
{
    return skr_span_of (&page->key);
}

bool skr_page_is_whole (const skr_page_t *page)
{
    return page->key.size == 0 && !page->bounded;
}

bool skr_page_holds (const skr_page_t *page, skr_span_t sort)
{
    skr_span_t lower = skr_page_key (page), upper = skr_span_of (&page->upper);
    if (lower.size > 0
        && (skr_bucket_same_stem (lower, sort) || skr_span_compare (lower, sort) > 0)) {
        return false;
    }
    return !page->bounded
           || (!skr_bucket_same_stem (upper, sort) && skr_span_compare (sort, upper) < 0);
}

bool skr_page_covers (const skr_page_t *page, skr_span_t prefix)
{
    return skr_page_holds (page, prefix)
           && (!page->bounded || !skr_span_starts (skr_span_of (&page->upper), prefix));
}

saker_err_t skr_page_decode (skr_pages_t *self, skr_page_t *page, skr_span_t bucket)
{
    skr_bucket_open (&self->reader, bucket);
    while (skr_bucket_next (&self->reader)) {
        SKR_TRY (skr_page_put_in (page, page->count, &self->reader.item, true));
    }
    return self->reader.error;
}
