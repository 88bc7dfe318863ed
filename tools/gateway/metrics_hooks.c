#include "gateway/hook.h"
#include "gateway/metrics.h"
#include "gateway/prom.h"

#include <stdlib.h>
#include <string.h>

#define HOOKS_MAX 64
#define NAMES_MAX 100000 /* that are looked at */

typedef struct tallied_t {
    char name[HOOK_NAME_MAX + 1];
    size_t waiting, dead;
} tallied_t;

typedef struct counting_t {
    tallied_t hooks[HOOKS_MAX];
    size_t count, looked;
    const char *kind; /* "hook/", "aside/", "dead/" */
} counting_t;

static tallied_t *tallied_of (counting_t *self, const char *name, size_t size)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strlen (self->hooks[i].name) == size
            && strncmp (self->hooks[i].name, name, size) == 0) {
            return &self->hooks[i];
        }
    }
    return NULL;
}

/* Documents are hook/HOOK, aside/HOOK/EVENT and dead/HOOK/EVENT; see hook.h. */
static int see_document (const char *document, uint64_t documents, void *argument)
{
    counting_t *self = argument;
    const char *name = document + strlen (self->kind);
    (void) documents;
    if (strncmp (document, self->kind, strlen (self->kind)) != 0 || ++self->looked > NAMES_MAX) {
        return 1;
    }
    tallied_t *tallied = tallied_of (self, name, strcspn (name, "/"));
    if (*self->kind == 'h' && self->count < HOOKS_MAX && strlen (name) <= HOOK_NAME_MAX) {
        snprintf (self->hooks[self->count++].name, HOOK_NAME_MAX + 1, "%s", name);
    } else if (tallied && *self->kind == 'a') {
        tallied->waiting++;
    } else if (tallied && *self->kind == 'd') {
        tallied->dead++;
    }
    return 0;
}

static void count_all (counting_t *self, call_t *call, const char *hooks)
{
    static const char *const kinds[] = {"hook/", "aside/", "dead/"};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < 3 && error == SAKER_OK; i++) {
        self->kind = kinds[i];
        error = saker_documents_from (call->peer, hooks, self->kind, see_document, self);
    }
}

void metrics_hooks (strbuf_t *text, call_t *call, const char *hooks)
{
    counting_t *self = calloc (1, sizeof *self);
    if (!self) {
        text->failed = true;
        return;
    }
    count_all (self, call, hooks);
    prom_family (text, "saker_hook_waiting", "gauge",
                 "Events that could not be delivered and are tried again.");
    for (size_t i = 0; i < self->count; i++) {
        prom_sample (text, "saker_hook_waiting", (double) self->hooks[i].waiting, "hook",
                     self->hooks[i].name);
    }
    prom_family (text, "saker_hook_dead_letters", "gauge",
                 "Events that could not be delivered and are not tried any more.");
    for (size_t i = 0; i < self->count; i++) {
        prom_sample (text, "saker_hook_dead_letters", (double) self->hooks[i].dead, "hook",
                     self->hooks[i].name);
    }
    free (self);
}
