#include "peer/cells_store.h"

#include <stdlib.h>
#include <string.h>

/* A bucket's payload is its entries, each as varints and bytes:

     shared   how many bytes of the address are those of the entry before
     rest     size of what follows of the address, and the bytes
     writer   local number        seq, index
     hlc      difference to that of the entry before, zigzag
     value    size, and the bytes

   So five short fields written together cost about 25 bytes each. */

#define BUCKET_BYTES 8192      /* a bucket over this is split ... */
#define PIECE_BYTES 5500       /* ... into pieces of about this */
#define BOUND_BYTES_MAX 480    /* of a sort key that stands in a bucket's key */
#define KEY_BYTES_MAX (12 + BOUND_BYTES_MAX)
#define SORT_TAIL_BYTES 16     /* writer no, seq, index */
#define VARINT_BYTES_MAX 10

/* One entry, decoded. Offsets are into the bucket's arena. */
typedef struct item_t {
    size_t address, address_size;
    size_t value, value_size;
    uint32_t writer_no;
    uint32_t index;
    uint64_t seq;
    uint64_t hlc;
} item_t;

/* The one bucket that is held decoded. */
typedef struct bucket_t {
    bool held;
    bool stored; /* a record is in the store under this key */
    bool dirty;
    uint8_t key[KEY_BYTES_MAX];
    size_t key_size;
    item_t *items;
    size_t count, capacity;
    skr_buf_t arena;
} bucket_t;

/* What is being looked at with one sight. */
typedef struct side_t {
    skr_cells_store_t *owner;
    skr_sight_t sight;
    uint32_t collection_no;
    uint64_t *documents;
    skr_cells_t cells;
    bucket_t bucket;
    uint8_t document[SKR_DOCUMENT_BYTES_MAX]; /* whose number is known */
    size_t document_size;
    bool document_known;
    bool document_missing; /* known, and has no number yet */
    bool document_fresh;   /* made in this group, and no bucket written yet */
    uint64_t document_no;
} side_t;

struct skr_cells_store_t {
    skr_store_t *store;
    side_t sides[2];
    skr_id_t *writers; /* by local number */
    bool *writers_known;
    size_t writers_capacity;
    skr_id_t last_writer;
    uint32_t last_writer_no;
    bool last_writer_known;
    skr_buf_t encoded; /* a bucket on its way into the store */
};

/* ---- local numbers */

/* The number in the last record of a table's prefix, plus one. */
static saker_err_t next_number (skr_store_t *store, skr_table_t table, skr_span_t prefix,
                                size_t number_bytes, uint64_t *number)
{
    uint8_t last[16];
    skr_span_t key;
    skr_span_t value;
    memset (last, 0xff, sizeof last);
    if (prefix.size) {
        memcpy (last, prefix.data, prefix.size);
    }
    saker_err_t error = skr_store_last (store, SKR_GROUP, table, prefix,
                                        skr_span (last, prefix.size + number_bytes), &key, &value);
    if (error == SAKER_ENOTFOUND) {
        *number = 1;
        return SAKER_OK;
    }
    SKR_TRY (error);
    const uint8_t *at = key.data + prefix.size;
    *number = 1 + (number_bytes == 8 ? skr_get_u64 (at) : skr_get_u32 (at));
    return SAKER_OK;
}

saker_err_t skr_store_writer_no (skr_store_t *store, skr_sight_t sight, const skr_id_t *writer,
                                 uint32_t *no)
{
    skr_span_t key = skr_span (writer->bytes, sizeof writer->bytes);
    skr_span_t value;
    uint8_t number[4];
    uint64_t next = 0;
    saker_err_t error = skr_store_get (store, sight, SKR_WRITERS, key, &value);
    if (error == SAKER_OK && value.size == sizeof number) {
        *no = skr_get_u32 (value.data);
        return SAKER_OK;
    }
    if (error != SAKER_ENOTFOUND || sight == SKR_COMMITTED) {
        return error == SAKER_OK ? skr_fail (SAKER_EDAMAGED, "a writer's number") : error;
    }
    SKR_TRY (next_number (store, SKR_WRITER_IDS, skr_span (NULL, 0), 4, &next));
    *no = (uint32_t) next;
    skr_put_u32 (number, *no);
    SKR_TRY (skr_store_put (store, SKR_WRITERS, key, skr_span (number, sizeof number)));
    return skr_store_put (store, SKR_WRITER_IDS, skr_span (number, sizeof number), key);
}

