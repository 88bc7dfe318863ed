/* store: look at a store that no daemon has open, without writing to it. It is done in a process of
   its own, since a damaged page of LMDB may end the one that reads it. */

#include "commands.h"
#include "paint.h"
#include "progress.h"
#include "say.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char pages_next[] =
    "make the store anew in another folder from a backup of this device (saker restore FILE), or "
    "join anew (saker join): what other peers have comes back; keep this folder until it has";

typedef struct checking_t {
    call_t *call;
    progress_t progress;
    uint64_t found;
    bool begun;
    saker_err_t error;
} checking_t;

static saker_err_t say_finding (call_t *call, const saker_finding_t *finding)
{
    if (call->json) {
        return say_json (call, json_pack ("{s:s,s:s,s:s}", "code", finding->code, "sentence",
                                          finding->sentence, "next", finding->next));
    }
    paint_text (stdout, PAINT_RED, "error:");
    putchar (' ');
    paint_text (stdout, PAINT_NONE, finding->sentence);
    printf (" [%s]\n    next: ", finding->code);
    paint_text (stdout, PAINT_NONE, finding->next);
    putchar ('\n');
    return SAKER_OK;
}

static int take_finding (const saker_finding_t *finding, void *argument)
{
    checking_t *checking = argument;
    progress_end (&checking->progress);
    checking->found++;
    checking->error = say_finding (checking->call, finding);
    return checking->error != SAKER_OK;
}

static int take_step (uint64_t done, uint64_t total, void *argument)
{
    checking_t *checking = argument;
    checking->progress.total = total;
    progress_step (&checking->progress, done);
    return 0;
}

static saker_err_t check (call_t *call)
{
    checking_t checking = {.call = call};
    progress_begin (&checking.progress, "checking", 0);
    saker_err_t error = saker_store_check (call->store, take_finding, take_step, &checking);
    progress_end (&checking.progress);
    if (checking.error != SAKER_OK) {
        return checking.error;
    }
    if (error == SAKER_OK && call->json) {
        return say_json (call, json_pack ("{s:i}", "findings", 0));
    }
    if (error == SAKER_OK) {
        printf ("OK: every record of %s is sound, and all of them agree\n", call->store);
    }
    return call_library (call, error);
}

/* ---- dump */

static int take_line (const char *json, size_t size, void *argument)
{
    (void) argument;
    return fwrite (json, 1, size, stdout) != size || putchar ('\n') == EOF;
}

static saker_err_t dump (call_t *call)
{
    return call_library (call, saker_store_dump (call->store, call_option (call, "collection"),
                                                 call_option (call, "document"), take_line, NULL));
}

/* ---- in a process of its own */

/* The child goes on from here and ends as the tool does; this process ends with its status. */
static saker_err_t in_child (call_t *call, saker_err_t (*look) (call_t *))
{
    int status = 0;
    fflush (stdout);
    pid_t child = fork ();
    if (child < 0) {
        return call_fail (call, SAKER_ENOMEM, "a process cannot be made: %s", strerror (errno));
    }
    if (child == 0) {
        return look (call);
    }
    while (waitpid (child, &status, 0) < 0) {
        if (errno != EINTR) {
            return call_fail (call, SAKER_EIO, "the process that looks is gone: %s",
                              strerror (errno));
        }
    }
    if (WIFEXITED (status)) {
        _exit (WEXITSTATUS (status));
    }
    int number = WTERMSIG (status);
    if (number == SIGPIPE) { /* nobody reads on, as in saker store dump | head */
        _exit (128 + SIGPIPE);
    }
    if (number != SIGSEGV && number != SIGBUS && number != SIGABRT && number != SIGFPE) {
        return call_fail (call, SAKER_EIO, "the process that looks was ended by signal %d", number);
    }
    saker_finding_t finding = {"pages.damaged",
                               "the pages of data.mdb lead astray: LMDB cannot go on reading",
                               pages_next};
    saker_err_t error = say_finding (call, &finding);
    return error != SAKER_OK ? error
                             : call_fail (call, SAKER_EDAMAGED, "store %s is damaged", call->store);
}

static saker_err_t run_store (call_t *call)
{
    const char *verb = call_word (call, 0), *store = call_word (call, 1);
    bool checks = strcmp (verb, "check") == 0;
    bool narrowed = call_option (call, "collection") || call_option (call, "document");
    if (!checks && strcmp (verb, "dump") != 0) {
        return call_fail (call, SAKER_EUSAGE, "store: %s: it is check or dump", verb);
    }
    if (checks && narrowed) {
        return call_fail (call, SAKER_EUSAGE, "store check looks at all of the store");
    }
    if (call_option (call, "document") && !call_option (call, "collection")) {
        return call_fail (call, SAKER_EUSAGE, "--document needs --collection");
    }
    if (store && !where_store (store, call->store)) {
        return call_fail (call, SAKER_EUSAGE, "%s is no name of a store", store);
    }
    return in_child (call, checks ? check : dump);
}

static const option_t store_options[] = {
    {"collection", "COLL", "dump: this collection only"},
    {"document", "ID", "dump: this document of it only"},
    {NULL, NULL, NULL},
};

const command_t cmd_store = {
    .name = "store",
    .run = run_store,
    .usage = "check [DIR] | dump [DIR] [--collection COLL] [--document ID]",
    .summary = "Look at a store whose daemon is stopped: is it sound, and what does it hold?",
    .details = "Nothing is written. check reads all of it: the checksum of every record, each "
               "index with what it indexes, the clocks with the log and the cut, the chain of "
               "hashes in the log, the fingerprints added up anew, counts and receipts. Each "
               "finding has a code that stays, a sentence and a next step; exit status 10 when "
               "there is one. dump prints what the store holds as JSON lines, each with its kind: "
               "store, collection (clock, cut, fingerprint), statement (of the roster), value (of "
               "a document, rivals too, with who wrote it and when), change (of the log, as far "
               "as this device can read it), receipt, damaged. It prints no key and no ticket, "
               "but documents as they are. Exit status 9 while a daemon runs on the store.",
    .options = store_options,
    .example = "saker store check\n"
               "saker store dump --collection shots --document sc010\n"
               "saker store dump > store.jsonl",
    .words_min = 1,
    .words_max = 2,
};
