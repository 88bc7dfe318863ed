/* saker: the tool that people use to set up, inspect and repair a mesh. Each command is an entry in
   the table below and a function in its own file. */

#include "canon.h"
#include "columns.h"
#include "commands.h"
#include "complete.h"
#include "help.h"
#include "manual.h"
#include "paint.h"
#include "say.h"

#include <string.h>

static const command_t *const commands[] = {
    &cmd_init,        &cmd_invite,    &cmd_join,      &cmd_status,
    &cmd_peers,       &cmd_ls,        &cmd_get,       &cmd_set,
    &cmd_delete,      &cmd_incr,      &cmd_add,       &cmd_remove,
    &cmd_import,      &cmd_export,    &cmd_watch,     &cmd_wait,
    &cmd_verify,      &cmd_log,       &cmd_show,      &cmd_diff,
    &cmd_restore_doc, &cmd_conflicts, &cmd_revoke,    &cmd_role,
    &cmd_fence,       &cmd_keys,      &cmd_subscribe, &cmd_unsubscribe,
    &cmd_carry,       &cmd_seen,      &cmd_gc,        &cmd_backup,
    &cmd_restore,     &cmd_store,     &cmd_links,     &cmd_ping,
    &cmd_why,         &cmd_trace,     &cmd_tail,      &cmd_listen,
    &cmd_dial,        &cmd_doctor,    &cmd_bundle,    &cmd_graph,
    &cmd_top,         &cmd_queue,     &cmd_token,     &cmd_hooks,
    &cmd_inbox,       &cmd_demo,      NULL,
};

static void print_error (const call_t *call, saker_err_t error)
{
    const char *sentence = *call->sentence ? call->sentence : saker_error_name (error);
    if (!call->json) {
        paint_text (stderr, PAINT_RED, "saker:");
        fputc (' ', stderr);
        paint_text (stderr, PAINT_NONE, sentence);
        fputc ('\n', stderr);
        return;
    }
    json_t *json = json_pack ("{s:{s:i,s:s,s:s}}", "error", "code", (int) error, "name",
                              saker_error_name (error), "message", sentence);
    strbuf_t text = {0};
    canon_add (&text, json);
    fprintf (stderr, "%s\n", text.data ? text.data : "{}");
    strbuf_free (&text);
    json_decref (json);
}

static saker_err_t run_command (call_t *call, const command_t *command, int argc, char **argv)
{
    saker_err_t error = call_parse (call, command, argc, argv);
    if (error == SAKER_OK && call->help) {
        help_command (stdout, command);
    } else if (error == SAKER_OK) {
        error = command->run (call);
    }
    call_close (call);
    if (error == SAKER_OK) {
        error = say_end (call);
    }
    return error;
}

static saker_err_t fail_command (call_t *call, const char *name)
{
    const char *names[sizeof commands / sizeof *commands];
    size_t count = 0;
    while (commands[count]) {
        names[count] = commands[count]->name;
        count++;
    }
    const char *nearest = saker_nearest (name, names, count);
    return call_fail (call, SAKER_EUSAGE, "there is no command %s%s%s; see saker --help", name,
                      nearest ? ", did you mean " : "", nearest ? nearest : "");
}

/* `saker help --man` makes saker(1) of the page on stdin, `saker help --man COMMAND` its page. */
static saker_err_t run_manual (call_t *call, const char *name)
{
    const command_t *command = name ? call_find_command (commands, name) : NULL;
    if (name && !command) {
        return fail_command (call, name);
    }
    if (command) {
        manual_command (stdout, command);
    } else if (!manual_fill (stdin, stdout, commands)) {
        return call_fail (call, SAKER_EINPUT, "a line of the page on stdin is too long");
    }
    return say_end (call);
}

/* `saker`, `saker --help`, `saker help`, `saker help COMMAND`. */
static saker_err_t run_help (call_t *call, int count, char **words)
{
    const char *name = count > 0 ? words[0] : NULL;
    if (name && strcmp (name, "--complete") == 0) {
        complete (commands, count - 1, words + 1);
        return SAKER_OK;
    }
    if (name && strcmp (name, "--man") == 0) {
        return run_manual (call, count > 1 ? words[1] : NULL);
    }
    const command_t *command = name ? call_find_command (commands, name) : NULL;
    if (name && !command) {
        return fail_command (call, name);
    }
    if (command) {
        help_command (stdout, command);
    } else {
        help_tool (stdout, commands);
    }
    return say_end (call);
}

static saker_err_t run (call_t *call, int argc, char **argv)
{
    saker_err_t error = SAKER_OK;
    int at = 1;
    while (at < argc && call_take_common (call, argc, argv, &at, &error)) {
        at++;
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (at < argc && strcmp (argv[at], "--version") == 0) {
        printf ("saker %s\n", saker_version ());
        return say_end (call);
    }
    if (at == argc && !call->help) {
        help_tool (stderr, commands);
        return call_fail (call, SAKER_EUSAGE, "no command was given");
    }
    if (at == argc || strcmp (argv[at], "help") == 0) {
        return run_help (call, argc - at - 1, argv + at + 1);
    }
    const command_t *command = call_find_command (commands, argv[at]);
    if (!command) {
        return fail_command (call, argv[at]);
    }
    return run_command (call, command, argc - at - 1, argv + at + 1);
}

/* Known before anything is parsed, so that even a wrong command line is answered in JSON. */
static bool wants_json (int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp (argv[i], "--") != 0; i++) {
        if (strcmp (argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int main (int argc, char **argv)
{
    static call_t call;
    columns_begin ();
    call.json = wants_json (argc, argv);
    saker_err_t error = run (&call, argc, argv);
    if (error != SAKER_OK) {
        fflush (stdout);
        print_error (&call, error);
    }
    return (int) error;
}
