/* Secretfile: a secret in a file, so that it is on no command line. */

#ifndef TOOLS_SECRETFILE_H_INCLUDED
#define TOOLS_SECRETFILE_H_INCLUDED

#include "call.h"

#define SECRETFILE_SIZE 257

/* The first line of the file, "-" is stdin. SAKER_ERIGHT when others can read the file. */
saker_err_t secretfile_read (call_t *call, const char *file, char secret[SECRETFILE_SIZE]);

#endif
