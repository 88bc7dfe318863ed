/* Cursor: a place in the change feed as a text, EPOCH-POSITION, that clients keep and give back. */

#ifndef TOOLS_GATEWAY_CURSOR_H_INCLUDED
#define TOOLS_GATEWAY_CURSOR_H_INCLUDED

#include "saker.h"

#define CURSOR_TEXT_SIZE 56

void cursor_text (const saker_cursor_t *cursor, char text[CURSOR_TEXT_SIZE]);
/* False when it is none. */
bool cursor_parse (const char *text, saker_cursor_t *cursor);

#endif
