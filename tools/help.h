/* Help: what --help prints. */

#ifndef TOOLS_HELP_H_INCLUDED
#define TOOLS_HELP_H_INCLUDED

#include "call.h"

/* Words up to here in a line. */
#define HELP_COLUMNS 79

/* One command: usage, summary, options, example. */
void help_command (FILE *file, const command_t *command);
/* The tool: its commands, from a table ended by NULL. */
void help_tool (FILE *file, const command_t *const commands[]);

#endif
