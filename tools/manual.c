#include "manual.h"

#include <ctype.h>
#include <string.h>

#define LINE_BYTES_MAX 4096
#define COLUMNS 76 /* about so long is a line of a page's source */

static void put_char (FILE *file, char c)
{
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'"', "\\(dq"},
                   {'^', "\\(ha"}, {'~', "\\(ti"}, {'`', "\\(ga"}};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].c == c) {
            fputs (escapes[i].escape, file);
            return;
        }
    }
    fputc (c, file);
}

static void put (FILE *file, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        put_char (file, text[i]);
    }
}

static void put_bold (FILE *file, const char *text, size_t size)
{
    fputs ("\\fB", file);
    put (file, text, size);
    fputs ("\\fP", file);
}

/* How much of a word is bold: an option, or the name of a page before its section. */
static size_t bold_size (const char *word, size_t size)
{
    size_t name = 0;
    while (name < size && (islower ((unsigned char) word[name]) || strchr ("-._", word[name]))) {
        name++;
    }
    bool option = name > 2 && word[0] == '-' && word[1] == '-';
    bool page = name && name + 3 <= size && word[name] == '('
                && isdigit ((unsigned char) word[name + 1]) && word[name + 2] == ')';
    while (option && !islower ((unsigned char) word[name - 1])) {
        name--; /* the full stop behind it */
    }
    return option || page ? name : 0;
}

/* A paragraph. */
static void put_text (FILE *file, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn (text, " ");
        if (column) {
            fputc (column + size < COLUMNS ? ' ' : '\n', file);
        }
        column = column && column + size < COLUMNS ? column + 1 + size : size;
        size_t bold = bold_size (text, size);
        if (bold) {
            put_bold (file, text, bold);
        } else if (*text == '.') {
            fputs ("\\&", file); /* no request */
        }
        put (file, text + bold, size - bold);
        text += size + strspn (text + size, " ");
    }
    fputc ('\n', file);
}

static void put_options (FILE *file, const option_t *options)
{
    for (; options && options->name; options++) {
        fputs (".TP\n\\fB\\-\\-", file);
        put (file, options->name, strlen (options->name));
        fputs ("\\fP", file);
        if (options->argument) {
            fputs (" \\fI", file);
            put (file, options->argument, strlen (options->argument));
            fputs ("\\fP", file);
        }
        fputc ('\n', file);
        put_text (file, options->help);
    }
}

static void put_example (FILE *file, const char *example)
{
    fputs (".SH EXAMPLES\n.EX\n", file);
    while (*example) {
        size_t size = strcspn (example, "\n");
        fputs ("    ", file);
        put (file, example, size);
        fputc ('\n', file);
        example += size + (example[size] == '\n');
    }
    fputs (".EE\n", file);
}

void manual_command (FILE *file, const command_t *command)
{
    char name[64];
    size_t size = 0;
    for (; command->name[size] && size + 1 < sizeof name; size++) {
        name[size] = (char) toupper ((unsigned char) command->name[size]);
    }
    fputs (".\\\" made of the text of saker COMMAND --help\n.TH SAKER\\-", file);
    put (file, name, size);
    fputs (" 1 \"\" \"saker\" \"User Commands\"\n.SH NAME\nsaker\\-", file);
    put (file, command->name, size);
    fputs (" \\- ", file);
    /* whatis wants a phrase, not a sentence */
    size = strlen (command->summary);
    put_char (file, (char) tolower ((unsigned char) *command->summary));
    put (file, command->summary + 1, size - 1 - (command->summary[size - 1] == '.'));
    fputs ("\n.SH SYNOPSIS\n", file);
    put_bold (file, "saker ", 6);
    put_bold (file, command->name, strlen (command->name));
    fputc (' ', file);
    put (file, command->usage, strlen (command->usage));
    fputs ("\n.SH DESCRIPTION\n", file);
    put_text (file, command->summary);
    if (command->details) {
        fputs (".PP\n", file);
        put_text (file, command->details);
    }
    fputs (".SH OPTIONS\n", file);
    put_options (file, command->options);
    put_options (file, call_common_options);
    put_example (file, command->example);
    fputs (".SH EXIT STATUS\n0, or the number of the error, as listed in\n.BR saker (1).\n"
           ".SH SEE ALSO\n.BR saker (1),\n.BR sakerd (8)\n",
           file);
}

/* ---- saker(1) */

static void put_commands (FILE *file, const command_t *const commands[])
{
    for (; *commands; commands++) {
        fputs (".TP\n\\fBsaker\\-", file);
        put (file, (*commands)->name, strlen ((*commands)->name));
        fputs ("\\fP(1)\n", file);
        put_text (file, (*commands)->summary);
    }
}

static void put_errors (FILE *file)
{
#define PUT_ERROR(name, number, text) fprintf (file, ".TP\n.B %d\n%s\n", number, text);
    SAKER_ERRORS (PUT_ERROR)
#undef PUT_ERROR
}

bool manual_fill (FILE *page, FILE *file, const command_t *const commands[])
{
    char line[LINE_BYTES_MAX];
    while (fgets (line, sizeof line, page)) {
        if (!strchr (line, '\n') && !feof (page)) {
            return false;
        }
        if (strcmp (line, "@COMMANDS@\n") == 0) {
            put_commands (file, commands);
        } else if (strcmp (line, "@ERRORS@\n") == 0) {
            put_errors (file);
        } else {
            fputs (line, file);
        }
    }
    return true;
}
