/* ls: what is there. */

#include "commands.h"
#include "paint.h"
#include "say.h"

#include <inttypes.h>

typedef struct list_t {
    json_t *json; /* with --json */
    bool counted; /* collections, with their number of documents */
    bool failed;
} list_t;

static int list_name (const char *name, uint64_t documents, void *argument)
{
    list_t *list = argument;
    if (list->json) {
        json_t *json = list->counted ? json_pack ("{s:s,s:I}", "collection", name, "documents",
                                                  (json_int_t) documents)
                                     : json_string (name);
        list->failed |= json_array_append_new (list->json, json) != 0;
        return 0;
    }
    paint_text (stdout, PAINT_NONE, name);
    if (list->counted) {
        printf ("\t%" PRIu64, documents);
    }
    putchar ('\n');
    return 0;
}

static saker_err_t run_ls (call_t *call)
{
    const char *collection = call_word (call, 0);
    list_t list = {.json = call->json ? json_array () : NULL, .counted = !collection};
    saker_err_t error = call_open (call);
    if (error == SAKER_OK && collection) {
        error = call_library (call, saker_documents (call->peer, collection, list_name, &list));
    } else if (error == SAKER_OK) {
        error = call_library (call, saker_collections (call->peer, list_name, &list));
    }
    if (error == SAKER_OK && list.failed) {
        error = call_memory (call);
    } else if (error == SAKER_OK && call->json) {
        error = say_json (call, json_incref (list.json));
    }
    json_decref (list.json);
    return error;
}

const command_t cmd_ls = {
    .name = "ls",
    .run = run_ls,
    .usage = "[COLL]",
    .summary = "List the collections with their number of documents, or the documents of one.",
    .example = "saker ls\nsaker ls languages",
    .words_min = 0,
    .words_max = 1,
};
