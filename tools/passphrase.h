/* Passphrase: asked for on the terminal, without showing it, or read from a file that only its
   owner may read. Never an argument: those can be seen by others. */

#ifndef TOOLS_PASSPHRASE_H_INCLUDED
#define TOOLS_PASSPHRASE_H_INCLUDED

#include "call.h"

#define PASSPHRASE_MAX 1025 /* with its ending zero */

/* From the file that --passphrase-file names, else from the terminal; there `twice` asks again, so
   that a slip does not make a backup that nobody can open. Wipe it after use. */
saker_err_t passphrase_get (call_t *call, bool twice, char passphrase[PASSPHRASE_MAX]);

#endif
