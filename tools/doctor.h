/* Doctor: the parts of saker doctor, a file each, by where they look. */

#ifndef TOOLS_DOCTOR_H_INCLUDED
#define TOOLS_DOCTOR_H_INCLUDED

#include "findings.h"
#include "gateway/settings.h"

/* What all of them know. */
typedef struct doctor_t {
    call_t *call;
    findings_t findings;
    saker_config_t *config; /* of the store's saker.conf; the default where there is none */
    settings_t gateway;     /* of the same */
    bool store;             /* there is one */
    bool running;           /* its daemon answers; then these are there: */
    json_t *status, *links, *kept;
} doctor_t;

/* Looks at everything, from a doctor of which only `call` is set. doctor_free in any case. */
saker_err_t doctor_examine (doctor_t *self);
void doctor_free (doctor_t *self);

/* doctor_store.c: folder, keys, rights, disk, config. */
void doctor_store (doctor_t *self);
/* doctor_net.c: interfaces, ports, seeds. */
void doctor_net (doctor_t *self);
/* doctor_self.c: what the daemon says of itself: version, identity, store, what it refused. */
void doctor_self (doctor_t *self);
/* doctor_mesh.c: links, clocks, what waits, what holds the cut, whether all hold the same. */
void doctor_mesh (doctor_t *self);
/* doctor_carried.c: what was left, what only this peer carries. */
void doctor_carried (doctor_t *self);

#endif
