/* carry: of which documents of a collection this peer has the state; and seen: what a client has
   seen of one, to be waited for at another peer. */

#include "commands.h"
#include "paint.h"
#include "say.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

typedef struct carry_t {
    json_t *parts;
    paint_table_t table;
    bool failed;
} carry_t;

static void add_row (carry_t *self, const saker_part_t *part, const char *prefixes)
{
    bool done = strcmp (part->state, "carried") == 0;
    const char *const cells[] = {part->collection, prefixes, part->state};
    paint_table_add (&self->table, done ? PAINT_GREEN : PAINT_YELLOW, 3, cells);
}

static int take_part (const saker_part_t *part, void *argument)
{
    carry_t *self = argument;
    strbuf_t text = {0};
    json_t *prefixes = json_array ();
    for (size_t i = 0; i < part->prefixes_count; i++) {
        strbuf_format (&text, "%s%s", i ? " " : "", part->prefixes[i]);
        self->failed |= json_array_append_new (prefixes, json_string (part->prefixes[i])) != 0;
    }
    add_row (self, part, text.data ? text.data : "(all of it)");
    json_t *json =
        json_pack ("{s:s,s:b,s:o,s:s}", "collection", part->collection, "whole",
                   part->prefixes_count == 0, "prefixes", prefixes, "state", part->state);
    self->failed |= text.failed || json_array_append_new (self->parts, json) != 0;
    strbuf_free (&text);
    return 0;
}

/* A part is kept in mind while its collection is left. */
static int tell_left (const saker_subscription_t *one, void *argument)
{
    const carry_t *self = argument;
    size_t index;
    json_t *part;
    json_array_foreach (self->parts, index, part)
    {
        const char *name = json_string_value (json_object_get (part, "collection"));
        bool left = strcmp (one->state, "left") == 0 || strcmp (one->state, "leaving") == 0;
        if (name && left && strcmp (name, one->collection) == 0) {
            printf ("%s is not carried at all: saker subscribe %s\n", name, name);
        }
    }
    return 0;
}

static saker_err_t tell (call_t *call, const char *collection)
{
    static const char *const heading[] = {"COLLECTION", "CARRIED", "STATE"};
    carry_t self = {.parts = json_array ()};
    paint_table_add (&self.table, PAINT_NONE, 3, heading);
    saker_err_t error =
        call_library (call, saker_carried (call->peer, collection, take_part, &self));
    if (error == SAKER_OK && (self.failed || self.table.failed)) {
        error = call_memory (call);
    }
    if (error == SAKER_OK && call->json) {
        error = say_json (call, json_pack ("{s:O}", "parts", self.parts));
    } else if (error == SAKER_OK && json_array_size (self.parts) > 0) {
        paint_table_print (&self.table, stdout);
        error = call_library (call, saker_subscriptions (call->peer, NULL, tell_left, &self));
    } else if (error == SAKER_OK) {
        printf ("this peer carries all of every collection\n");
    }
    json_decref (self.parts);
    paint_table_free (&self.table);
    return error;
}

/* "COLL/PREFIX" is taken for what it means. */
static const char *bare_prefix (const char *collection, const char *word)
{
    size_t size = strlen (collection);
    return strncmp (word, collection, size) == 0 && word[size] == '/' ? word + size + 1 : word;
}

static saker_err_t carry (call_t *call, const char *collection, size_t count, bool whole)
{
    const char *prefixes[CALL_WORDS_MAX];
    for (size_t i = 0; i < count; i++) {
        prefixes[i] = bare_prefix (collection, call_word (call, i + 1));
        if (!*prefixes[i]) {
            return call_fail (call, SAKER_EUSAGE,
                              "carry: a prefix has at least one byte; --whole carries all of %s",
                              collection);
        }
        if (prefixes[i][strlen (prefixes[i]) - 1] == '*') {
            fprintf (stderr,
                     "saker: note: %s is no pattern: carried is what begins with all of it, the * "
                     "included\n",
                     prefixes[i]);
        }
    }
    return call_library (call, saker_carry (call->peer, collection, prefixes, whole ? 0 : count));
}

static saker_err_t run_carry (call_t *call)
{
    const char *collection = call_word (call, 0);
    bool whole = call_option (call, "whole") != NULL;
    size_t count = 0;
    while (call_word (call, count + 1)) {
        count++;
    }
    if (whole && (count > 0 || !collection)) {
        return call_fail (call, SAKER_EUSAGE,
                          "carry: give one collection with --whole, and no "
                          "prefixes");
    }
    saker_err_t error = call_open (call);
    if (error == SAKER_OK && (whole || count > 0)) {
        error = carry (call, collection, count, whole);
    }
    return error == SAKER_OK ? tell (call, collection) : error;
}

static const option_t carry_options[] = {
    {"whole", NULL, "carry all of the collection (again)"},
    {NULL, NULL, NULL},
};

const command_t cmd_carry = {
    .name = "carry",
    .run = run_carry,
    .usage = "[COLL [--whole | PREFIX...]]",
    .summary = "Keep of a collection only the documents that begin with a prefix; or say which.",
    .details = "This is about a part of one collection; which collections are carried at all, "
               "saker subscribe says. All changes of the collection come as before, and are kept "
               "until all members have "
               "stored them; the documents themselves, "
               "what is listed, read, watched and written, are only those whose id begins with one "
               "of the prefixes (64 at most). What is not "
               "wanted any more is not shown from that moment and is removed; what is wanted and "
               "not here comes as a whole from a peer that "
               "carries it, and until then what is here stays. A document that is not carried "
               "cannot be written here: exit status 21. An admin's "
               "machine carries everything (exit status 5), so nothing is lost; have more than one "
               "of them, or what nobody else carries is on one "
               "disk alone. Without prefixes it says what is carried, and whether that is so "
               "already (carried), or still fetching (meanwhile its "
               "log is not cut here) or removing.",
    .options = carry_options,
    .example = "saker carry shots sq010 sq020",
    .words_min = 0,
    .words_max = CALL_WORDS_MAX,
};

static saker_err_t run_seen (call_t *call)
{
    char *token = NULL;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_seen (call->peer, call_word (call, 0), &token));
    }
    if (error == SAKER_OK && call->json) {
        error = say_json (
            call, json_pack ("{s:s,s:s}", "collection", call_word (call, 0), "token", token));
    } else if (error == SAKER_OK) {
        printf ("%s\n", token);
    }
    free (token);
    return error;
}

const command_t cmd_seen = {
    .name = "seen",
    .run = run_seen,
    .usage = "COLL",
    .summary = "Print a token of what is seen of a collection here, for saker wait --seen "
               "elsewhere.",
    .details = "So a program that goes on at another peer does not see less there than it has "
               "seen. The token is no secret. Waiting ends with "
               "exit status 12 when it is not there in time, with 14 when it never will be, since "
               "a device wrote two different changes of one "
               "number and the other one is there, with 21 where the collection is not carried.",
    .example = "ssh bob saker wait --seen \"$(saker seen shots)\"",
    .words_min = 1,
    .words_max = 1,
};
