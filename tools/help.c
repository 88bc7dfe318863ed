#include "help.h"

#include <string.h>

static void print_options (FILE *file, const option_t *options)
{
    for (; options && options->name; options++) {
        char words[64];
        snprintf (words, sizeof words, "--%s%s%s", options->name, options->argument ? " " : "",
                  options->argument ? options->argument : "");
        fprintf (file, "  %-20s  %s\n", words, options->help);
    }
}

/* Each line of the example, indented. */
static void print_example (FILE *file, const char *example)
{
    while (*example) {
        size_t size = strcspn (example, "\n");
        fprintf (file, "  %.*s\n", (int) size, example);
        example += size + (example[size] == '\n');
    }
}

/* A paragraph, in lines. */
static void print_paragraph (FILE *file, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn (text, " ");
        bool fits = column + 1 + size <= HELP_COLUMNS;
        if (column) {
            fputc (fits ? ' ' : '\n', file);
        }
        fprintf (file, "%.*s", (int) size, text);
        column = (column && fits ? column + 1 : 0) + size;
        text += size + strspn (text + size, " ");
    }
    fputc ('\n', file);
}

void help_command (FILE *file, const command_t *command)
{
    fprintf (file, "usage: saker %s%s%s\n\n%s\n\n", command->name, *command->usage ? " " : "",
             command->usage, command->summary);
    if (command->details) {
        print_paragraph (file, command->details);
        fputc ('\n', file);
    }
    fputs ("options:\n", file);
    print_options (file, command->options);
    print_options (file, call_common_options);
    fputs ("\nexample:\n", file);
    print_example (file, command->example);
}

void help_tool (FILE *file, const command_t *const commands[])
{
    fputs ("usage: saker COMMAND [WORD]... [OPTION]...\n\n"
           "Set up, inspect and use the saker mesh through the daemon on this machine.\n\n"
           "commands:\n",
           file);
    for (; *commands; commands++) {
        fprintf (file, "  %-11s  %s\n", (*commands)->name, (*commands)->summary);
    }
    fputs ("\noptions of every command:\n", file);
    print_options (file, call_common_options);
    fputs ("\nPATH is a JSON Pointer, as in /name/first. TIME is a number with ms, s, m, h or d.\n"
           "The exit status is 0, or the number of the error; they are listed in saker(1).\n\n"
           "example:\n"
           "  saker demo\n"
           "  saker import --help\n",
           file);
}
