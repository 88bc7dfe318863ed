/* backup and restore: a device's store in one encrypted file, and back. */

#include "commands.h"
#include "passphrase.h"
#include "progress.h"
#include "say.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The bar begins with the first call, which knows the total. */
typedef struct showing_t {
    progress_t bar;
    const char *what;
    bool begun;
} showing_t;

static int show (uint64_t done, uint64_t total, void *argument)
{
    showing_t *showing = argument;
    if (!showing->begun) {
        progress_begin (&showing->bar, showing->what, total);
        showing->begun = true;
    }
    showing->bar.total = total;
    progress_step (&showing->bar, done);
    return 0;
}

static void end_showing (showing_t *showing)
{
    if (showing->begun) {
        progress_end (&showing->bar);
    }
}

static saker_err_t say_backed_up (call_t *call, const char *file)
{
    struct stat status;
    uint64_t bytes = stat (file, &status) == 0 ? (uint64_t) status.st_size : 0;
    if (call->json) {
        return say_json (call, json_pack ("{s:s,s:I}", "file", file, "bytes", (json_int_t) bytes));
    }
    printf ("backed up %s to %s, %llu bytes\n", call->store, file, (unsigned long long) bytes);
    printf ("keep the passphrase: without it nobody can open the file\n");
    return SAKER_OK;
}

static saker_err_t run_backup (call_t *call)
{
    char passphrase[PASSPHRASE_MAX] = "";
    showing_t showing = {.what = "backing up"};
    const char *file = call_word (call, 0);
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = passphrase_get (call, true, passphrase);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_backup (call->peer, file, passphrase, show, &showing));
    }
    explicit_bzero (passphrase, sizeof passphrase);
    end_showing (&showing);
    return error != SAKER_OK ? error : say_backed_up (call, file);
}

static const option_t backup_options[] = {
    {"passphrase-file", "FILE", "read the passphrase from the first line of a file (mode 600)"},
    {NULL, NULL, NULL},
};

const command_t cmd_backup = {
    .name = "backup",
    .run = run_backup,
    .usage = "FILE [--passphrase-file FILE]",
    .summary = "Write this device's data, key and settings to one encrypted file.",
    .details = "The daemon runs on meanwhile; the file holds its data as of one moment, "
               "is readable by its owner only, and is there as a whole or not at all (a "
               "FILE.part that was left by a crash is written over by the next backup). "
               "The passphrase is asked for on the terminal; it has at least 8 bytes, "
               "and without it nobody can open the file. Exit status 4 when there is "
               "such a file already.",
    .options = backup_options,
    .example = "saker backup /mnt/usb/anna.saker  # on a terminal",
    .words_min = 1,
    .words_max = 1,
};

static void say_time (uint64_t time_ms, char text[32])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm broken;
    text[0] = 0;
    if (gmtime_r (&seconds, &broken)) {
        strftime (text, 32, "%Y-%m-%dT%H:%M:%SZ", &broken);
    }
}

static saker_err_t say_restored (call_t *call, const saker_restored_t *restored)
{
    char taken[32];
    say_time (restored->taken_ms, taken);
    if (call->json) {
        return say_json (call,
                         json_pack ("{s:s,s:s,s:s,s:s}", "store", call->store, "mesh",
                                    restored->mesh, "device", restored->device, "taken", taken));
    }
    printf ("restored %s of the mesh %s, as of %s; the store is %s\n", restored->device,
            restored->mesh, taken, call->store);
    printf ("it goes on as a new incarnation of that device, and open tickets have ended\n");
    printf ("next: stop %s wherever else it runs, then: sakerd --store %s\n", restored->device,
            call->store);
    return SAKER_OK;
}

static saker_err_t run_restore (call_t *call)
{
    char passphrase[PASSPHRASE_MAX] = "";
    showing_t showing = {.what = "restoring"};
    saker_restored_t restored;
    saker_err_t error = passphrase_get (call, false, passphrase);
    if (error == SAKER_OK) {
        error = call_library (call, saker_restore (call->store, call_word (call, 0), passphrase,
                                                   &restored, show, &showing));
    }
    explicit_bzero (passphrase, sizeof passphrase);
    end_showing (&showing);
    return error != SAKER_OK ? error : say_restored (call, &restored);
}

const command_t cmd_restore = {
    .name = "restore",
    .run = run_restore,
    .usage = "FILE [--passphrase-file FILE]",
    .summary = "Make this device's store anew from a backup, in a folder that is missing or empty.",
    .details = "The device is the same member as before and writes as a new incarnation; "
               "what it wrote after the backup was taken comes back from other peers, if "
               "it had reached any. Open tickets have ended. Stop the daemon of the old "
               "store first, and do not start it again: two stores of one device both "
               "keep their data, and both say in status what to do. Exit status 4 when "
               "the folder holds something, 9 when a daemon runs on it, 10 when FILE is "
               "cut off, 14 when it was altered or the passphrase is wrong; nothing is "
               "left then.",
    .options = backup_options,
    .example = "saker restore /mnt/usb/anna.saker --store ~/studio  # on a terminal\nsakerd "
               "--store ~/studio  # until Ctrl-C",
    .words_min = 1,
    .words_max = 1,
};
