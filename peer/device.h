/* Device: one machine's identity: an Ed25519 key to sign with, an X25519 key for transport, and the
   incarnation of its store. The secrets live in a file `device.key` (0600, refused otherwise, in a
   0700 folder) and in sodium_malloc memory, never in logs. */

#ifndef SKR_PEER_DEVICE_H_INCLUDED
#define SKR_PEER_DEVICE_H_INCLUDED

#include "crdt/change.h"

#define SKR_DEVICE_KEY_BYTES 32 /* Ed25519 public: names the device */
#define SKR_TRANSPORT_KEY_BYTES 32
#define SKR_INCARNATION_BYTES 16

typedef struct skr_device_t skr_device_t;

/* Makes new keys, in memory. */
saker_err_t skr_device_new (skr_device_t **self_p) SKR_MUST_USE;
/* Writes STORE/device.key durably (temporary file, sync, rename, sync of the folder).
   SAKER_EEXIST when there is one. */
saker_err_t skr_device_save (const skr_device_t *self, const char *folder) SKR_MUST_USE;
/* SAKER_ENOTFOUND, SAKER_ERIGHT: readable by others, SAKER_EDAMAGED. */
saker_err_t skr_device_load (skr_device_t **self_p, const char *folder) SKR_MUST_USE;
/* Wipes. */
void skr_device_destroy (skr_device_t **self_p);

const uint8_t *skr_device_key (const skr_device_t *self);              /* 32 */
const uint8_t *skr_device_secret (const skr_device_t *self);           /* 64, Ed25519 */
const uint8_t *skr_device_transport_key (const skr_device_t *self);    /* 32 */
const uint8_t *skr_device_transport_secret (const skr_device_t *self); /* 32 */

/* BLAKE2b-128 of "saker writer", device key, incarnation. */
void skr_device_writer (const uint8_t device[SKR_DEVICE_KEY_BYTES],
                        const uint8_t incarnation[SKR_INCARNATION_BYTES], skr_id_t *writer);
/* BLAKE2b-128 of "saker mesh", founder's device key, 32 random bytes. */
void skr_device_mesh (const uint8_t founder[SKR_DEVICE_KEY_BYTES], const uint8_t random[32],
                      skr_id_t *mesh);
/* The 16 hexadecimal digits that people see: the first 8 bytes. */
void skr_device_text (const uint8_t device[SKR_DEVICE_KEY_BYTES], char text[17]);

#endif
