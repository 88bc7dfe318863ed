/* conflicts: lists the places where rivals are, and settles them. */

#include "amounts.h"
#include "canon.h"
#include "choice.h"
#include "commands.h"
#include "fill.h"
#include "jsonin.h"
#include "paint.h"
#include "place.h"
#include "say.h"
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 40 /* of a value in a list */

static void choice_text (const choice_t *choice, strbuf_t *text)
{
    if (choice->first->cell == SAKER_EMPTY_MAP) {
        strbuf_text (text, "a map");
        return;
    }
    json_t *json = choice_value (choice);
    canon_add (text, json);
    json_decref (json);
}

/* ---- listing */

typedef struct listing_t {
    call_t *call;
    paint_table_t table;
    uint64_t count;
    saker_err_t error;
} listing_t;

static saker_err_t print_line (listing_t *listing, const saker_conflict_t *conflict)
{
    return say_json (listing->call, choice_list (conflict));
}

/* Cuts a text to so many columns, with "..." at its end. */
static void shorten (strbuf_t *text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text->size; i++) {
        bool begins = ((unsigned char) text->data[i] & 0xc0) != 0x80;
        if (begins && columns++ == COLUMNS_MAX) {
            strbuf_cut (text, i);
            strbuf_text (text, "...");
            return;
        }
    }
}

static void base_text (const saker_rival_t *rival, strbuf_t *text)
{
    if (rival->bases_count == 0) {
        strbuf_text (text, "-");
        return;
    }
    const saker_base_t *base = &rival->bases[0];
    if (base->known) {
        json_t *json = tree_value (&base->value);
        canon_add (text, json);
        json_decref (json);
        shorten (text);
    } else {
        strbuf_text (text, "what is not kept here");
    }
    strbuf_format (text, " by %s", *base->author ? base->author : "(unknown)");
    if (rival->bases_count > 1 || rival->bases_more > 0) {
        strbuf_format (text, " and %" PRIu64 " more",
                       (uint64_t) rival->bases_count - 1 + rival->bases_more);
    }
}

static void add_row (listing_t *listing, const char *place, size_t number, const choice_t *choice)
{
    char digits[24], time[PAINT_TIME_MAX];
    strbuf_t value = {0}, base = {0};
    snprintf (digits, sizeof digits, "%zu", number);
    paint_time (choice->first->time_ms, time);
    choice_text (choice, &value);
    shorten (&value);
    base_text (choice->first, &base);
    const char *const cells[] = {place,
                                 digits,
                                 value.data ? value.data : "",
                                 *choice->first->author ? choice->first->author : "(unknown)",
                                 time,
                                 choice->first->shown ? "shown" : "",
                                 base.data ? base.data : ""};
    paint_table_add (&listing->table, choice->first->shown ? PAINT_NONE : PAINT_YELLOW, 7, cells);
    listing->table.failed = listing->table.failed || value.failed || base.failed;
    strbuf_free (&value);
    strbuf_free (&base);
}

static int list_conflict (const saker_conflict_t *conflict, void *argument)
{
    listing_t *listing = argument;
    strbuf_t place = {0};
    size_t number = 0;
    listing->count++;
    if (listing->call->json) {
        listing->error = print_line (listing, conflict);
        return listing->error != SAKER_OK;
    }
    strbuf_format (&place, "%s/%s %s", conflict->collection, conflict->document, conflict->pointer);
    for (size_t at = 0; at < conflict->rivals_count;) {
        choice_t choice = choice_at (conflict, at);
        add_row (listing, number == 0 && place.data ? place.data : "", number + 1, &choice);
        number++;
        at += choice.count;
    }
    listing->table.failed = listing->table.failed || place.failed;
    strbuf_free (&place);
    return listing->table.failed;
}

