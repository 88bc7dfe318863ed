/* Increments of one place in a row of increments become one operation, of their sum: a counter has
   an entry for each, which costs room until it is folded, and readers only see the sum. */

#include "peer/making.h"

#include <stdlib.h>
#include <string.h>

typedef struct sum_t {
    const skr_intent_t *first; /* of its place */
    int64_t amount;
} sum_t;

typedef struct sums_t {
    sum_t *list; /* in order of first use */
    size_t count;
    size_t *table; /* 1 + index into the list, by hash; 0: free */
    size_t table_size;
} sums_t;

static size_t hash_span (size_t hash, skr_span_t span)
{
    for (size_t i = 0; i < span.size; i++) {
        hash = (hash ^ span.data[i]) * 1099511628211u; /* FNV-1a */
    }
    return hash;
}

static bool same_place (const skr_intent_t *one, const skr_intent_t *other)
{
    return skr_span_equal (one->document, other->document)
           && skr_span_equal (one->path, other->path);
}

static saker_err_t add (sums_t *self, const skr_intent_t *intent)
{
    int64_t amount = 0;
    SKR_TRY (skr_intent_amount (intent, &amount));
    size_t at = hash_span (hash_span (14695981039346656037u, intent->document), intent->path);
    for (at %= self->table_size; self->table[at]; at = (at + 1) % self->table_size) {
        sum_t *sum = &self->list[self->table[at] - 1];
        int64_t both;
        if (same_place (sum->first, intent)
            && !__builtin_add_overflow (sum->amount, amount, &both)) {
            sum->amount = both;
            return SAKER_OK;
        }
    }
    self->list[self->count] = (sum_t){intent, amount};
    self->table[at] = ++self->count;
    return SAKER_OK;
}

static saker_err_t make_sum (skr_making_t *making, const sum_t *sum)
{
    skr_buf_t value = {0};
    skr_intent_t intent = *sum->first;
    skr_cbor_put_int (&value, sum->amount);
    intent.value = skr_span_of (&value);
    saker_err_t error = value.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                                     : skr_making_intent (making, &intent);
    skr_buf_free (&value);
    return error;
}

static size_t row_of (const skr_intent_t *intents, size_t count)
{
    size_t row = 0;
    while (row < count && intents[row].kind == SKR_INTENT_INCR) {
        row++;
    }
    return row;
}

saker_err_t skr_making_sums (skr_making_t *making, const skr_intent_t *intents, size_t count,
                             size_t *used)
{
    *used = row_of (intents, count);
    if (*used == 1) {
        return skr_making_intent (making, intents);
    }
    sums_t sums = {.table_size = 2 * *used};
    sums.list = calloc (*used, sizeof *sums.list);
    sums.table = calloc (sums.table_size, sizeof *sums.table);
    saker_err_t error =
        sums.list && sums.table ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
    for (size_t i = 0; i < *used && error == SAKER_OK; i++) {
        error = add (&sums, &intents[i]);
    }
    for (size_t i = 0; i < sums.count && error == SAKER_OK; i++) {
        error = make_sum (making, &sums.list[i]);
    }
    free (sums.list);
    free (sums.table);
    return error;
}
