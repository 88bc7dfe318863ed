/* init, invite and join: how a mesh begins and grows. */

#include "commands.h"
#include "jsonin.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR_MS (INT64_C (3600) * 1000)
#define JOIN_MS 30000
#define NAME_MAX_BYTES 256

/* The name of this machine, without its domain. */
static void host_name (char name[NAME_MAX_BYTES])
{
    if (gethostname (name, NAME_MAX_BYTES) != 0 || !*name) {
        snprintf (name, NAME_MAX_BYTES, "device");
    }
    name[NAME_MAX_BYTES - 1] = 0;
    name[strcspn (name, ".")] = 0;
}

/* `only`: as given; NULL: everything is carried. */
static saker_err_t say_founded (call_t *call, const char *what, const char *mesh,
                                const char *device, const char *only)
{
    if (call->json) {
        json_t *json = json_pack ("{s:s,s:s}", "store", call->store, "device", device);
        if (json && mesh) {
            json_object_set_new (json, "mesh", json_string (mesh));
        }
        if (json && only) {
            json_object_set_new (json, "only", json_string (only));
        }
        return say_json (call, json);
    }
    printf ("%s%s%s as %s; the store is %s\n", what, mesh ? " " : "", mesh ? mesh : "", device,
            call->store);
    if (only) {
        printf ("it carries only: %s; saker subscribe lists what of it there is, once the daemon "
                "runs\n",
                only);
    }
    printf ("next: sakerd --store %s\n", call->store);
    return SAKER_OK;
}

static saker_err_t run_init (call_t *call)
{
    char host[NAME_MAX_BYTES];
    host_name (host);
    const char *device = call_option (call, "as") ? call_option (call, "as") : host;
    const char *mesh = call_word (call, 0);
    saker_err_t error = call_library (call, saker_init (call->store, mesh, device));
    return error != SAKER_OK ? error : say_founded (call, "founded the mesh", mesh, device, NULL);
}

static const option_t init_options[] = {
    {"as", "DEVICE", "the name of this device (default: the name of the host)"},
    {NULL, NULL, NULL},
};

const command_t cmd_init = {
    .name = "init",
    .run = run_init,
    .usage = "NAME [--as DEVICE]",
    .summary = "Found a mesh called NAME, with this device as its first member.",
    .details = "The store is made and must not exist before. NAME names the mesh; it is "
               "a label and can be the same as another's.",
    .options = init_options,
    .example = "saker init studio --as anna\nsakerd  # until Ctrl-C",
    .words_min = 1,
    .words_max = 1,
};

static saker_err_t run_invite (call_t *call)
{
    int64_t expires_ms = 0;
    saker_err_t error = call_duration (call, "expires", HOUR_MS, &expires_ms);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error != SAKER_OK) {
        return error;
    }
    const char *role = call_option (call, "role") ? call_option (call, "role") : "write";
    char ticket[SAKER_TICKET_MAX] = "";
    error = call_library (call, saker_invite (call->peer, role, expires_ms, ticket));
    if (error == SAKER_OK && call->json) {
        error = say_json (call, json_pack ("{s:s,s:s,s:I}", "ticket", ticket, "role", role,
                                           "expires_ms", (json_int_t) expires_ms));
    } else if (error == SAKER_OK) {
        puts (ticket);
        if (isatty (STDOUT_FILENO)) {
            fputs ("A secret, good for one machine. There: saker join -, and paste it.\n", stderr);
        }
    }
    explicit_bzero (ticket, sizeof ticket);
    return error;
}

static const option_t invite_options[] = {
    {"role", "ROLE", "what the new member may do: relay, read, write or admin (default: write)"},
    {"expires", "TIME", "how long the ticket is good: 30m, 1h, 7d (default: 1h)"},
    {NULL, NULL, NULL},
};

const command_t cmd_invite = {
    .name = "invite",
    .run = run_invite,
    .usage = "[--role ROLE] [--expires TIME]",
    .summary = "Print a ticket with which one other machine can join. It is a secret.",
    .options = invite_options,
    .example = "saker invite --role write --expires 1h",
    .words_min = 0,
    .words_max = 0,
};

/* The ticket: the word itself, or the first line of a file or of stdin. Owned by the caller. */
static saker_err_t read_ticket (call_t *call, char **ticket)
{
    const char *file = call_option (call, "ticket-file"), *word = call_word (call, 0);
    if (!file == !word) {
        return call_fail (call, SAKER_EUSAGE,
                          "join: give one ticket: as a word, as - for stdin, or with "
                          "--ticket-file");
    }
    if (word && strcmp (word, "-") != 0) {
        *ticket = strdup (word);
        return *ticket ? SAKER_OK : call_memory (call);
    }
    size_t size = 0;
    saker_err_t error = jsonin_load (call, file ? file : "-", ticket, &size);
    if (error == SAKER_OK) {
        char *from = *ticket + strspn (*ticket, " \t\r\n");
        memmove (*ticket, from, strlen (from) + 1);
        (*ticket)[strcspn (*ticket, " \t\r\n")] = 0;
    }
    return error;
}

