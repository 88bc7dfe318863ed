/* Call: one command line of the saker tool, parsed by the command's own table of options, with what
   every command needs: the store, the answer's form, and the sentence about what went wrong. */

#ifndef TOOLS_CALL_H_INCLUDED
#define TOOLS_CALL_H_INCLUDED

#include "saker.h"
#include "where.h"

#include <stdio.h>

#define CALL_WORDS_MAX 65 /* of carry: a collection and its prefixes */
#define CALL_OPTIONS_MAX 32
#define CALL_SENTENCE_MAX 2048
#define CALL_OPEN_MS 5000

typedef struct option_t {
    const char *name;     /* without the dashes */
    const char *argument; /* what --help calls its argument; NULL: it takes none */
    const char *help;
} option_t;

typedef struct call_t call_t;

typedef struct command_t {
    const char *name;
    saker_err_t (*run) (call_t *call);
    const char *usage;       /* the words after the name, as --help prints them */
    const char *summary;     /* one sentence */
    const char *details;     /* what else is to be known, a paragraph; may be NULL */
    const option_t *options; /* ended by a NULL name; may be NULL */
    /* Command lines, one a line; tests/net/test_examples.sh runs every one. What one needs that is
       not always there stands behind it: "# on a terminal", "# until Ctrl-C", "# needs Graphviz".
     */
    const char *example;
    size_t words_min, words_max;
} command_t;

struct call_t {
    const command_t *command;
    const char *given; /* --store; NULL: the default one */
    char store[PATH_MAX];
    bool json;
    bool help;
    size_t words_count;
    const char *words[CALL_WORDS_MAX];
    size_t options_count;
    struct {
        const option_t *option;
        const char *value;
    } options[CALL_OPTIONS_MAX];
    saker_t *peer; /* once call_open succeeded */
    char sentence[CALL_SENTENCE_MAX];
};

/* The options that every command has. */
extern const option_t call_common_options[];

/* In lists that end with NULL; NULL: it is not there. The name of an option has `size` bytes. */
const option_t *call_find_option (const option_t *options, const char *name, size_t size);
const command_t *call_find_command (const command_t *const commands[], const char *name);

/* Parses the arguments after the name of the command. Words that begin with a dash and a digit are
   words, so that negative numbers need no care; "--" ends the options. */
saker_err_t call_parse (call_t *call, const command_t *command, int argc, char **argv);
/* Takes one of the common options at argv[*at]; false when it is something else. */
bool call_take_common (call_t *call, int argc, char **argv, int *at, saker_err_t *error);
void call_close (call_t *call);

/* Connects to the daemon of the store. */
saker_err_t call_open (call_t *call);

/* The value of an option, "" for one without argument; NULL when it was not given. */
const char *call_option (const call_t *call, const char *name);
/* A word by number, or NULL. */
const char *call_word (const call_t *call, size_t number);
/* A duration: "500ms", "10s", "5m", "1h", "30d"; without a unit, seconds. */
saker_err_t call_duration (call_t *call, const char *option, int64_t default_ms,
                           int64_t *duration_ms);

/* Keeps the sentence and returns the error. */
saker_err_t call_fail (call_t *call, saker_err_t error, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* The same with the library's sentence about its last failure. SAKER_OK stays. */
saker_err_t call_library (call_t *call, saker_err_t error);
/* Puts words before the sentence that is there. */
void call_prefix (call_t *call, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
saker_err_t call_memory (call_t *call);

#endif
