/* Complete: which words may come next on a command line, for the completion of shells. What is
   known of a command is what --help prints of it; names are asked from the daemon. */

#ifndef TOOLS_COMPLETE_H_INCLUDED
#define TOOLS_COMPLETE_H_INCLUDED

#include "call.h"

/* Prints the words that begin with the last of `words` (those after "saker"; it may be empty), one
   a line, some with a tab and a description. A line that begins with ':' is for the shell: ":files"
   and
   ":folders": names of such, too; ":nospace": the word goes on. Never fails: what cannot be asked
   is left out, and it ends within a second. `commands` is ended by NULL. */
void complete (const command_t *const commands[], int count, char **words);

#endif
