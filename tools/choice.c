#include "choice.h"

#include "paint.h"
#include "say.h"
#include "tree.h"

choice_t choice_at (const saker_conflict_t *conflict, size_t at)
{
    choice_t choice = {&conflict->rivals[at], 1};
    while (choice.first->cell == SAKER_MEMBER && at + choice.count < conflict->rivals_count
           && conflict->rivals[at + choice.count].cell == SAKER_MEMBER) {
        choice.count++;
    }
    return choice;
}

static const char *choice_cell (const choice_t *self)
{
    return self->first->cell == SAKER_MEMBER ? "set" : say_cell (self->first->cell);
}

/* A map is told by its cell; its keys are the document's. */
json_t *choice_value (const choice_t *self)
{
    if (self->first->cell != SAKER_MEMBER) {
        return tree_value (&self->first->value);
    }
    json_t *members = json_array ();
    for (size_t i = 0; i < self->count; i++) {
        json_array_append_new (members, tree_value (&self->first[i].value));
    }
    return members;
}

static json_t *choice_json (const choice_t *self, size_t number)
{
    const saker_rival_t *first = self->first;
    char writer[33], time[PAINT_TIME_MAX];
    say_hex (first->writer, writer);
    paint_time (first->time_ms, time);
    return json_pack ("{s:I,s:s,s:o,s:b,s:s,s:s,s:s,s:I,s:o,s:I}", "n", (json_int_t) number, "cell",
                      choice_cell (self), "value", choice_value (self), "shown", first->shown,
                      "author", first->author, "time", time, "writer", writer, "seq",
                      (json_int_t) first->seq, "over", say_bases (first->bases, first->bases_count),
                      "over_more", (json_int_t) first->bases_more);
}

json_t *choice_list (const saker_conflict_t *conflict)
{
    json_t *rivals = json_array ();
    size_t number = 0;
    for (size_t at = 0; at < conflict->rivals_count;) {
        choice_t choice = choice_at (conflict, at);
        json_array_append_new (rivals, choice_json (&choice, ++number));
        at += choice.count;
    }
    return json_pack ("{s:s,s:s,s:s,s:o}", "collection", conflict->collection, "document",
                      conflict->document, "pointer", conflict->pointer, "rivals", rivals);
}

/* A counter starts anew with the sum; no increment is 0. */
static saker_err_t take_counter (saker_batch_t *batch, const char *document, const char *pointer,
                                 int64_t sum)
{
    saker_err_t error = saker_batch_delete (batch, document, pointer);
    if (error == SAKER_OK) {
        error = saker_batch_incr (batch, document, pointer, sum ? sum : 1);
    }
    return error == SAKER_OK && sum == 0 ? saker_batch_incr (batch, document, pointer, -1) : error;
}

static saker_err_t take_set (const choice_t *self, saker_batch_t *batch, const char *document,
                             const char *pointer)
{
    saker_err_t error = saker_batch_delete (batch, document, pointer);
    for (size_t i = 0; i < self->count && error == SAKER_OK; i++) {
        error = saker_batch_add (batch, document, pointer, &self->first[i].value);
    }
    return error;
}

saker_err_t choice_take (const choice_t *self, saker_batch_t *batch, const char *document,
                         const char *pointer)
{
    const saker_value_t *value = &self->first->value;
    switch (self->first->cell) {
    case SAKER_REGISTER:
        return saker_batch_set (batch, document, pointer, value);
    case SAKER_LWW:
        return saker_batch_set_lww (batch, document, pointer, value);
    case SAKER_COUNTER:
        return take_counter (batch, document, pointer, value->as.integer);
    case SAKER_MEMBER:
        return take_set (self, batch, document, pointer);
    case SAKER_EMPTY_MAP: /* its keys stay */
        return saker_batch_set_map (batch, document, pointer);
    }
    return SAKER_EVERSION;
}
