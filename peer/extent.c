/* LMDB's format, data version 1, on machines of 64 bits; numbers are in the machine's order.

     page   number u64 | pad u16 | flags u16 | lower u16 | upper u16 | at node[(lower - 16) / 2] u16
     node   low u16 | high u16 | flags u16 | size of key u16 | key | data
            in a branch, low, high and flags are the number of the page below;
            in a leaf, low and high are the size of the data, or with BIG of what lies, without
            nodes, after the head of the page whose number the data is
     meta   page 0 or 1: head 16 | magic u32 | version u32 | address u64 | size u64
            | table of free pages 48, its last u64 the root | main table 48 | last page u64
            | transaction u64
     free   in the data of that table: count u64 | numbers u64 */

#include "peer/extent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES 16
#define NODE_BYTES 8
#define BRANCH 0x01
#define LEAF 0x02
#define BIG 0x01
#define DEPTH_MAX 32 /* of LMDB: CURSOR_STACK */
#define META_ROOT 80
#define META_TRANSACTION 144
#define META_BYTES 152
#define NOTHING UINT64_MAX /* the root of an empty table */

typedef struct extent_t {
    int descriptor;
    size_t page_bytes;
    uint64_t first, end; /* the pages that are missing at the end */
    uint64_t free;       /* of these, as listed */
    uint64_t pages_left; /* to read: a damaged file may lead in circles */
    int depth;
} extent_t;

static uint16_t get_u16 (const uint8_t *at)
{
    uint16_t value;
    memcpy (&value, at, sizeof value);
    return value;
}

static uint64_t get_u64 (const uint8_t *at)
{
    uint64_t value;
    memcpy (&value, at, sizeof value);
    return value;
}

static bool read_at (const extent_t *self, uint64_t page, size_t offset, uint8_t *bytes,
                     size_t size)
{
    if (page >= self->first) {
        return false;
    }
    off_t at = (off_t) (page * self->page_bytes + offset);
    return pread (self->descriptor, bytes, size, at) == (ssize_t) size;
}

static void count_free (extent_t *self, const uint8_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = get_u64 (numbers + i * 8);
        self->free += number >= self->first && number < self->end;
    }
}

/* A list: its count, then the numbers. */
static bool take_list (extent_t *self, const uint8_t *list, size_t size)
{
    uint64_t count = size >= 8 ? get_u64 (list) : UINT64_MAX;
    if (count > size / 8 - (size >= 8)) {
        return false;
    }
    count_free (self, list + 8, (size_t) count);
    return true;
}

static bool take_big_list (extent_t *self, uint64_t page, size_t size)
{
    if (size > (size_t) 1 << 32) {
        return false;
    }
    uint8_t *list = malloc (size);
    bool good =
        list && read_at (self, page, HEAD_BYTES, list, size) && take_list (self, list, size);
    free (list);
    return good;
}

static bool take_page (extent_t *self, uint64_t number);

static bool take_node (extent_t *self, const uint8_t *page, size_t at, bool leaf)
{
    if (at < HEAD_BYTES || at + NODE_BYTES > self->page_bytes) {
        return false;
    }
    const uint8_t *node = page + at;
    uint64_t low = get_u16 (node) | (uint64_t) get_u16 (node + 2) << 16;
    uint16_t flags = get_u16 (node + 4);
    if (!leaf) {
        return take_page (self, low | (uint64_t) flags << 32);
    }
    size_t data = at + NODE_BYTES + get_u16 (node + 6);
    size_t size = flags & BIG ? 8 : (size_t) low;
    if (data > self->page_bytes || size > self->page_bytes - data) {
        return false;
    }
    return flags & BIG ? take_big_list (self, get_u64 (page + data), (size_t) low)
                       : take_list (self, page + data, size);
}

static bool take_nodes (extent_t *self, const uint8_t *page)
{
    uint16_t flags = get_u16 (page + 10), lower = get_u16 (page + 12);
    bool leaf = flags & LEAF;
    if ((!leaf && !(flags & BRANCH)) || lower < HEAD_BYTES || lower > self->page_bytes) {
        return false;
    }
    for (size_t at = HEAD_BYTES; at + 1 < lower; at += 2) {
        if (!take_node (self, page, get_u16 (page + at), leaf)) {
            return false;
        }
    }
    return true;
}

static bool take_page (extent_t *self, uint64_t number)
{
    if (!self->pages_left || self->depth == DEPTH_MAX) {
        return false;
    }
    self->pages_left--;
    self->depth++;
    uint8_t *page = malloc (self->page_bytes);
    bool good =
        page && read_at (self, number, 0, page, self->page_bytes) && take_nodes (self, page);
    free (page);
    self->depth--;
    return good;
}

/* The root of the table of free pages, in the later of the two headers. */
static bool find_root (const extent_t *self, uint64_t *root)
{
    uint8_t metas[2][META_BYTES];
    if (!read_at (self, 0, 0, metas[0], META_BYTES)
        || !read_at (self, 1, 0, metas[1], META_BYTES)) {
        return false;
    }
    bool second = get_u64 (metas[1] + META_TRANSACTION) > get_u64 (metas[0] + META_TRANSACTION);
    *root = get_u64 (metas[second] + META_ROOT);
    return true;
}

bool skr_extent_holds (int descriptor, size_t page_bytes, size_t file_bytes, size_t used_bytes)
{
    extent_t self = {.descriptor = descriptor,
                     .page_bytes = page_bytes,
                     .first = file_bytes / page_bytes,
                     .end = used_bytes / page_bytes,
                     .pages_left = file_bytes / page_bytes};
    uint64_t root;
    if (file_bytes >= used_bytes) {
        return true;
    }
    return sizeof (size_t) == 8 && find_root (&self, &root) && root != NOTHING
           && take_page (&self, root) && self.free == self.end - self.first;
}
