#include "secretfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static saker_err_t read_line (call_t *call, FILE *stream, const char *file,
                              char secret[SECRETFILE_SIZE])
{
    setvbuf (stream, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
    if (!fgets (secret, SECRETFILE_SIZE, stream)) {
        return call_fail (call, SAKER_EINPUT, "%.200s holds no secret", file);
    }
    secret[strcspn (secret, "\r\n")] = 0;
    return SAKER_OK;
}

saker_err_t secretfile_read (call_t *call, const char *file, char secret[SECRETFILE_SIZE])
{
    struct stat status;
    if (strcmp (file, "-") == 0) {
        return read_line (call, stdin, "stdin", secret);
    }
    FILE *stream = fopen (file, "re");
    if (!stream || fstat (fileno (stream), &status) != 0) {
        saker_err_t error =
            call_fail (call, SAKER_EIO, "cannot read %.200s: %s", file, strerror (errno));
        if (stream) {
            fclose (stream);
        }
        return error;
    }
    saker_err_t error =
        S_ISREG (status.st_mode) && status.st_mode & 077
            ? call_fail (call, SAKER_ERIGHT,
                         "others can read the secret in %.200s: chmod 600 %.200s", file, file)
            : read_line (call, stream, file, secret);
    fclose (stream);
    return error;
}
