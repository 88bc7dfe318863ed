/* restore-doc: writes anew what a document was at a time. */

#include "commands.h"
#include "moment.h"
#include "place.h"
#include "say.h"

static saker_err_t run_restore_doc (call_t *call)
{
    place_t place;
    uint64_t time_ms = 0;
    saker_receipt_t receipt;
    saker_err_t error = place_parse (call, call_word (call, 0), call_word (call, 1), &place);
    if (error == SAKER_OK && !call_option (call, "at")) {
        return call_fail (call, SAKER_EUSAGE,
                          "restore-doc: as of when? give --at TIME, as in --at 2h");
    }
    if (error == SAKER_OK) {
        error = moment_option (call, "at", &time_ms);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = call_library (call,
                              saker_restore_document (call->peer, place.collection, place.document,
                                                      place.pointer, time_ms, &receipt));
    }
    if (error == SAKER_OK && receipt.seq == 0 && !call->json) {
        fputs ("saker: it shows that already; nothing was written\n", stderr);
    }
    return error == SAKER_OK ? say_receipt (call, &receipt) : error;
}

static const option_t restore_doc_options[] = {
    {"at", "TIME", "the time: 2026-11-29T12:00:00Z, or how long ago: 10m, 2h, 3d"},
    {NULL, NULL, NULL},
};

const command_t cmd_restore_doc = {
    .name = "restore-doc",
    .run = run_restore_doc,
    .usage = "COLL/DOC [PATH] --at TIME",
    .summary = "Make a document, or what is at PATH in it, what it was at a time, by a new change.",
    .details = "It is a change like any other: nothing of the history goes, what is "
               "equal is left alone, and what others write at the same time stays beside "
               "it, as a rival. A counter gets the difference, a set gets and loses "
               "members. Exit status 3 when nothing was there at that time.",
    .options = restore_doc_options,
    .example = "saker restore-doc shots/sc010 --at 2h",
    .words_min = 1,
    .words_max = 2,
};
