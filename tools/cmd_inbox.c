/* inbox: incoming webhooks, which become documents. */

#include "commands.h"
#include "gateway/inbox.h"
#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "jsonin.h"
#include "paint.h"
#include "say.h"
#include "secretfile.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *hooks_in (const call_t *call)
{
    const char *given = call_option (call, "in");
    return given ? given : HOOK_COLLECTION;
}

static saker_err_t take_text (call_t *call, const char *option, const char *standard, char *text,
                              size_t size)
{
    const char *value = call_option (call, option);
    value = value ? value : standard;
    if (strlen (value) >= size) {
        return call_fail (call, SAKER_EUSAGE, "inbox: --%s has %zu bytes at most", option,
                          size - 1);
    }
    snprintf (text, size, "%s", value);
    return SAKER_OK;
}

static saker_err_t take_template (call_t *call, inbox_t *inbox)
{
    const char *file = call_option (call, "template");
    jsonin_t in = {.name = file};
    char *text = NULL;
    if (!file) {
        return call_fail (call, SAKER_EUSAGE,
                          "inbox add: what becomes of a delivery? give --template FILE");
    }
    saker_err_t error = jsonin_load (call, file, &text, &in.size);
    in.text = text;
    if (error == SAKER_OK && in.size > INBOX_TEMPLATE_BYTES_MAX) {
        error = call_fail (call, SAKER_ELIMIT, "a template has %d bytes at most",
                           INBOX_TEMPLATE_BYTES_MAX);
    }
    if (error == SAKER_OK) {
        error = jsonin_read (call, &in, 0, in.size, &inbox->template);
    }
    free (text);
    return error;
}

static saker_err_t take_options (call_t *call, inbox_t *inbox)
{
    const char *scheme = call_option (call, "scheme"), *name = call_word (call, 1);
    if (scheme && strcmp (scheme, "standard") != 0 && strcmp (scheme, "hmac") != 0) {
        return call_fail (call, SAKER_EUSAGE, "inbox add: --scheme is standard or hmac, not %s",
                          scheme);
    }
    if (strlen (name) > HOOK_NAME_MAX) {
        return call_fail (call, SAKER_EUSAGE, "inbox add: the name is too long");
    }
    snprintf (inbox->name, sizeof inbox->name, "%s", name);
    inbox->scheme = scheme && strcmp (scheme, "hmac") == 0 ? INBOX_HMAC : INBOX_STANDARD;
    inbox->made_ms = instant_wall_ms ();
    saker_err_t error =
        take_text (call, "collection", "", inbox->collection, sizeof inbox->collection);
    if (error == SAKER_OK) {
        error = take_text (call, "prefix", "", inbox->prefix, sizeof inbox->prefix);
    }
    if (error == SAKER_OK) {
        error =
            take_text (call, "header", INBOX_HEADER_DEFAULT, inbox->header, sizeof inbox->header);
    }
    if (error == SAKER_OK) {
        error = take_text (call, "id-header", INBOX_ID_HEADER_DEFAULT, inbox->id_header,
                           sizeof inbox->id_header);
    }
    return error == SAKER_OK ? take_template (call, inbox) : error;
}

/* A secret that was made here is shown once. */
static saker_err_t tell (call_t *call, const inbox_t *inbox)
{
    const char *secret = call_option (call, "secret-file") ? NULL : inbox->secret;
    if (!call->json) {
        if (secret) {
            printf ("%s\n", secret);
        }
        return SAKER_OK;
    }
    json_t *json = inbox_show (inbox);
    if (json && secret) {
        json_object_set_new (json, "secret", json_string (secret));
    }
    return say_json (call, json);
}