saker_err_t skr_store_writer_id (skr_store_t *store, skr_sight_t sight, uint32_t no,
                                 skr_id_t *writer)
{
    uint8_t number[4];
    skr_span_t value;
    skr_put_u32 (number, no);
    SKR_TRY (skr_store_get (store, sight, SKR_WRITER_IDS, skr_span (number, sizeof number),
                            &value));
    if (value.size != sizeof writer->bytes) {
        return skr_fail (SAKER_EDAMAGED, "the id of writer %u", no);
    }
    memcpy (writer->bytes, value.data, sizeof writer->bytes);
    return SAKER_OK;
}

static skr_span_t document_key (uint8_t key[4 + SKR_DOCUMENT_BYTES_MAX], uint32_t collection_no,
                                skr_span_t document)
{
    skr_put_u32 (key, collection_no);
    if (document.size) {
        memcpy (key + 4, document.data, document.size);
    }
    return skr_span (key, 4 + document.size);
}

/* Numbers of documents ascend in order of arrival, so that the keys of new cells append. */
static saker_err_t make_document_no (skr_store_t *store, skr_span_t key, uint64_t *no)
{
    uint8_t id_key[12];
    uint8_t number[8];
    SKR_TRY (next_number (store, SKR_DOCUMENT_IDS, skr_span (key.data, 4), 8, no));
    memcpy (id_key, key.data, 4);
    skr_put_u64 (id_key + 4, *no);
    skr_put_u64 (number, *no);
    SKR_TRY (skr_store_put (store, SKR_DOCUMENTS, key, skr_span (number, sizeof number)));
    return skr_store_put (store, SKR_DOCUMENT_IDS, skr_span (id_key, sizeof id_key),
                          skr_span (key.data + 4, key.size - 4));
}

static saker_err_t find_document_no (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                     skr_span_t document, uint64_t *no)
{
    uint8_t bytes[4 + SKR_DOCUMENT_BYTES_MAX];
    skr_span_t value;
    if (document.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a document id over %d bytes", SKR_DOCUMENT_BYTES_MAX);
    }
    skr_span_t key = document_key (bytes, collection_no, document);
    SKR_TRY (skr_store_get (store, sight, SKR_DOCUMENTS, key, &value));
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "a document's number");
    }
    *no = skr_get_u64 (value.data);
    return SAKER_OK;
}

saker_err_t skr_store_document_no (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                   skr_span_t document, uint64_t *no)
{
    uint8_t bytes[4 + SKR_DOCUMENT_BYTES_MAX];
    saker_err_t error = find_document_no (store, sight, collection_no, document, no);
    if (error != SAKER_ENOTFOUND || sight == SKR_COMMITTED) {
        return error;
    }
    return make_document_no (store, document_key (bytes, collection_no, document), no);
}

/* ---- writers by number, remembered */

static saker_err_t remember_writer (skr_cells_store_t *self, uint32_t no, const skr_id_t *writer)
{
    if (no >= self->writers_capacity) {
        size_t capacity = (size_t) no * 2 + 16;
        skr_id_t *ids = realloc (self->writers, capacity * sizeof *ids);
        self->writers = ids ? ids : self->writers;
        bool *known = realloc (self->writers_known, capacity * sizeof *known);
        self->writers_known = known ? known : self->writers_known;
        if (!ids || !known) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        memset (known + self->writers_capacity, 0, capacity - self->writers_capacity);
        self->writers_capacity = capacity;
    }
    self->writers[no] = *writer;
    self->writers_known[no] = true;
    return SAKER_OK;
}

static saker_err_t writer_of (side_t *side, uint32_t no, skr_id_t *writer)
{
    skr_cells_store_t *self = side->owner;
    if (no < self->writers_capacity && self->writers_known[no]) {
        *writer = self->writers[no];
        return SAKER_OK;
    }
    saker_err_t error = skr_store_writer_id (self->store, side->sight, no, writer);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EDAMAGED, "table cells: an entry of unknown writer %u", no);
    }
    SKR_TRY (error);
    return remember_writer (self, no, writer);
}

static saker_err_t number_of (side_t *side, const skr_id_t *writer, uint32_t *no)
{
    skr_cells_store_t *self = side->owner;
    if (!self->last_writer_known || !skr_id_equal (&self->last_writer, writer)) {
        SKR_TRY (skr_store_writer_no (self->store, side->sight, writer, no));
        self->last_writer = *writer;
        self->last_writer_no = *no;
        self->last_writer_known = true;
    }
    *no = self->last_writer_no;
    return SAKER_OK;
}

static void forget_writers (skr_cells_store_t *self)
{
    if (self->writers_capacity) {
        memset (self->writers_known, 0, self->writers_capacity);
    }
    self->last_writer_known = false;
}

/* ---- varints */

