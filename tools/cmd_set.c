/* set, delete, incr, add and remove: one change to one document. */

#include "canon.h"
#include "commands.h"
#include "fill.h"
#include "jsonin.h"
#include "place.h"
#include "say.h"
#include "tree.h"

#include <errno.h>
#include <stdlib.h>

/* Fills the batch of a command; `json` is its JSON argument, NULL where it takes none. */
typedef saker_err_t fill_fn (call_t *call, saker_batch_t *batch, const place_t *place,
                             const json_t *json);

/* Makes the batch, has it filled, and writes it. Takes `json`. */
static saker_err_t write_one (call_t *call, const place_t *place, json_t *json, fill_fn *fill,
                              saker_receipt_t *receipt)
{
    *receipt = (saker_receipt_t){0};
    saker_batch_t *batch = saker_batch_new (place->collection);
    saker_err_t error = batch ? fill (call, batch, place, json) : call_memory (call);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, batch, receipt));
    }
    saker_batch_destroy (&batch);
    json_decref (json);
    return error;
}

/* Parses COLL/DOC, PATH and the JSON argument, if it has one. */
static saker_err_t take_words (call_t *call, const char *pointer, const char *json_word,
                               place_t *place, json_t **json)
{
    *json = NULL;
    saker_err_t error = place_parse (call, call_word (call, 0), pointer, place);
    return error == SAKER_OK && json_word ? jsonin_word (call, json_word, json) : error;
}

static saker_err_t nothing_there (call_t *call, const place_t *place, const char *what)
{
    return call_fail (call, SAKER_ENOTFOUND, "%s/%s has %s at %s", place->collection,
                      place->document, what, *place->pointer ? place->pointer : "the top");
}

/* A single value is set even where it is equal, which settles rivals; a document is replaced, which
   leaves alone what is equal. */
static saker_err_t fill_set_command (call_t *call, saker_batch_t *batch, const place_t *place,
                                     const json_t *json)
{
    if (json_is_object (json) || json_is_array (json)) {
        return fill_replace (call, batch, place->document, place->pointer, json);
    }
    saker_value_t value;
    void *owned = NULL;
    saker_err_t error = fill_value (call, json, &value, &owned);
    if (error == SAKER_OK) {
        error =
            call_library (call, saker_batch_set (batch, place->document, place->pointer, &value));
    }
    free (owned);
    return error;
}