static saker_err_t run_list (call_t *call)
{
    static const char *const heading[] = {"PLACE", "N", "VALUE", "AUTHOR", "TIME", "", "OVER"};
    listing_t listing = {.call = call};
    saker_err_t error = call_open (call);
    paint_table_add (&listing.table, PAINT_NONE, 7, heading);
    if (error == SAKER_OK) {
        error = call_library (call, saker_conflicts (call->peer, call_word (call, 0), NULL, NULL,
                                                     list_conflict, &listing));
    }
    if (error == SAKER_OK) {
        error = listing.table.failed ? call_memory (call) : listing.error;
    }
    if (error == SAKER_OK && !call->json && listing.count > 0) {
        paint_table_print (&listing.table, stdout);
    }
    if (error == SAKER_OK && !call->json) {
        printf ("%" PRIu64 " place%s in conflict\n", listing.count, amount_plural (listing.count));
    }
    paint_table_free (&listing.table);
    return error;
}

/* ---- showing one document, or one place */

static void print_choice (const choice_t *choice, size_t number, const char *pointer)
{
    char time[PAINT_TIME_MAX];
    strbuf_t text = {0};
    paint_time (choice->first->time_ms, time);
    choice_text (choice, &text);
    printf ("  %zu  ", number);
    paint_text (stdout, choice->first->shown ? PAINT_GREEN : PAINT_YELLOW,
                text.data ? text.data : "");
    fputs (" by ", stdout);
    paint_text (stdout, PAINT_BOLD, *choice->first->author ? choice->first->author : "(unknown)");
    printf (" at %s%s\n", time, choice->first->shown ? "  (shown)" : "");
    say_over (choice->first->bases, choice->first->bases_count, choice->first->bases_more, pointer,
              "       ");
    strbuf_free (&text);
}

static int show_conflict (const saker_conflict_t *conflict, void *argument)
{
    listing_t *listing = argument;
    size_t number = 0;
    listing->count++;
    if (listing->call->json) {
        listing->error = print_line (listing, conflict);
        return listing->error != SAKER_OK;
    }
    paint_text (stdout, PAINT_BOLD, conflict->collection);
    putchar ('/');
    paint_text (stdout, PAINT_BOLD, conflict->document);
    putchar (' ');
    paint_text (stdout, PAINT_BOLD, conflict->pointer);
    putchar ('\n');
    for (size_t at = 0; at < conflict->rivals_count;) {
        choice_t choice = choice_at (conflict, at);
        print_choice (&choice, ++number, conflict->pointer);
        at += choice.count;
    }
    return 0;
}

static saker_err_t no_conflict (call_t *call, const place_t *place)
{
    return call_fail (call, SAKER_ENOTFOUND, "no conflict at %s/%s%s%s", place->collection,
                      place->document, *place->pointer ? " " : "", place->pointer);
}

static saker_err_t run_show (call_t *call)
{
    place_t place;
    listing_t listing = {.call = call};
    const char *pointer = call_word (call, 2);
    saker_err_t error = place_parse (call, call_word (call, 1), pointer, &place);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_conflicts (call->peer, place.collection, place.document,
                                                     pointer, show_conflict, &listing));
    }
    if (error == SAKER_OK && listing.count == 0) {
        error = no_conflict (call, &place);
    }
    return error == SAKER_OK ? listing.error : error;
}

/* ---- settling */

typedef struct settling_t {
    call_t *call;
    const place_t *place;
    saker_batch_t *batch;
    size_t number;  /* the choice that is wanted; 0: none */
    size_t choices; /* how many there are */
    bool found;
    saker_err_t error; /* of the library */
} settling_t;

static int settle_conflict (const saker_conflict_t *conflict, void *argument)
{
    settling_t *settling = argument;
    settling->found = true;
    for (size_t at = 0; at < conflict->rivals_count;) {
        choice_t choice = choice_at (conflict, at);
        if (++settling->choices == settling->number) {
            settling->error = choice_take (&choice, settling->batch, settling->place->document,
                                           settling->place->pointer);
        }
        at += choice.count;
    }
    return 1;
}

static saker_err_t look_up (settling_t *settling)
{
    call_t *call = settling->call;
    const place_t *place = settling->place;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_conflicts (call->peer, place->collection, place->document,
                                                     place->pointer, settle_conflict, settling));
    }
    if (error == SAKER_OK && settling->error != SAKER_OK) {
        error = call_library (call, settling->error);
    }
    if (error == SAKER_OK && !settling->found) {
        error = no_conflict (call, place);
    }
    if (error == SAKER_OK && settling->number > settling->choices) {
        error = call_fail (call, SAKER_EINPUT, "there are %zu rivals there, no number %zu",
                           settling->choices, settling->number);
    }
    return error;
}

