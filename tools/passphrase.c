#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal (int number)
{
    (void) number;
    interrupted = 1;
}

/* The first line; *size is without its end. */
static saker_err_t read_line (call_t *call, int file, const char *name,
                              char passphrase[PASSPHRASE_MAX])
{
    size_t size = 0;
    while (size < PASSPHRASE_MAX) {
        ssize_t got = read (file, passphrase + size, 1);
        if (got < 0 && (errno != EINTR || interrupted)) {
            return call_fail (call, SAKER_EIO, "%s: %s", name,
                              interrupted ? "interrupted" : strerror (errno));
        }
        if (got == 0 || (got == 1 && passphrase[size] == '\n')) {
            passphrase[size] = 0;
            size -= size > 0 && passphrase[size - 1] == '\r';
            passphrase[size] = 0;
            return size && strlen (passphrase) == size
                       ? SAKER_OK
                       : call_fail (call, SAKER_EINPUT, "%s holds no passphrase", name);
        }
        size += got == 1;
    }
    return call_fail (call, SAKER_EINPUT, "%s: a passphrase has at most %d bytes", name,
                      PASSPHRASE_MAX - 1);
}

static saker_err_t read_file (call_t *call, const char *name, char passphrase[PASSPHRASE_MAX])
{
    struct stat status;
    int file = open (name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0) {
        return call_fail (call, errno == ENOENT ? SAKER_ENOTFOUND : SAKER_EIO, "%s: %s", name,
                          strerror (errno));
    }
    saker_err_t error = SAKER_OK;
    if (fstat (file, &status) == 0 && S_ISREG (status.st_mode) && (status.st_mode & 077)) {
        error =
            call_fail (call, SAKER_ERIGHT, "others may read the passphrase: chmod 600 %s", name);
    }
    if (error == SAKER_OK) {
        error = read_line (call, file, name, passphrase);
    }
    close (file);
    return error;
}

/* ---- the terminal */

static saker_err_t ask_hidden (call_t *call, int terminal, const char *prompt,
                               char passphrase[PASSPHRASE_MAX])
{
    struct termios before, hidden;
    if (tcgetattr (terminal, &before) != 0) {
        return call_fail (call, SAKER_EIO, "the terminal: %s", strerror (errno));
    }
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t) ECHO;
    hidden.c_lflag |= ICANON | ECHONL;
    if (write (terminal, prompt, strlen (prompt)) < 0
        || tcsetattr (terminal, TCSAFLUSH, &hidden) != 0) {
        return call_fail (call, SAKER_EIO, "the terminal: %s", strerror (errno));
    }
    saker_err_t error = read_line (call, terminal, "the terminal", passphrase);
    tcsetattr (terminal, TCSAFLUSH, &before);
    return error;
}

static saker_err_t ask_twice (call_t *call, int terminal, bool twice,
                              char passphrase[PASSPHRASE_MAX])
{
    char again[PASSPHRASE_MAX];
    saker_err_t error = ask_hidden (call, terminal, "passphrase of the backup: ", passphrase);
    if (error != SAKER_OK || !twice) {
        return error;
    }
    error = ask_hidden (call, terminal, "the same again: ", again);
    if (error == SAKER_OK && strcmp (passphrase, again) != 0) {
        error = call_fail (call, SAKER_EINPUT, "these two are not the same");
    }
    explicit_bzero (again, sizeof again);
    return error;
}

/* A signal must not leave the terminal without echo. */
static saker_err_t ask (call_t *call, bool twice, char passphrase[PASSPHRASE_MAX])
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction note = {.sa_handler = on_signal}, before[4];
    int terminal = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        return call_fail (call, SAKER_EUSAGE,
                          "there is no terminal to ask for the passphrase: give "
                          "--passphrase-file FILE");
    }
    for (size_t i = 0; i < 4; i++) {
        sigaction (numbers[i], &note, &before[i]);
    }
    saker_err_t error = ask_twice (call, terminal, twice, passphrase);
    for (size_t i = 0; i < 4; i++) {
        sigaction (numbers[i], &before[i], NULL);
    }
    close (terminal);
    return error;
}

saker_err_t passphrase_get (call_t *call, bool twice, char passphrase[PASSPHRASE_MAX])
{
    const char *file = call_option (call, "passphrase-file");
    return file ? read_file (call, file, passphrase) : ask (call, twice, passphrase);
}