static void put_varint (skr_buf_t *buf, uint64_t value)
{
    uint8_t *at = skr_buf_reserve (buf, VARINT_BYTES_MAX);
    if (!at) {
        return;
    }
    while (value >= 0x80) {
        *at++ = (uint8_t) (value | 0x80);
        value >>= 7;
        buf->size++;
    }
    *at = (uint8_t) value;
    buf->size++;
}

typedef struct reader_t {
    const uint8_t *at, *end;
    bool bad;
} reader_t;

static uint64_t get_varint (reader_t *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader->bad = true;
    return 0;
}

static skr_span_t get_part (reader_t *reader, uint64_t size)
{
    if (reader->bad || size > (uint64_t) (reader->end - reader->at)) {
        reader->bad = true;
        return skr_span (NULL, 0);
    }
    skr_span_t part = skr_span (reader->at, (size_t) size);
    reader->at += size;
    return part;
}

static uint64_t zigzag (uint64_t difference)
{
    return difference << 1 ^ (uint64_t) -(int64_t) (difference >> 63);
}

static uint64_t unzigzag (uint64_t coded)
{
    return coded >> 1 ^ (uint64_t) -(int64_t) (coded & 1);
}

/* ---- buckets, decoded */

static skr_span_t address_of (const bucket_t *bucket, const item_t *item)
{
    return skr_span (bucket->arena.data + item->address, item->address_size);
}

static skr_span_t value_of (const bucket_t *bucket, const item_t *item)
{
    return skr_span (bucket->arena.data + item->value, item->value_size);
}

