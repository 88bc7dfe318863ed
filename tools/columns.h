/* Columns: text in the columns of a terminal, where a character takes none, one or two. */

#ifndef TOOLS_COLUMNS_H_INCLUDED
#define TOOLS_COLUMNS_H_INCLUDED

#include "strbuf.h"

#include <stdbool.h>

/* Makes the terminal's characters UTF-8, where the environment does not say so itself. */
void columns_begin (void);
/* Columns that a text takes; control characters and what is not UTF-8 count as one '?' each. */
size_t columns_width (const char *text);
/* Appends a text in exactly `width` columns: cut, with '…' in place of the rest, or filled with
   spaces, on the left with `right`. */
void columns_add (strbuf_t *line, const char *text, size_t width, bool right);

#endif
