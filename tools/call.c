#include "call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const option_t call_common_options[] = {
    {"store", "DIR", "the store of this peer (default: $SAKER_STORE, else ~/.saker)"},
    {"json", NULL, "print JSON for programs, also about errors"},
    {"help", NULL, "print this help"},
    {NULL, NULL, NULL},
};

saker_err_t call_fail (call_t *call, saker_err_t error, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (call->sentence, sizeof call->sentence, format, arguments);
    va_end (arguments);
    return error;
}

saker_err_t call_library (call_t *call, saker_err_t error)
{
    if (error == SAKER_OK) {
        return SAKER_OK;
    }
    const char *text = saker_error_text ();
    return call_fail (call, error, "%s", text && *text ? text : saker_error_name (error));
}

void call_prefix (call_t *call, const char *format, ...)
{
    char words[CALL_SENTENCE_MAX / 2];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (words, sizeof words, format, arguments);
    va_end (arguments);
    if (size < 0) {
        return;
    }
    size_t before = strlen (words), after = strlen (call->sentence);
    size_t room = sizeof call->sentence - 1 - before;
    after = after < room ? after : room;
    memmove (call->sentence + before, call->sentence, after);
    memcpy (call->sentence, words, before);
    call->sentence[before + after] = 0;
}

saker_err_t call_memory (call_t *call)
{
    return call_fail (call, SAKER_ENOMEM, "out of memory");
}

const option_t *call_find_option (const option_t *options, const char *name, size_t size)
{
    for (; options && options->name; options++) {
        if (strlen (options->name) == size && strncmp (options->name, name, size) == 0) {
            return options;
        }
    }
    return NULL;
}

const command_t *call_find_command (const command_t *const commands[], const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp (commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* The value of an option that takes one: after '=', or the next argument. */
static saker_err_t take_value (call_t *call, const option_t *option, int argc, char **argv, int *at,
                               const char **value)
{
    const char *equals = strchr (argv[*at], '=');
    if (!option->argument) {
        *value = "";
        return equals ? call_fail (call, SAKER_EUSAGE, "--%s takes no value", option->name)
                      : SAKER_OK;
    }
    if (equals) {
        *value = equals + 1;
        return SAKER_OK;
    }
    if (*at + 1 >= argc) {
        return call_fail (call, SAKER_EUSAGE, "--%s needs a value: --%s %s", option->name,
                          option->name, option->argument);
    }
    *value = argv[++*at];
    return SAKER_OK;
}

bool call_take_common (call_t *call, int argc, char **argv, int *at, saker_err_t *error)
{
    const char *word = strcmp (argv[*at], "-h") == 0 ? "--help" : argv[*at];
    *error = SAKER_OK;
    if (strncmp (word, "--", 2) != 0) {
        return false;
    }
    const option_t *option =
        call_find_option (call_common_options, word + 2, strcspn (word + 2, "="));
    if (!option) {
        return false;
    }
    const char *value = NULL;
    *error = take_value (call, option, argc, argv, at, &value);
    if (*error != SAKER_OK) {
        return true;
    }
    if (option->argument) {
        call->given = value;
        if (!*value) {
            *error = call_fail (call, SAKER_EUSAGE, "--store needs the name of a folder");
        }
    } else if (strcmp (option->name, "json") == 0) {
        call->json = true;
    } else {
        call->help = true;
    }
    return true;
}

static saker_err_t take_option (call_t *call, int argc, char **argv, int *at)
{
    const char *word = argv[*at] + 2;
    size_t size = strcspn (word, "=");
    const option_t *option = call_find_option (call->command->options, word, size);
    if (!option || strncmp (argv[*at], "--", 2) != 0) {
        return call_fail (call, SAKER_EUSAGE, "%s: no option %s; see saker %s --help",
                          call->command->name, argv[*at], call->command->name);
    }
    if (call->options_count == CALL_OPTIONS_MAX) {
        return call_fail (call, SAKER_EUSAGE, "%s: too many options", call->command->name);
    }
    const char *value = NULL;
    saker_err_t error = take_value (call, option, argc, argv, at, &value);
    if (error == SAKER_OK) {
        call->options[call->options_count].option = option;
        call->options[call->options_count++].value = value;
    }
    return error;
}

static saker_err_t take_word (call_t *call, const char *word)
{
    if (call->words_count >= call->command->words_max || call->words_count == CALL_WORDS_MAX) {
        return call_fail (call, SAKER_EUSAGE, "%s: \"%s\" is one word too many; usage: saker %s %s",
                          call->command->name, word, call->command->name, call->command->usage);
    }
    call->words[call->words_count++] = word;
    return SAKER_OK;
}

static bool is_option (const char *word)
{
    return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

saker_err_t call_parse (call_t *call, const command_t *command, int argc, char **argv)
{
    call->command = command;
    bool only_words = false;
    saker_err_t error = SAKER_OK;
    for (int at = 0; at < argc && error == SAKER_OK; at++) {
        if (only_words || !is_option (argv[at])) {
            error = take_word (call, argv[at]);
        } else if (strcmp (argv[at], "--") == 0) {
            only_words = true;
        } else if (!call_take_common (call, argc, argv, &at, &error)) {
            error = take_option (call, argc, argv, &at);
        }
    }
    if (error == SAKER_OK && !where_store (call->given, call->store)) {
        return call_fail (call, SAKER_EUSAGE, "which store? give --store DIR");
    }
    if (error == SAKER_OK && !call->help && call->words_count < command->words_min) {
        return call_fail (call, SAKER_EUSAGE, "%s: something is missing; usage: saker %s %s",
                          command->name, command->name, command->usage);
    }
    return error;
}

saker_err_t call_open (call_t *call)
{
    return call_library (call, saker_open (&call->peer, call->store, CALL_OPEN_MS));
}

void call_close (call_t *call)
{
    saker_close (&call->peer);
}

const char *call_option (const call_t *call, const char *name)
{
    for (size_t i = call->options_count; i-- > 0;) {
        if (strcmp (call->options[i].option->name, name) == 0) {
            return call->options[i].value;
        }
    }
    return NULL;
}

const char *call_word (const call_t *call, size_t number)
{
    return number < call->words_count ? call->words[number] : NULL;
}

static int64_t unit_ms (const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000},       {"ms", 1},          {"s", 1000},
                 {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 86400 * 1000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp (unit, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

saker_err_t call_duration (call_t *call, const char *option, int64_t default_ms,
                           int64_t *duration_ms)
{
    const char *text = call_option (call, option);
    if (!text) {
        *duration_ms = default_ms;
        return SAKER_OK;
    }
    char *end = NULL;
    int64_t number = *text >= '0' && *text <= '9' ? strtoll (text, &end, 10) : -1;
    int64_t unit = number >= 0 ? unit_ms (end) : 0;
    /* Ten years are enough for everybody and fit every clock. */
    if (!unit || number > INT64_C (3650) * 86400 * 1000 / unit) {
        return call_fail (call, SAKER_EUSAGE,
                          "--%s %s is no duration; write it like 500ms, 10s, 5m, 1h or 30d", option,
                          text);
    }
    *duration_ms = number * unit;
    return SAKER_OK;
}