static saker_err_t run_set (call_t *call)
{
    bool whole = call->words_count == 2;
    place_t place;
    json_t *json = NULL;
    saker_receipt_t receipt;
    saker_err_t error = take_words (call, whole ? NULL : call_word (call, 1),
                                    call_word (call, whole ? 1 : 2), &place, &json);
    if (error == SAKER_OK) {
        error = write_one (call, &place, json, fill_set_command, &receipt);
    }
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

const command_t cmd_set = {
    .name = "set",
    .run = run_set,
    .usage = "COLL/DOC [PATH] JSON",
    .summary = "Set a document, or the place PATH in it, to a JSON value (- reads it from stdin).",
    .details = "An object replaces what is at the place: what is equal already is left "
               "untouched, what is not named is deleted. A single value is written even "
               "when it is equal, which settles rivals.",
    .example = "saker set shots/sc010 '{\"title\": \"Harbour\", \"frames\": 240}'\n"
               "saker set shots/sc010 /title '\"Harbour at night\"'",
    .words_min = 2,
    .words_max = 3,
};

static saker_err_t fill_delete (call_t *call, saker_batch_t *batch, const place_t *place,
                                const json_t *json)
{
    (void) json;
    return call_library (call, saker_batch_delete (batch, place->document, place->pointer));
}

static saker_err_t run_delete (call_t *call)
{
    place_t place;
    json_t *json = NULL;
    saker_receipt_t receipt;
    saker_err_t error = take_words (call, call_word (call, 1), NULL, &place, &json);
    if (error == SAKER_OK) {
        error = write_one (call, &place, json, fill_delete, &receipt);
    }
    if (error == SAKER_OK && receipt.seq == 0) {
        error = nothing_there (call, &place, "nothing to delete");
    }
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

const command_t cmd_delete = {
    .name = "delete",
    .run = run_delete,
    .usage = "COLL/DOC [PATH]",
    .summary = "Delete a document, or what is at and below PATH in it.",
    .details = "Exit status 3 when there is nothing to delete.",
    .example = "saker delete shots/sc010 /frames",
    .words_min = 1,
    .words_max = 2,
};

static saker_err_t fill_incr (call_t *call, saker_batch_t *batch, const place_t *place,
                              const json_t *json)
{
    return call_library (
        call, saker_batch_incr (batch, place->document, place->pointer, json_integer_value (json)));
}

static int take_counter (const saker_leaf_t *leaf, void *argument)
{
    if (leaf->shown && leaf->cell == SAKER_COUNTER) {
        *(json_t **) argument = tree_value (&leaf->value);
    }
    return 0;
}

/* Prints the counter as it is now. */
static saker_err_t print_counter (call_t *call, const place_t *place)
{
    json_t *sum = NULL;
    saker_err_t error =
        call_library (call, saker_read (call->peer, place->collection, place->document,
                                        place->pointer, take_counter, &sum));
    if (error == SAKER_OK && sum) {
        return say_json (call, sum);
    }
    json_decref (sum);
    return error;
}

static saker_err_t run_incr (call_t *call)
{
    place_t place;
    json_t *json = NULL;
    saker_receipt_t receipt;
    const char *amount = call_word (call, 2) ? call_word (call, 2) : "1";
    amount += *amount == '+';
    saker_err_t error = take_words (call, call_word (call, 1), amount, &place, &json);
    if (error == SAKER_OK && !json_is_integer (json)) {
        json_decref (json);
        return call_fail (call, SAKER_EINPUT, "incr: \"%s\" is no integer", amount);
    }
    if (error == SAKER_OK) {
        error = write_one (call, &place, json, fill_incr, &receipt);
    }
    if (error == SAKER_OK) {
        error = call->json ? say_receipt (call, &receipt) : print_counter (call, &place);
    }
    return error;
}

const command_t cmd_incr = {
    .name = "incr",
    .run = run_incr,
    .usage = "COLL/DOC PATH [N]",
    .summary = "Add N (default 1; may be negative) to a counter and print it; makes the counter.",
    .example = "saker incr shots/sc010 /takes\nsaker incr shots/sc010 /takes -2",
    .words_min = 2,
    .words_max = 3,
};

static saker_err_t fill_member (call_t *call, saker_batch_t *batch, const place_t *place,
                                const json_t *json, bool add)
{
    saker_value_t value;
    void *owned = NULL;
    saker_err_t error = fill_value (call, json, &value, &owned);
    if (error == SAKER_OK) {
        error = call_library (
            call, add ? saker_batch_add (batch, place->document, place->pointer, &value)
                      : saker_batch_remove (batch, place->document, place->pointer, &value));
    }
    free (owned);
    return error;
}

static saker_err_t fill_add (call_t *call, saker_batch_t *batch, const place_t *place,
                             const json_t *json)
{
    return fill_member (call, batch, place, json, true);
}

static saker_err_t fill_remove (call_t *call, saker_batch_t *batch, const place_t *place,
                                const json_t *json)
{
    return fill_member (call, batch, place, json, false);
}

static saker_err_t run_add (call_t *call)
{
    place_t place;
    json_t *json = NULL;
    saker_receipt_t receipt;
    saker_err_t error = take_words (call, call_word (call, 1), call_word (call, 2), &place, &json);
    if (error == SAKER_OK) {
        error = write_one (call, &place, json, fill_add, &receipt);
    }
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

const command_t cmd_add = {
    .name = "add",
    .run = run_add,
    .usage = "COLL/DOC PATH JSON",
    .summary = "Add a value to the set at PATH; makes the set.",
    .example = "saker add shots/sc010 /tags '\"night\"'",
    .words_min = 3,
    .words_max = 3,
};

static saker_err_t run_remove (call_t *call)
{
    place_t place;
    json_t *json = NULL;
    saker_receipt_t receipt;
    saker_err_t error = take_words (call, call_word (call, 1), call_word (call, 2), &place, &json);
    if (error == SAKER_OK) {
        error = write_one (call, &place, json, fill_remove, &receipt);
    }
    if (error == SAKER_OK && receipt.seq == 0) {
        error = nothing_there (call, &place, "no such member");
    }
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

const command_t cmd_remove = {
    .name = "remove",
    .run = run_remove,
    .usage = "COLL/DOC PATH JSON",
    .summary = "Remove a value from the set at PATH.",
    .details = "Exit status 3 when there is no such member.",
    .example = "saker remove shots/sc010 /tags '\"night\"'",
    .words_min = 3,
    .words_max = 3,
};