static saker_err_t run_add (call_t *call)
{
    inbox_t inbox = {.template = NULL};
    const char *file = call_option (call, "secret-file");
    saker_err_t error = take_options (call, &inbox);
    if (error == SAKER_OK && file) {
        error = secretfile_read (call, file, inbox.secret);
    } else if (error == SAKER_OK) {
        inbox_make_secret (&inbox);
    }
    if (error == SAKER_OK) {
        error = inbox_check (call, &inbox);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = inbox_add (call, hooks_in (call), &inbox);
    }
    if (error == SAKER_OK) {
        error = tell (call, &inbox);
    }
    inbox_free (&inbox);
    return error;
}

static int print_inbox (const char *document, json_t *json, void *argument)
{
    call_t *call = argument;
    inbox_t inbox;
    if (inbox_take (&inbox, document + strlen ("inbox/"), json) == SAKER_OK) {
        if (call->json) {
            (void) say_json (call, inbox_show (&inbox));
        } else {
            printf ("%-16s  %s  ", inbox.name,
                    inbox.scheme == INBOX_HMAC ? "hmac    " : "standard");
            paint_text (stdout, PAINT_NONE, inbox.collection);
            putchar ('\n');
        }
    }
    inbox_free (&inbox);
    return 0;
}

static saker_err_t run_list (call_t *call)
{
    saker_err_t error = call_open (call);
    return error != SAKER_OK ? error
                             : lookup_all (call, hooks_in (call), "inbox/", print_inbox, call);
}

static saker_err_t run_show (call_t *call)
{
    inbox_t inbox;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = inbox_read (call, hooks_in (call), call_word (call, 1), &inbox);
    }
    if (error != SAKER_OK) {
        return error;
    }
    error = say_json (call, inbox_show (&inbox));
    inbox_free (&inbox);
    return error;
}

static saker_err_t run_remove (call_t *call)
{
    saker_err_t error = call_open (call);
    return error != SAKER_OK ? error : inbox_remove (call, hooks_in (call), call_word (call, 1));
}

static saker_err_t run_inbox (call_t *call)
{
    static const struct {
        const char *name;
        size_t words;
        saker_err_t (*run) (call_t *call);
    } parts[] = {{"add", 2, run_add},
                 {"list", 1, run_list},
                 {"show", 2, run_show},
                 {"remove", 2, run_remove}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp (call_word (call, 0), parts[i].name) == 0
            && call->words_count == parts[i].words) {
            return parts[i].run (call);
        }
    }
    return call_fail (call, SAKER_EUSAGE, "inbox: usage: saker inbox %s", call->command->usage);
}

static const option_t inbox_options[] = {
    {"collection", "COLL", "add: where the documents are made"},
    {"template", "FILE", "add: what becomes of a delivery; JSON, {/a/b} stands for a place in it"},
    {"prefix", "TEXT", "add: what the ids of the documents begin with"},
    {"scheme", "NAME", "add: standard (the default, Standard Webhooks) or hmac (git forges)"},
    {"secret-file", "FILE", "add: the secret; otherwise one is made and printed, once"},
    {"header", "NAME", "add: hmac: where the signature is (default: X-Hub-Signature-256)"},
    {"id-header", "NAME", "add: hmac: where the delivery's id is (default: X-GitHub-Delivery)"},
    {"in", "COLL", "the collection of the inboxes (default: hooks)"},
    {NULL, NULL, NULL},
};

const command_t cmd_inbox = {
    .name = "inbox",
    .run = run_inbox,
    .usage = "add NAME [OPTION]... | list | show NAME | remove NAME",
    .summary = "Take webhooks of other programs in: each delivery becomes one document.",
    .details = "Deliveries come to /v1/inbox/NAME of the gateway of any peer that has "
               "hooks in its saker.conf(5). The same delivery makes the same document, "
               "at whichever peer and however often it comes. Exit status 3 when there "
               "is no such inbox, 4 when the name is taken.",
    .options = inbox_options,
    .example = "saker inbox add forge --scheme hmac --collection reviews --template review.json\n"
               "saker inbox list",
    .words_min = 1,
    .words_max = 2,
};
