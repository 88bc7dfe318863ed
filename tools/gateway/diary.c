#include "gateway/diary.h"

#include "canon.h"
#include "gateway/instant.h"
#include "paint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

struct diary_t {
    pthread_mutex_t mutex;
    char name[PATH_MAX], older[PATH_MAX];
    int64_t bytes_max, age_ms;
    int64_t begun_ms; /* 1970: of the first line of the newer file, about */
    int descriptor;
};

static bool name_of (const char *store, const char *end, char name[PATH_MAX])
{
    int size = snprintf (name, PATH_MAX, "%s/" DIARY_FILE "%s", store, end);
    return size > 0 && size < PATH_MAX;
}

/* When the first line of a file was written; now, where there is none. */
static int64_t first_ms (const char *name)
{
    char line[LINE_BYTES_MAX];
    FILE *file = fopen (name, "re");
    json_t *json = file && fgets (line, sizeof line, file) ? json_loads (line, 0, NULL) : NULL;
    int64_t at_ms = json_integer_value (json_object_get (json, "at"));
    json_decref (json);
    if (file) {
        fclose (file);
    }
    return at_ms > 0 ? at_ms : instant_wall_ms ();
}

/* The mode is set again: somebody may have copied the file. */
static void open_file (diary_t *self)
{
    self->descriptor =
        open (self->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->descriptor >= 0 && fchmod (self->descriptor, 0600) != 0) {
        close (self->descriptor);
        self->descriptor = -1;
    }
    self->begun_ms = first_ms (self->name);
}

diary_t *diary_new (const char *store, int64_t bytes_max, int64_t age_ms)
{
    diary_t *self = calloc (1, sizeof *self);
    if (!self || !name_of (store, "", self->name) || !name_of (store, ".1", self->older)) {
        free (self);
        return NULL;
    }
    pthread_mutex_init (&self->mutex, NULL);
    self->bytes_max = bytes_max;
    self->age_ms = age_ms;
    open_file (self);
    return self;
}

void diary_destroy (diary_t **self_p)
{
    if (*self_p) {
        if ((*self_p)->descriptor >= 0) {
            close ((*self_p)->descriptor);
        }
        pthread_mutex_destroy (&(*self_p)->mutex);
        free (*self_p);
        *self_p = NULL;
    }
}

/* Locked. */
static void turn_page (diary_t *self)
{
    close (self->descriptor);
    rename (self->name, self->older);
    open_file (self);
}

/* Locked. The newer file takes half of the bytes and of the age. */
static void clean (diary_t *self)
{
    struct stat status;
    int64_t now_ms = instant_wall_ms ();
    if (self->descriptor < 0) {
        return;
    }
    if (fstat (self->descriptor, &status) == 0 && status.st_size > 0
        && (status.st_size > self->bytes_max / 2 || now_ms - self->begun_ms > self->age_ms / 2)) {
        turn_page (self);
    }
    if (stat (self->older, &status) == 0
        && now_ms - (int64_t) status.st_mtim.tv_sec * 1000 > self->age_ms / 2) {
        unlink (self->older);
    }
}

void diary_clean (diary_t *self)
{
    pthread_mutex_lock (&self->mutex);
    clean (self);
    pthread_mutex_unlock (&self->mutex);
}

static const char *result_text (deliver_result_t result)
{
    static const char *const texts[] = {"delivered", "refused", "failed", "gone", "broken off"};
    return texts[result];
}

bool diary_note (diary_t *self, const hook_t *hook, const letter_t *letter, const char *message,
                 const deliver_outcome_t *outcome)
{
    strbuf_t line = {0};
    json_t *json = json_pack (
        "{s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:I,s:s}", "at", (json_int_t) instant_wall_ms (), "hook",
        hook->name, "event", letter->id, "message", message, "document", letter->document, "result",
        result_text (outcome->result), "status", (json_int_t) outcome->status, "why", outcome->why,
        "took_ms", (json_int_t) outcome->took_ms, "author", letter->author);
    json_object_set_new (json, "attempt", json_integer ((json_int_t) letter->attempts + 1));
    line.failed = !json;
    canon_add (&line, json);
    strbuf_text (&line, "\n");
    json_decref (json);
    pthread_mutex_lock (&self->mutex);
    clean (self);
    bool noted = !line.failed && self->descriptor >= 0
                 && write (self->descriptor, line.data, line.size) == (ssize_t) line.size;
    pthread_mutex_unlock (&self->mutex);
    strbuf_free (&line);
    return noted;
}

/* ---- reading */

/* Milliseconds become a time that people can read. */
static void show_time (json_t *json)
{
    char time[PAINT_TIME_MAX];
    paint_time ((uint64_t) json_integer_value (json_object_get (json, "at")), time);
    json_object_set_new (json, "time", json_string (time));
    json_object_del (json, "at");
}

static bool read_file (const char *name, const char *hook, diary_fn *fn, void *argument)
{
    char line[LINE_BYTES_MAX];
    bool more = true;
    FILE *file = fopen (name, "re");
    while (file && more && fgets (line, sizeof line, file)) {
        json_t *json = json_loads (line, 0, NULL);
        const char *of = json_string_value (json_object_get (json, "hook"));
        if (of && (!hook || strcmp (hook, of) == 0)) {
            show_time (json);
            more = fn (json, argument) == 0;
        }
        json_decref (json);
    }
    if (file) {
        fclose (file);
    }
    return more;
}

saker_err_t diary_read (call_t *call, const char *store, const char *hook, diary_fn *fn,
                        void *argument)
{
    char name[PATH_MAX], older[PATH_MAX];
    if (!name_of (store, "", name) || !name_of (store, ".1", older)) {
        return call_fail (call, SAKER_EINPUT, "the name of the store is too long");
    }
    if (access (name, R_OK) != 0 && errno != ENOENT) {
        return call_fail (call, SAKER_EIO, "cannot read %.1000s: %s", name, strerror (errno));
    }
    if (read_file (older, hook, fn, argument)) {
        read_file (name, hook, fn, argument);
    }
    return SAKER_OK;
}
