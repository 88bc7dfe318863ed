/* Signatures: a keyed hash in the place of Ed25519 (the linker's --wrap), for most of a run's time
   would be spent there. It binds the same bytes to the same key. Whoever knows a public key could
   forge it, but nobody here tries by that way; what is damaged or signed by another is found as
   before. */

#include "tests/sim/sim.h"

#include <sodium.h>

int __wrap_crypto_sign_detached (unsigned char *signature, unsigned long long *size,
                                 const unsigned char *message, unsigned long long message_size,
                                 const unsigned char *secret);
int __wrap_crypto_sign_verify_detached (const unsigned char *signature,
                                        const unsigned char *message,
                                        unsigned long long message_size,
                                        const unsigned char *public_key);

int __wrap_crypto_sign_detached (unsigned char *signature, unsigned long long *size,
                                 const unsigned char *message, unsigned long long message_size,
                                 const unsigned char *secret)
{
    if (size) {
        *size = crypto_sign_BYTES;
    }
    /* the second half of a secret key is the public one */
    return crypto_generichash (signature, crypto_sign_BYTES, message, message_size, secret + 32,
                               32);
}

int __wrap_crypto_sign_verify_detached (const unsigned char *signature,
                                        const unsigned char *message,
                                        unsigned long long message_size,
                                        const unsigned char *public_key)
{
    unsigned char wanted[crypto_sign_BYTES];
    crypto_generichash (wanted, sizeof wanted, message, message_size, public_key, 32);
    return sodium_memcmp (wanted, signature, sizeof wanted);
}
