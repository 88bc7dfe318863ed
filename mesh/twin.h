/* Twin: another process that runs with this device's key: a clone of this machine, an old machine
   that was switched on again after a restore, a copied store. One device is one identity, so this
   cannot stay; but until a person has settled it, both keep their data. Each peer looks for its
   twin where others say that this device is, and links to it as to any member: so what one of them
   writes reaches those who are linked to the other. A twin that also has our writer costs both a
   new incarnation. */

#ifndef SKR_MESH_TWIN_H_INCLUDED
#define SKR_MESH_TWIN_H_INCLUDED

#include "mesh/link.h"

#define SKR_TWIN_SENTENCE_MAX 512
#define SKR_TWIN_TOLD_MS 30000 /* so long it counts that a device called as two processes */

typedef struct skr_twin_t {
    bool found;
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES];
    skr_id_t writer;
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* "": not known */
    uint64_t seen_ms;                             /* mono */
    uint64_t told_ms;   /* mono, when a member told that two processes of this device call it */
    uint64_t looked_ms; /* mono, since when there is a link to look */
    char candidate[SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* where somebody says that it is, or "" */
    uint64_t rest_ms, pause_ms;                     /* mono, not looked for before; how long */
    char ourselves[SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* an address that turned out to be ours */
    /* beats of an instance that is not ours, before it was found in another way */
    uint8_t heard[SKR_WIRE_INSTANCE_BYTES];
    uint64_t heard_number, heard_count;
    uint64_t heard_ms;      /* mono, of its last beat */
    uint64_t heard_started; /* of that beat */
} skr_twin_t;

#endif
