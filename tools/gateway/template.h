/* Template: how the body of an incoming webhook becomes a document. It is a JSON object in which
   texts may hold places of the body, as JSON Pointers in braces: "{/pull_request/title}". A text
   that is nothing but one place becomes the value that is there, of whatever type; in others it
   becomes text. What is not there is null, or no text. "{{" stands for a brace. Lists, which
   documents do not have yet, become their JSON text. */

#ifndef TOOLS_GATEWAY_TEMPLATE_H_INCLUDED
#define TOOLS_GATEWAY_TEMPLATE_H_INCLUDED

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TEMPLATE_SENTENCE_MAX 256
#define TEMPLATE_LEVELS_MAX 24

/* Is it one? Otherwise a sentence about what is wrong. */
bool template_check (const json_t *self, char sentence[TEMPLATE_SENTENCE_MAX]);
/* What it makes of a body. NULL: out of memory, or nested too deeply. Owned by the caller. */
json_t *template_fill (const json_t *self, const json_t *body);

#endif
