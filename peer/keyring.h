/* Keyring: the keys with which contents are sealed, opened from the roster, in sodium_malloc
   memory. A collection without a key of its own uses one derived from the mesh's key: BLAKE2b-256
   keyed with it, over "saker collection" and the collection id; so a collection can be made by any
   writer, offline. The key id (first 8 bytes of BLAKE2b of the key from the roster) names it. */

#ifndef SKR_PEER_KEYRING_H_INCLUDED
#define SKR_PEER_KEYRING_H_INCLUDED

#include "peer/roster.h"

typedef struct skr_keyring_t skr_keyring_t;

saker_err_t skr_keyring_new (skr_keyring_t **self_p) SKR_MUST_USE;
void skr_keyring_destroy (skr_keyring_t **self_p); /* wipes */
/* Opens every key of the roster that has a copy for this device and is not held yet; forgets what
   the roster does not state. */
saker_err_t skr_keyring_update (skr_keyring_t *self, const skr_roster_t *roster,
                                const skr_device_t *device) SKR_MUST_USE;
/* The key with this id, for a collection. SAKER_ENOTFOUND: "no copy of key ... for this device". */
saker_err_t skr_keyring_find (skr_keyring_t *self, const skr_id_t *collection,
                              const uint8_t key_id[SKR_KEY_ID_BYTES],
                              uint8_t key[SKR_SEAL_KEY_BYTES]) SKR_MUST_USE;
/* The one to seal with: of the collection, else of the mesh, the one of the highest generation,
   then the latest by (hlc, writer) of its first statement (a key is stated again for each new
   member). Only keys that were stated by who might (skr_roster_key_t, counts). */
saker_err_t skr_keyring_latest (skr_keyring_t *self, const skr_id_t *collection,
                                uint8_t key_id[SKR_KEY_ID_BYTES],
                                uint8_t key[SKR_SEAL_KEY_BYTES]) SKR_MUST_USE;
/* The raw keys, to seal them to a new member: visits (collection, generation, raw key). */
typedef saker_err_t skr_raw_key_fn (const skr_id_t *collection, uint64_t generation,
                                    const uint8_t *key, void *argument);
saker_err_t skr_keyring_each (skr_keyring_t *self, skr_raw_key_fn *visit,
                              void *argument) SKR_MUST_USE;
/* A 32-byte key for the beacon's hash: BLAKE2b-256 keyed with the latest mesh key over "saker
   beacon". SAKER_ENOTFOUND. */
saker_err_t skr_keyring_beacon (skr_keyring_t *self, uint8_t key[32]) SKR_MUST_USE;

#endif
