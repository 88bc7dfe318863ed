/* Prom: the text format of Prometheus, version 0.0.4. */

#ifndef TOOLS_GATEWAY_PROM_H_INCLUDED
#define TOOLS_GATEWAY_PROM_H_INCLUDED

#include "strbuf.h"

#define PROM_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Begins a family; all its samples follow. `type`: counter, gauge, histogram. */
void prom_family (strbuf_t *text, const char *name, const char *type, const char *help);
/* One sample without labels. */
void prom_bare (strbuf_t *text, const char *name, double value);
/* One sample; its labels are names and values by turns, up to the first NULL. */
void prom_labelled (strbuf_t *text, const char *name, double value, const char *const labels[]);
#define prom_sample(text, name, value, ...)                                                        \
    prom_labelled (text, name, value, (const char *const[]){__VA_ARGS__, NULL})
/* A family of one sample without labels. */
void prom_one (strbuf_t *text, const char *name, const char *type, const char *help, double value);

#endif
