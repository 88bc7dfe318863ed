#include "peer/device.h"
#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[TEMP_FOLDER_BYTES];

static void file_name (char path[128])
{
    snprintf (path, 128, "%s/device.key", folder);
}

static void saves_and_loads (void)
{
    skr_device_t *made = NULL, *loaded = NULL;
    char path[128];
    struct stat status;
    file_name (path);
    CHECK_OK (skr_device_new (&made));
    CHECK_OK (skr_device_save (made, folder));
    CHECK (stat (path, &status) == 0);
    CHECK_INT (status.st_mode & 0777, 0600);
    CHECK_OK (skr_device_load (&loaded, folder));
    CHECK (memcmp (skr_device_key (made), skr_device_key (loaded), 32) == 0);
    CHECK (memcmp (skr_device_secret (made), skr_device_secret (loaded), 64) == 0);
    CHECK (memcmp (skr_device_transport_key (made), skr_device_transport_key (loaded), 32) == 0);
    CHECK (memcmp (skr_device_transport_secret (made), skr_device_transport_secret (loaded), 32)
           == 0);
    CHECK_ERR (skr_device_save (made, folder), SAKER_EEXIST, "device.key");
    skr_device_destroy (&made);
    CHECK (made == NULL);
    skr_device_destroy (&loaded);
    CHECK (unlink (path) == 0);
}

static void refuses_a_key_that_others_can_read (void)
{
    skr_device_t *made = NULL, *loaded = NULL;
    char path[128], advice[160];
    file_name (path);
    snprintf (advice, sizeof advice, "chmod 600 %s", path);
    CHECK_OK (skr_device_new (&made));
    CHECK_OK (skr_device_save (made, folder));
    const mode_t open_modes[] = {0640, 0604, 0620, 0601, 0666};
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        CHECK (chmod (path, open_modes[i]) == 0);
        CHECK_ERR (skr_device_load (&loaded, folder), SAKER_ERIGHT, advice);
        CHECK (loaded == NULL);
    }
    skr_device_destroy (&made);
    CHECK (unlink (path) == 0);
}

static void flip (const char *path, long at)
{
    FILE *file = fopen (path, "r+b");
    if (!file) {
        return;
    }
    fseek (file, at, SEEK_SET);
    int byte = fgetc (file);
    fseek (file, at, SEEK_SET);
    fputc (byte ^ 1, file);
    fclose (file);
}

static void notices_every_damaged_byte (void)
{
    skr_device_t *made = NULL, *loaded = NULL;
    char path[128];
    struct stat status;
    file_name (path);
    CHECK_OK (skr_device_new (&made));
    CHECK_OK (skr_device_save (made, folder));
    CHECK (stat (path, &status) == 0);
    for (long at = 0; at < status.st_size; at++) {
        flip (path, at);
        CHECK_ERR (skr_device_load (&loaded, folder), SAKER_EDAMAGED, "device.key");
        flip (path, at);
    }
    CHECK (truncate (path, status.st_size - 1) == 0);
    CHECK_ERR (skr_device_load (&loaded, folder), SAKER_EDAMAGED, "wrong size");
    skr_device_destroy (&made);
    CHECK (unlink (path) == 0);
}

static void tells_when_there_is_none (void)
{
    skr_device_t *loaded = NULL;
    CHECK_ERR (skr_device_load (&loaded, folder), SAKER_ENOTFOUND, "no device key");
    CHECK (loaded == NULL);
    skr_device_destroy (&loaded);
}

static void overwrites_what_a_crash_left (void)
{
    skr_device_t *made = NULL;
    char path[128], left[128];
    file_name (path);
    snprintf (left, sizeof left, "%s/device.key.new", folder);
    FILE *file = fopen (left, "w");
    CHECK (file != NULL);
    fclose (file);
    CHECK_OK (skr_device_new (&made));
    CHECK_OK (skr_device_save (made, folder));
    CHECK (access (left, F_OK) != 0);
    skr_device_destroy (&made);
    CHECK (unlink (path) == 0);
}

static void names_differ_by_every_input (void)
{
    uint8_t one[32] = {1}, other[32] = {2}, incarnation[16] = {3}, next[16] = {4};
    skr_id_t a, b, c, d;
    char text[17];
    skr_device_writer (one, incarnation, &a);
    skr_device_writer (one, next, &b);
    skr_device_writer (other, incarnation, &c);
    skr_device_writer (one, incarnation, &d);
    CHECK (skr_id_equal (&a, &d));
    CHECK (!skr_id_equal (&a, &b) && !skr_id_equal (&a, &c));
    skr_device_mesh (one, other, &c);
    skr_device_mesh (other, one, &d);
    CHECK (!skr_id_equal (&c, &d));
    skr_device_text (one, text);
    CHECK_STR (text, "0100000000000000");
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    temp_folder_make (folder);
    RUN (saves_and_loads);
    RUN (refuses_a_key_that_others_can_read);
    RUN (notices_every_damaged_byte);
    RUN (tells_when_there_is_none);
    RUN (overwrites_what_a_crash_left);
    RUN (names_differ_by_every_input);
    temp_folder_remove (folder);
    return CHECK_END ();
}