static saker_err_t make_room (bucket_t *bucket)
{
    if (bucket->count == bucket->capacity) {
        size_t capacity = bucket->capacity ? 2 * bucket->capacity : 32;
        item_t *grown = realloc (bucket->items, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        bucket->items = grown;
        bucket->capacity = capacity;
    }
    return SAKER_OK;
}

static int compare_item (const bucket_t *bucket, const item_t *item, skr_span_t address,
                         uint32_t writer_no, uint64_t seq, uint32_t index)
{
    int order = skr_span_compare (address_of (bucket, item), address);
    if (!order) {
        order = (item->writer_no > writer_no) - (item->writer_no < writer_no);
    }
    if (!order) {
        order = (item->seq > seq) - (item->seq < seq);
    }
    return order ? order : (item->index > index) - (item->index < index);
}

/* Index of the first item that is not below. */
static size_t place_of (const bucket_t *bucket, skr_span_t address, uint32_t writer_no,
                        uint64_t seq, uint32_t index)
{
    size_t low = 0;
    size_t high = bucket->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_item (bucket, &bucket->items[middle], address, writer_no, seq, index) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t hold (bucket_t *bucket, skr_span_t bytes)
{
    size_t at = bucket->arena.size;
    skr_buf_append_span (&bucket->arena, bytes);
    return at;
}

/* Reads one entry; its address shares bytes with the one before. */
static saker_err_t decode_item (bucket_t *bucket, reader_t *reader)
{
    const item_t none = {0};
    SKR_TRY (make_room (bucket));
    const item_t *before = bucket->count ? &bucket->items[bucket->count - 1] : &none;
    item_t item = {0};
    uint64_t shared = get_varint (reader);
    skr_span_t rest = get_part (reader, get_varint (reader));
    item.writer_no = (uint32_t) get_varint (reader);
    item.seq = get_varint (reader);
    item.index = (uint32_t) get_varint (reader);
    item.hlc = before->hlc + unzigzag (get_varint (reader));
    skr_span_t value = get_part (reader, get_varint (reader));
    if (reader->bad || shared > before->address_size) {
        return skr_fail (SAKER_EDAMAGED, "table cells: a bucket is not well-formed");
    }
    item.address = bucket->arena.size;
    item.address_size = (size_t) shared + rest.size;
    skr_buf_reserve (&bucket->arena, (size_t) shared); /* so that what is copied does not move */
    hold (bucket, skr_span (bucket->arena.data + before->address, (size_t) shared));
    hold (bucket, rest);
    item.value = hold (bucket, value);
    item.value_size = value.size;
    bucket->items[bucket->count++] = item;
    return bucket->arena.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

static saker_err_t decode (bucket_t *bucket, skr_span_t payload)
{
    reader_t reader = {payload.data, payload.data + payload.size, false};
    while (reader.at < reader.end) {
        SKR_TRY (decode_item (bucket, &reader));
    }
    return SAKER_OK;
}

static size_t shared_bytes (skr_span_t one, skr_span_t other)
{
    size_t most = one.size < other.size ? one.size : other.size;
    size_t shared = 0;
    while (shared < most && one.data[shared] == other.data[shared]) {
        shared++;
    }
    return shared;
}

static void encode_item (skr_buf_t *buf, const bucket_t *bucket, const item_t *before,
                         const item_t *item)
{
    skr_span_t address = address_of (bucket, item);
    size_t shared = before ? shared_bytes (address_of (bucket, before), address) : 0;
    put_varint (buf, shared);
    put_varint (buf, address.size - shared);
    skr_buf_append (buf, address.data + shared, address.size - shared);
    put_varint (buf, item->writer_no);
    put_varint (buf, item->seq);
    put_varint (buf, item->index);
    put_varint (buf, zigzag (item->hlc - (before ? before->hlc : 0)));
    put_varint (buf, item->value_size);
    skr_buf_append_span (buf, value_of (bucket, item));
}

/* ---- buckets and their keys */

/* The sort key of an item as far as it stands in a bucket's key. */
static size_t bound_of (uint8_t bound[BOUND_BYTES_MAX], skr_span_t address, uint32_t writer_no,
                        uint64_t seq, uint32_t index)
{
    uint8_t tail[SORT_TAIL_BYTES];
    size_t size = address.size < BOUND_BYTES_MAX ? address.size : BOUND_BYTES_MAX;
    if (size) {
        memcpy (bound, address.data, size);
    }
    skr_put_u32 (tail, writer_no);
    skr_put_u64 (tail + 4, seq);
    skr_put_u32 (tail + 12, index);
    size_t rest = BOUND_BYTES_MAX - size < sizeof tail ? BOUND_BYTES_MAX - size : sizeof tail;
    memcpy (bound + size, tail, rest);
    return size + rest;
}

static void put_key_head (uint8_t *key, const side_t *side)
{
    skr_put_u32 (key, side->collection_no);
    skr_put_u64 (key + 4, side->document_no);
}

static size_t item_key (uint8_t key[KEY_BYTES_MAX], const side_t *side, const item_t *item)
{
    const bucket_t *bucket = &side->bucket;
    memcpy (key, bucket->key, 12);
    return 12 + bound_of (key + 12, address_of (bucket, item), item->writer_no, item->seq,
                          item->index);
}

/* Does the document have any bucket but the one that is held? */
static saker_err_t note_key (skr_span_t key, skr_span_t value, void *argument)
{
    struct { skr_span_t held; bool other; } *look = argument;
    (void) value;
    if (skr_span_equal (key, look->held)) {
        return SAKER_OK;
    }
    look->other = true;
    return SKR_STOP;
}

static saker_err_t has_other_bucket (const side_t *side, bool *other)
{
    skr_span_t document = skr_span (side->bucket.key, 12);
    struct { skr_span_t held; bool other; } look = {
        skr_span (side->bucket.key, side->bucket.key_size), false};
    SKR_TRY (skr_store_scan (side->owner->store, side->sight, SKR_CELLS, document, document,
                             note_key, &look));
    *other = look.other;
    return SAKER_OK;
}

/* Keeps the number of documents right when a bucket appears or goes. */
static saker_err_t count_document (side_t *side)
{
    bucket_t *bucket = &side->bucket;
    bool appears = !bucket->stored && bucket->count;
    bool goes = bucket->stored && !bucket->count;
    bool other = false;
    if ((!appears && !goes) || !side->documents) {
        return SAKER_OK;
    }
    if (!side->document_fresh) {
        SKR_TRY (has_other_bucket (side, &other));
    }
    if (!other) {
        *side->documents += appears ? 1 : (uint64_t) -1;
    }
    return SAKER_OK;
}

/* Writes the items from *first on, up to the size of a piece, under a key; moves *first. */
static saker_err_t write_piece (side_t *side, size_t *first, size_t bytes_max)
{
    bucket_t *bucket = &side->bucket;
    skr_buf_t *buf = &side->owner->encoded;
    uint8_t key[KEY_BYTES_MAX];
    size_t key_size = bucket->key_size;
    const item_t *before = NULL;
    memcpy (key, bucket->key, key_size);
    if (*first) {
        key_size = item_key (key, side, &bucket->items[*first]);
    }
    skr_buf_clear (buf);
    for (; *first < bucket->count; ++*first) {
        const item_t *item = &bucket->items[*first];
        if (before && buf->size + item->address_size + item->value_size > bytes_max) {
            uint8_t one[KEY_BYTES_MAX], next[KEY_BYTES_MAX];
            size_t one_size = item_key (one, side, before);
            size_t next_size = item_key (next, side, item);
            /* keys are cut: only where they differ can a bucket end */
            if (!skr_span_equal (skr_span (one, one_size), skr_span (next, next_size))) {
                break;
            }
        }
        encode_item (buf, bucket, before, item);
        before = item;
    }
    if (buf->failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    return skr_store_put (side->owner->store, SKR_CELLS, skr_span (key, key_size),
                          skr_span_of (buf));
}

static saker_err_t write_bucket (side_t *side)
{
    bucket_t *bucket = &side->bucket;
    size_t first = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < bucket->count; i++) {
        bytes += bucket->items[i].address_size + bucket->items[i].value_size + 8;
    }
    size_t bytes_max = bytes > BUCKET_BYTES ? PIECE_BYTES : SIZE_MAX;
    while (first < bucket->count) {
        SKR_TRY (write_piece (side, &first, bytes_max));
    }
    return SAKER_OK;
}

static void let_go (bucket_t *bucket)
{
    bucket->held = false;
    bucket->stored = false;
    bucket->dirty = false;
    bucket->count = 0;
    skr_buf_clear (&bucket->arena);
}

static saker_err_t flush (side_t *side)
{
    bucket_t *bucket = &side->bucket;
    if (!bucket->held || !bucket->dirty) {
        let_go (bucket);
        return SAKER_OK;
    }
    SKR_TRY (count_document (side));
    if (bucket->count) {
        SKR_TRY (write_bucket (side));
    } else if (bucket->stored) {
        SKR_TRY (skr_store_remove (side->owner->store, SKR_CELLS,
                                   skr_span (bucket->key, bucket->key_size)));
    }
    side->document_fresh = false;
    let_go (bucket);
    return SAKER_OK;
}

/* Decodes a bucket that was found in the store. */
static saker_err_t load (side_t *side, skr_span_t key, skr_span_t payload)
{
    bucket_t *bucket = &side->bucket;
    if (key.size > KEY_BYTES_MAX || key.size < 12) {
        return skr_fail (SAKER_EDAMAGED, "table cells: the key of a bucket");
    }
    memcpy (bucket->key, key.data, key.size);
    bucket->key_size = key.size;
    bucket->stored = true;
    bucket->held = true;
    return decode (bucket, payload);
}

/* A first bucket for a document that has none where one is wanted. */
static void start (side_t *side)
{
    bucket_t *bucket = &side->bucket;
    put_key_head (bucket->key, side);
    bucket->key_size = 12;
    bucket->held = true;
}

/* Is the wanted key in the range of the bucket that is held? Only certain for small documents: a
   document's only bucket, or one whose successor is unknown, is looked up again. */
static bool is_held (const side_t *side, skr_span_t wanted)
{
    const bucket_t *bucket = &side->bucket;
    uint8_t last[KEY_BYTES_MAX];
    if (!bucket->held || memcmp (bucket->key, wanted.data, 12) != 0
        || skr_span_compare (skr_span (bucket->key, bucket->key_size), wanted) > 0) {
        return false;
    }
    if (side->document_fresh || !bucket->count) {
        return side->document_fresh;
    }
    size_t size = item_key (last, side, &bucket->items[bucket->count - 1]);
    return skr_span_compare (wanted, skr_span (last, size)) <= 0;
}

/* Makes the bucket that is responsible for a key the one that is held. */
static saker_err_t seek (side_t *side, skr_span_t wanted)
{
    skr_span_t key;
    skr_span_t payload;
    if (is_held (side, wanted)) {
        return SAKER_OK;
    }
    if (side->bucket.held && side->document_fresh) {
        SKR_TRY (flush (side));
    }
    bucket_t *bucket = &side->bucket;
    saker_err_t error = SAKER_ENOTFOUND;
    if (!side->document_fresh) {
        error = skr_store_last (side->owner->store, side->sight, SKR_CELLS,
                                skr_span (wanted.data, 12), wanted, &key, &payload);
    }
    if (bucket->held && error == SAKER_OK
        && skr_span_equal (key, skr_span (bucket->key, bucket->key_size))) {
        return SAKER_OK; /* it is the one that is held: what is held is newer */
    }
    if (bucket->held && !bucket->stored && memcmp (bucket->key, wanted.data, 12) == 0
        && (error == SAKER_ENOTFOUND
            || (error == SAKER_OK
                && skr_span_compare (key, skr_span (bucket->key, bucket->key_size)) < 0))) {
        return SAKER_OK; /* it is held and not yet stored */
    }
    if (bucket->held && bucket->dirty) {
        SKR_TRY (flush (side)); /* may move records: look again */
        error = skr_store_last (side->owner->store, side->sight, SKR_CELLS,
                                skr_span (wanted.data, 12), wanted, &key, &payload);
    }
    let_go (bucket);
    if (error == SAKER_ENOTFOUND) {
        start (side);
        return SAKER_OK;
    }
    SKR_TRY (error);
    return load (side, key, payload);
}

/* ---- documents */

/* Turns to a document. SAKER_ENOTFOUND when it has no number yet. */
static saker_err_t choose_document (side_t *side, skr_span_t document)
{
    if (side->document_known
        && skr_span_equal (document, skr_span (side->document, side->document_size))) {
        return side->document_missing ? SAKER_ENOTFOUND : SAKER_OK;
    }
    SKR_TRY (flush (side));
    side->document_known = false;
    side->document_fresh = false;
    saker_err_t error = find_document_no (side->owner->store, side->sight, side->collection_no,
                                          document, &side->document_no);
    if (error == SAKER_OK || error == SAKER_ENOTFOUND) {
        if (document.size) {
            memcpy (side->document, document.data, document.size);
        }
        side->document_size = document.size;
        side->document_known = true;
        side->document_missing = error == SAKER_ENOTFOUND;
    }
    return error;
}

/* The same for a document that is about to be written: it gets a number. */
static saker_err_t make_document (side_t *side, skr_span_t document)
{
    uint8_t bytes[4 + SKR_DOCUMENT_BYTES_MAX];
    saker_err_t error = choose_document (side, document);
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    SKR_TRY (make_document_no (side->owner->store,
                               document_key (bytes, side->collection_no, document),
                               &side->document_no));
    side->document_missing = false;
    side->document_fresh = true;
    return SAKER_OK;
}

/* ---- the interface */

static saker_err_t visit_item (side_t *side, const item_t *item, skr_visit_fn *visit,
                               void *argument)
{
    skr_entry_t entry = {.hlc = item->hlc,
                         .address = address_of (&side->bucket, item),
                         .value = value_of (&side->bucket, item)};
    entry.dot.seq = item->seq;
    entry.dot.index = item->index;
    SKR_TRY (writer_of (side, item->writer_no, &entry.dot.writer));
    return visit (&entry, argument);
}

/* Visits what starts with the prefix in the held bucket. *past: an item above it was met. */
static saker_err_t scan_bucket (side_t *side, skr_span_t prefix, skr_visit_fn *visit,
                                void *argument, bool *past)
{
    const bucket_t *bucket = &side->bucket;
    for (size_t i = place_of (bucket, prefix, 0, 0, 0); i < bucket->count; i++) {
        const item_t *item = &bucket->items[i];
        if (!skr_span_starts (address_of (bucket, item), prefix)) {
            *past = true;
            return SAKER_OK;
        }
        SKR_TRY (visit_item (side, item, visit, argument));
    }
    return SAKER_OK;
}

/* The first key after `from`. */
typedef struct next_t {
    skr_span_t from;
    uint8_t key[KEY_BYTES_MAX];
    size_t key_size; /* 0: none */
} next_t;

static saker_err_t note_next (skr_span_t key, skr_span_t value, void *argument)
{
    next_t *next = argument;
    (void) value;
    if (skr_span_equal (key, next->from) || key.size > sizeof next->key) {
        return SAKER_OK;
    }
    memcpy (next->key, key.data, key.size);
    next->key_size = key.size;
    return SKR_STOP;
}

static saker_err_t find_next (const side_t *side, next_t *next)
{
    next->from = skr_span (side->bucket.key, side->bucket.key_size);
    next->key_size = 0;
    return skr_store_scan (side->owner->store, side->sight, SKR_CELLS,
                           skr_span (side->bucket.key, 12), next->from, note_next, next);
}

static saker_err_t scan (void *context, skr_span_t document, skr_span_t prefix,
                         skr_visit_fn *visit, void *argument)
{
    side_t *side = context;
    uint8_t wanted[KEY_BYTES_MAX];
    next_t next;
    bool past = false;
    saker_err_t error = choose_document (side, document);
    if (error != SAKER_OK) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error; /* no such document: no entries */
    }
    put_key_head (wanted, side);
    size_t size = prefix.size < BOUND_BYTES_MAX ? prefix.size : BOUND_BYTES_MAX;
    if (size) {
        memcpy (wanted + 12, prefix.data, size);
    }
    SKR_TRY (seek (side, skr_span (wanted, 12 + size)));
    while (true) {
        SKR_TRY (scan_bucket (side, prefix, visit, argument, &past));
        if (past || side->document_fresh) {
            return SAKER_OK;
        }
        SKR_TRY (find_next (side, &next));
        if (!next.key_size) {
            return SAKER_OK;
        }
        SKR_TRY (seek (side, skr_span (next.key, next.key_size)));
    }
}

static saker_err_t seek_entry (side_t *side, skr_span_t document, const skr_entry_t *entry,
                               uint32_t *writer_no)
{
    uint8_t wanted[KEY_BYTES_MAX];
    if (side->sight == SKR_COMMITTED) {
        return skr_fail (SAKER_EINPUT, "committed cells cannot be changed");
    }
    SKR_TRY (number_of (side, &entry->dot.writer, writer_no));
    SKR_TRY (make_document (side, document));
    put_key_head (wanted, side);
    size_t size = bound_of (wanted + 12, entry->address, *writer_no, entry->dot.seq,
                            entry->dot.index);
    return seek (side, skr_span (wanted, 12 + size));
}

static saker_err_t put (void *context, skr_span_t document, const skr_entry_t *entry)
{
    side_t *side = context;
    bucket_t *bucket = &side->bucket;
    item_t item = {.seq = entry->dot.seq, .index = entry->dot.index, .hlc = entry->hlc};
    SKR_TRY (seek_entry (side, document, entry, &item.writer_no));
    SKR_TRY (make_room (bucket));
    size_t place = place_of (bucket, entry->address, item.writer_no, item.seq, item.index);
    item.address = hold (bucket, entry->address);
    item.address_size = entry->address.size;
    item.value = hold (bucket, entry->value);
    item.value_size = entry->value.size;
    if (bucket->arena.failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    memmove (bucket->items + place + 1, bucket->items + place,
             (bucket->count - place) * sizeof item);
    bucket->items[place] = item;
    bucket->count++;
    bucket->dirty = true;
    /* a bucket that grows in one group must not be rewritten whole at each entry, nor grow for
       ever: what is dead in the arena goes with the flush */
    return bucket->arena.size > 8 * BUCKET_BYTES ? flush (side) : SAKER_OK;
}

static saker_err_t remove_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    side_t *side = context;
    bucket_t *bucket = &side->bucket;
    uint32_t writer_no = 0;
    SKR_TRY (seek_entry (side, document, entry, &writer_no));
    size_t place =
        place_of (bucket, entry->address, writer_no, entry->dot.seq, entry->dot.index);
    if (place == bucket->count
        || compare_item (bucket, &bucket->items[place], entry->address, writer_no, entry->dot.seq,
                         entry->dot.index) != 0) {
        return skr_fail (SAKER_EDAMAGED, "table cells: an entry that should be there is not");
    }
    bucket->count--;
    memmove (bucket->items + place, bucket->items + place + 1,
             (bucket->count - place) * sizeof *bucket->items);
    bucket->dirty = true;
    return SAKER_OK;
}

const skr_cells_t *skr_cells_store_of (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, uint64_t *documents)
{
    side_t *side = &self->sides[sight];
    bool same = side->collection_no == collection_no && side->documents == documents;
    if (sight == SKR_COMMITTED) {
        let_go (&side->bucket); /* another commit may have come between */
        side->document_known = false;
    } else if (!same && flush (side) == SAKER_OK) {
        side->document_known = false;
    }
    side->collection_no = collection_no;
    side->documents = documents;
    return &side->cells;
}

saker_err_t skr_cells_store_flush (skr_cells_store_t *self)
{
    SKR_TRY (flush (&self->sides[SKR_GROUP]));
    self->sides[SKR_GROUP].document_known = false;
    return SAKER_OK;
}

void skr_cells_store_drop (skr_cells_store_t *self)
{
    let_go (&self->sides[SKR_GROUP].bucket);
    self->sides[SKR_GROUP].document_known = false;
    self->sides[SKR_GROUP].document_fresh = false;
    forget_writers (self);
}

saker_err_t skr_cells_store_new (skr_cells_store_t **self_p, skr_store_t *store)
{
    skr_cells_store_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->store = store;
    for (int sight = SKR_COMMITTED; sight <= SKR_GROUP; sight++) {
        side_t *side = &self->sides[sight];
        side->owner = self;
        side->sight = (skr_sight_t) sight;
        side->cells = (skr_cells_t){side, scan, put, remove_entry};
    }
    *self_p = self;
    return SAKER_OK;
}

void skr_cells_store_destroy (skr_cells_store_t **self_p)
{
    skr_cells_store_t *self = *self_p;
    if (!self) {
        return;
    }
    for (int sight = SKR_COMMITTED; sight <= SKR_GROUP; sight++) {
        free (self->sides[sight].bucket.items);
        skr_buf_free (&self->sides[sight].bucket.arena);
    }
    free (self->writers);
    free (self->writers_known);
    skr_buf_free (&self->encoded);
    free (self);
    *self_p = NULL;
}

/* ---- documents and entries of a collection */

typedef struct walk_t {
    skr_cells_store_t *self;
    side_t side;
    skr_document_fn *document_fn;
    skr_cell_fn *cell_fn;
    void *argument;
    uint8_t document[SKR_DOCUMENT_BYTES_MAX];
    skr_span_t id;
    bool any;
} walk_t;

static saker_err_t note_any (skr_span_t key, skr_span_t value, void *argument)
{
    (void) key, (void) value;
    *(bool *) argument = true;
    return SKR_STOP;
}

static saker_err_t visit_document (skr_span_t key, skr_span_t value, void *argument)
{
    walk_t *walk = argument;
    uint8_t prefix[12];
    bool any = false;
    if (value.size != 8 || key.size < 4) {
        return skr_fail (SAKER_EDAMAGED, "a document's number");
    }
    memcpy (prefix, key.data, 4);
    memcpy (prefix + 4, value.data, 8);
    skr_span_t buckets = skr_span (prefix, sizeof prefix);
    SKR_TRY (skr_store_scan (walk->self->store, walk->side.sight, SKR_CELLS, buckets, buckets,
                             note_any, &any));
    return any ? walk->document_fn (skr_span (key.data + 4, key.size - 4), walk->argument)
               : SAKER_OK;
}

saker_err_t skr_cells_store_documents (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, skr_span_t from,
                                       skr_document_fn *visit, void *argument)
{
    walk_t walk = {.self = self, .document_fn = visit, .argument = argument};
    uint8_t start_key[4 + SKR_DOCUMENT_BYTES_MAX];
    walk.side.sight = sight;
    from.size = from.size < SKR_DOCUMENT_BYTES_MAX ? from.size : SKR_DOCUMENT_BYTES_MAX;
    skr_span_t key = document_key (start_key, collection_no, from);
    return skr_store_scan (self->store, sight, SKR_DOCUMENTS, skr_span (start_key, 4), key,
                           visit_document, &walk);
}

/* Takes the id of the document that the next bucket belongs to. */
static saker_err_t turn_to (walk_t *walk, skr_span_t key)
{
    skr_span_t id;
    if (walk->any && memcmp (walk->side.bucket.key, key.data, 12) == 0) {
        return SAKER_OK;
    }
    SKR_TRY (skr_store_get (walk->self->store, walk->side.sight, SKR_DOCUMENT_IDS,
                            skr_span (key.data, 12), &id));
    if (id.size > sizeof walk->document) {
        return skr_fail (SAKER_EDAMAGED, "a document's id");
    }
    if (id.size) {
        memcpy (walk->document, id.data, id.size);
    }
    walk->id = skr_span (walk->document, id.size);
    walk->any = true;
    return SAKER_OK;
}

static saker_err_t hand_over (const skr_entry_t *entry, void *argument)
{
    walk_t *walk = argument;
    return walk->cell_fn (walk->id, entry, walk->argument);
}

static saker_err_t visit_bucket (skr_span_t key, skr_span_t payload, void *argument)
{
    walk_t *walk = argument;
    bucket_t *bucket = &walk->side.bucket;
    if (key.size < 12 || key.size > KEY_BYTES_MAX) {
        return skr_fail (SAKER_EDAMAGED, "table cells: the key of a bucket");
    }
    SKR_TRY (turn_to (walk, key));
    let_go (bucket);
    SKR_TRY (load (&walk->side, key, payload));
    for (size_t i = 0; i < bucket->count; i++) {
        SKR_TRY (visit_item (&walk->side, &bucket->items[i], hand_over, walk));
    }
    return SAKER_OK;
}

saker_err_t skr_cells_store_all (skr_cells_store_t *self, skr_sight_t sight, uint32_t collection_no,
                                 skr_cell_fn *visit, void *argument)
{
    walk_t walk = {.self = self, .cell_fn = visit, .argument = argument};
    uint8_t prefix[4];
    walk.side.owner = self;
    walk.side.sight = sight;
    walk.side.collection_no = collection_no;
    skr_put_u32 (prefix, collection_no);
    if (sight == SKR_GROUP) {
        SKR_TRY (skr_cells_store_flush (self));
    }
    skr_span_t key = skr_span (prefix, sizeof prefix);
    saker_err_t error =
        skr_store_scan (self->store, sight, SKR_CELLS, key, key, visit_bucket, &walk);
    free (walk.side.bucket.items);
    skr_buf_free (&walk.side.bucket.arena);
    return error;
}