static saker_err_t fill_merge (settling_t *settling, const json_t *json)
{
    const place_t *place = settling->place;
    saker_value_t value;
    void *owned = NULL;
    if (json_is_object (json) || json_is_array (json)) {
        return fill_replace (settling->call, settling->batch, place->document, place->pointer,
                             json);
    }
    saker_err_t error = fill_value (settling->call, json, &value, &owned);
    if (error == SAKER_OK) {
        error = call_library (settling->call, saker_batch_set (settling->batch, place->document,
                                                               place->pointer, &value));
    }
    free (owned);
    return error;
}

/* `json` NULL: one of the rivals is taken. */
static saker_err_t settle (call_t *call, const place_t *place, size_t number, const json_t *json)
{
    saker_receipt_t receipt;
    settling_t settling = {.call = call, .place = place, .number = number};
    settling.batch = saker_batch_new (place->collection);
    if (!settling.batch) {
        return call_memory (call);
    }
    saker_err_t error = look_up (&settling);
    if (error == SAKER_OK && json) {
        error = fill_merge (&settling, json);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, settling.batch, &receipt));
    }
    saker_batch_destroy (&settling.batch);
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

static saker_err_t run_take (call_t *call)
{
    place_t place;
    const char *text = call_word (call, 3);
    char *end = NULL;
    unsigned long number = *text >= '0' && *text <= '9' ? strtoul (text, &end, 10) : 0;
    if (number == 0 || !end || *end) {
        return call_fail (
            call, SAKER_EUSAGE,
            "conflicts take: \"%s\" is no number of a rival; see saker conflicts show", text);
    }
    saker_err_t error = place_parse (call, call_word (call, 1), call_word (call, 2), &place);
    return error == SAKER_OK ? settle (call, &place, number, NULL) : error;
}

static saker_err_t run_merge (call_t *call)
{
    place_t place;
    json_t *json = NULL;
    saker_err_t error = place_parse (call, call_word (call, 1), call_word (call, 2), &place);
    if (error == SAKER_OK) {
        error = jsonin_word (call, call_word (call, 3), &json);
    }
    if (error == SAKER_OK) {
        error = settle (call, &place, 0, json);
    }
    json_decref (json);
    return error;
}

static saker_err_t run_conflicts (call_t *call)
{
    static const struct {
        const char *name;
        size_t words_min, words_max;
        saker_err_t (*run) (call_t *call);
    } parts[] = {{"show", 2, 3, run_show}, {"take", 4, 4, run_take}, {"merge", 4, 4, run_merge}};
    const char *word = call_word (call, 0);
    if (call->words_count <= 1) {
        return run_list (call);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        bool fits =
            call->words_count >= parts[i].words_min && call->words_count <= parts[i].words_max;
        if (strcmp (word, parts[i].name) == 0 && fits) {
            return parts[i].run (call);
        }
    }
    return call_fail (call, SAKER_EUSAGE, "conflicts: usage: saker conflicts %s",
                      call->command->usage);
}

const command_t cmd_conflicts = {
    .name = "conflicts",
    .run = run_conflicts,
    .usage = "[COLL] | show COLL/DOC [PATH] | take COLL/DOC PATH N | merge COLL/DOC PATH JSON",
    .summary = "List the places where rival values are; settle one by a rival or a new value.",
    .details = "Each rival is told with its author, its time and what it was written on "
               "top of; the one that a plain read shows comes first. show tells those of "
               "one document or place in full, take writes the rival with the number N "
               "over all others, and merge a new value. Where one rival is a map, taking "
               "it keeps its keys. The list costs what there is to list, however many "
               "documents there are; how many there are is in saker status. With --json "
               "each place is a line.",
    .example = "saker conflicts\n"
               "saker conflicts show shots/sc010\n"
               "saker conflicts take shots/sc010 /title 2\n"
               "saker conflicts merge shots/sc010 /title '\"Harbour at dusk\"'",
    .words_min = 0,
    .words_max = 4,
};
