/* Manual: the pages of man, made when the tool is built, of the same texts that --help prints. */

#ifndef TOOLS_MANUAL_H_INCLUDED
#define TOOLS_MANUAL_H_INCLUDED

#include "call.h"

/* The page saker-COMMAND(1). */
void manual_command (FILE *file, const command_t *command);
/* Copies a page and puts, in the place of the line @COMMANDS@, a list of the commands (a table
   ended by NULL), and in that of @ERRORS@ one of the exit statuses. False: a line over 4 KiB. */
bool manual_fill (FILE *page, FILE *file, const command_t *const commands[]);

#endif