/* ---- carrying only some */

typedef struct chosen_t {
    char *text; /* the list, cut into names */
    saker_part_t *parts;
    const char **prefixes; /* of each part */
    size_t count;
} chosen_t;

static void free_chosen (chosen_t *self)
{
    free (self->text);
    free (self->parts);
    free (self->prefixes);
}

/* COLL or COLL/PREFIX. */
static saker_err_t choose_one (call_t *call, chosen_t *self, char *word)
{
    char *slash = strchr (word, '/');
    saker_part_t *part = &self->parts[self->count];
    if (!*word || slash == word || (slash && !slash[1])) {
        return call_fail (call, SAKER_EUSAGE,
                          "join: --only takes collections, or COLL/PREFIX of documents, with a "
                          "comma between two: --only notes,shots/sq010");
    }
    *part = (saker_part_t){.collection = word};
    if (slash) {
        *slash = 0;
        self->prefixes[self->count] = slash + 1;
        part->prefixes = &self->prefixes[self->count];
        part->prefixes_count = 1;
    }
    self->count++;
    return SAKER_OK;
}

static saker_err_t choose (call_t *call, const char *only, chosen_t *self)
{
    size_t most = strlen (only) + 1; /* no more than it has letters */
    self->text = strdup (only);
    self->parts = calloc (most, sizeof *self->parts);
    self->prefixes = calloc (most, sizeof *self->prefixes);
    if (!self->text || !self->parts || !self->prefixes) {
        return call_memory (call);
    }
    saker_err_t error = SAKER_OK;
    char *rest = self->text;
    while (error == SAKER_OK && rest) {
        error = choose_one (call, self, strsep (&rest, ","));
    }
    return error;
}

static saker_err_t join (call_t *call, const char *ticket, const char *device, int timeout_ms)
{
    const char *only = call_option (call, "only");
    chosen_t chosen = {.count = 0};
    saker_err_t error = SAKER_OK;
    if (only) {
        error = choose (call, only, &chosen);
        error = error != SAKER_OK
                    ? error
                    : call_library (call, saker_join_only (call->store, ticket, device,
                                                           chosen.parts, chosen.count, timeout_ms));
    } else {
        error = call_library (call, saker_join (call->store, ticket, device, timeout_ms));
    }
    free_chosen (&chosen);
    return error;
}

static saker_err_t run_join (call_t *call)
{
    int64_t timeout_ms = 0;
    char *ticket = NULL, host[NAME_MAX_BYTES];
    saker_err_t error = call_duration (call, "timeout", JOIN_MS, &timeout_ms);
    if (error == SAKER_OK) {
        error = read_ticket (call, &ticket);
    }
    if (error != SAKER_OK) {
        return error;
    }
    host_name (host);
    const char *device = call_option (call, "as") ? call_option (call, "as") : host;
    error = join (call, ticket, device, (int) timeout_ms);
    explicit_bzero (ticket, strlen (ticket));
    free (ticket);
    return error != SAKER_OK
               ? error
               : say_founded (call, "joined", NULL, device, call_option (call, "only"));
}

static const option_t join_options[] = {
    {"as", "DEVICE", "the name of this device (default: the name of the host)"},
    {"only", "COLL[/PREFIX][,...]",
     "carry these collections alone from the first moment on, or of one the documents that begin "
     "with a prefix"},
    {"ticket-file", "FILE", "read the ticket from a file"},
    {"timeout", "TIME", "how long to try to reach the inviting peer (default: 30s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_join = {
    .name = "join",
    .run = run_join,
    .usage = "TICKET [--as DEVICE] [--only COLL[/PREFIX][,...]]",
    .summary = "Join a mesh with a ticket; TICKET may be - to read it from stdin.",
    .details = "Nothing is left behind when joining fails. A ticket in an argument can "
               "be seen by others on the machine while the command runs: prefer - or "
               "--ticket-file. With --only nothing else is ever fetched, also nothing that is made "
               "later; saker subscribe and saker carry change that. A name that is mistyped is no "
               "error, since a collection may be made later: saker subscribe lists what came of "
               "each. An admin's or a relay's ticket is refused then (exit status 5), and stays "
               "good: their peers carry everything.",
    .options = join_options,
    .example = "saker join - --as bob < ticket\nsakerd  # until Ctrl-C",
    .words_min = 0,
    .words_max = 1,
};
