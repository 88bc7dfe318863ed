/* bundle: what somebody who helps wants to know, in one file, without secrets: no key, no ticket,
   no passphrase, no document and no document's id. The names of members and collections, and
   addresses, are in it. */

#include "canon.h"
#include "commands.h"
#include "doctor.h"
#include "moment.h"
#include "paint.h"
#include "say.h"
#include "told.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BUNDLE_VERSION 1
#define FILES_MAX 1000
#define LOG_BYTES (256u << 10)

/* ---- parts */

static json_t *machine_json (void)
{
    struct utsname names;
    if (uname (&names) != 0) {
        return json_object ();
    }
    return json_pack ("{s:s,s:s,s:s}", "system", names.sysname, "release", names.release,
                      "processor", names.machine);
}

/* Names, sizes and rights of what is in the store; nothing is opened. */
static json_t *files_json (const char *store)
{
    json_t *list = json_array ();
    DIR *folder = opendir (store);
    struct dirent *entry;
    while (folder && (entry = readdir (folder)) && json_array_size (list) < FILES_MAX) {
        struct stat status;
        char mode[16];
        if (entry->d_name[0] == '.'
            || fstatat (dirfd (folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        snprintf (mode, sizeof mode, "%06o", (unsigned) status.st_mode);
        json_t *json = json_pack ("{s:s,s:I,s:s}", "name", entry->d_name, "bytes",
                                  (json_int_t) status.st_size, "mode", mode);
        if (json) {
            json_array_append_new (list, json);
        }
    }
    if (folder) {
        closedir (folder);
    }
    return list;
}

static int add_setting (const char *key, const char *value, void *argument)
{
    json_array_append_new (argument, json_pack ("{s:s,s:s}", "key", key, "value", value));
    return 0;
}

static int add_key (const saker_key_t *key, void *argument)
{
    json_array_append_new (argument, json_pack ("{s:s,s:s,s:I,s:b}", "collection", key->collection,
                                                "id", key->id, "generation",
                                                (json_int_t) key->generation, "seals", key->seals));
    return 0;
}

static void add_told (doctor_t *doctor, json_t *bundle)
{
    json_t *trends = NULL, *keys = json_array ();
    json_object_set (bundle, "status", doctor->status);
    json_object_set (bundle, "links", doctor->links);
    json_object_set (bundle, "logs", doctor->kept);
    if (told_trends (doctor->call, &trends) == SAKER_OK) {
        json_object_set_new (bundle, "trends", trends);
    }
    (void) saker_keys (doctor->call->peer, add_key, keys);
    json_object_set_new (bundle, "keys", keys);
}

/* ---- a log */

/* A ticket does not belong into a log, but somebody may have put one there. */
static void hide_tickets (char *line)
{
    for (char *at = line; (at = strstr (at, "saker1-"));) {
        for (at += strlen ("saker1-"); *at && !strchr (" \t\"'", *at); at++) {
            *at = '*';
        }
    }
}

static json_t *lines_json (char *text)
{
    json_t *lines = json_array ();
    char *save = NULL;
    for (char *line = strtok_r (text, "\n", &save); line; line = strtok_r (NULL, "\n", &save)) {
        hide_tickets (line);
        json_t *json = json_string (line);
        json_array_append_new (lines, json ? json : json_string ("(a line that is not UTF-8)"));
    }
    return lines;
}

/* The end of the file. */
static saker_err_t add_log (call_t *call, json_t *bundle)
{
    static char text[LOG_BYTES + 1];
    const char *name = call_option (call, "log");
    FILE *file = name ? fopen (name, "re") : NULL;
    if (!name) {
        return SAKER_OK;
    }
    if (!file) {
        return call_fail (call, errno == ENOENT ? SAKER_ENOTFOUND : SAKER_EIO, "open %s: %s", name,
                          strerror (errno));
    }
    if (fseek (file, -(long) LOG_BYTES, SEEK_END) != 0) {
        rewind (file);
    }
    text[fread (text, 1, LOG_BYTES, file)] = 0;
    fclose (file);
    json_object_set_new (bundle, "log", lines_json (text));
    return SAKER_OK;
}

/* ---- all of it */

static json_t *begin_bundle (const call_t *call)
{
    char time[PAINT_TIME_MAX];
    paint_time (moment_now (), time);
    return json_pack ("{s:i,s:s,s:s,s:o,s:o}", "bundle", BUNDLE_VERSION, "made", time, "version",
                      saker_version (), "machine", machine_json (), "files",
                      files_json (call->store));
}

static saker_err_t collect (doctor_t *doctor, json_t *bundle)
{
    json_t *settings = json_array ();
    saker_err_t error = doctor_examine (doctor);
    if (error != SAKER_OK) {
        json_decref (settings);
        return error;
    }
    saker_config_each (doctor->config, add_setting, settings);
    json_object_set_new (bundle, "config", settings);
    json_object_set (bundle, "findings", doctor->findings.found);
    json_object_set (bundle, "looked", doctor->findings.looked);
    if (doctor->running) {
        add_told (doctor, bundle);
    }
    return add_log (doctor->call, bundle);
}

/* A new file, readable by its owner only. */
static saker_err_t write_file (call_t *call, const char *name, const char *text)
{
    int descriptor = open (name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return call_fail (call, errno == EEXIST ? SAKER_EEXIST : SAKER_EIO, "%s: %s", name,
                          errno == EEXIST ? "there is such a file already; name another"
                                          : strerror (errno));
    }
    FILE *file = fdopen (descriptor, "w");
    bool written = file && fputs (text, file) >= 0;
    written = file && fclose (file) == 0 && written;
    if (!written) {
        saker_err_t error = call_fail (call, errno == ENOSPC ? SAKER_EFULL : SAKER_EIO,
                                       "write %s: %s", name, strerror (errno));
        (void) unlink (name);
        return error;
    }
    return SAKER_OK;
}

static saker_err_t give (call_t *call, const json_t *bundle)
{
    const char *name = call_word (call, 0);
    char *text = json_dumps (bundle, JSON_INDENT (1) | JSON_SORT_KEYS);
    if (!text) {
        return call_memory (call);
    }
    saker_err_t error = SAKER_OK;
    if (strcmp (name, "-") == 0) {
        puts (text);
    } else {
        error = write_file (call, name, text);
        if (error == SAKER_OK && call->json) {
            error = say_json (
                call, json_pack ("{s:s,s:I}", "file", name, "bytes", (json_int_t) strlen (text)));
        } else if (error == SAKER_OK) {
            printf ("%s: %zu bytes; no keys, no tickets, no documents; names and addresses are in "
                    "it\n",
                    name, strlen (text));
        }
    }
    free (text);
    return error;
}

static saker_err_t run_bundle (call_t *call)
{
    doctor_t doctor = {.call = call};
    json_t *bundle = begin_bundle (call);
    saker_err_t error = bundle ? collect (&doctor, bundle) : call_memory (call);
    error = error == SAKER_OK ? give (call, bundle) : error;
    doctor_free (&doctor);
    json_decref (bundle);
    return error;
}

static const option_t bundle_options[] = {
    {"log", "FILE", "add the end of this log of sakerd, without tickets"},
    {NULL, NULL, NULL},
};

const command_t cmd_bundle = {
    .name = "bundle",
    .run = run_bundle,
    .usage = "FILE [--log FILE]",
    .summary =
        "Write one file for support: what doctor finds, status, links; no secrets (- is stdout).",
    .details = "It holds names of members and collections, addresses, counters, "
               "settings, and the names, sizes and rights of the files of the store; no "
               "key, no ticket, no passphrase, no document and no document's id. FILE "
               "must not exist, and is readable by its owner only.",
    .options = bundle_options,
    .example = "saker bundle support.json\nsaker bundle longer.json --log /var/log/sakerd.log",
    .words_min = 1,
    .words_max = 1,
};
