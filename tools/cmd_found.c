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

static saker_err_t say_founded (call_t *call, const char *what, const char *mesh,
                                const char *device)
{
    if (call->json) {
        json_t *json = json_pack ("{s:s,s:s}", "store", call->store, "device", device);
        if (json && mesh) {
            json_object_set_new (json, "mesh", json_string (mesh));
        }
        return say_json (call, json);
    }
    printf ("%s%s%s as %s; the store is %s\n", what, mesh ? " " : "", mesh ? mesh : "", device,
            call->store);
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
    return error != SAKER_OK ? error : say_founded (call, "founded the mesh", mesh, device);
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
    error = call_library (call, saker_join (call->store, ticket, device, (int) timeout_ms));
    explicit_bzero (ticket, strlen (ticket));
    free (ticket);
    return error != SAKER_OK ? error : say_founded (call, "joined", NULL, device);
}

static const option_t join_options[] = {
    {"as", "DEVICE", "the name of this device (default: the name of the host)"},
    {"ticket-file", "FILE", "read the ticket from a file"},
    {"timeout", "TIME", "how long to try to reach the inviting peer (default: 30s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_join = {
    .name = "join",
    .run = run_join,
    .usage = "TICKET [--as DEVICE]",
    .summary = "Join a mesh with a ticket; TICKET may be - to read it from stdin.",
    .details = "Nothing is left behind when joining fails. A ticket in an argument can "
               "be seen by others on the machine while the command runs: prefer - or "
               "--ticket-file.",
    .options = join_options,
    .example = "saker join - --as bob < ticket\nsakerd  # until Ctrl-C",
    .words_min = 0,
    .words_max = 1,
};
