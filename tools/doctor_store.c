#include "doctor.h"

#include "amounts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FREE_ERROR_BYTES (16u << 20) /* less: the next commit may fail */
#define FREE_WARNING_BYTES (256u << 20)
#define FREE_WARNING_PERCENT 3

/* ---- the folder and its files */

static bool look_at_folder (doctor_t *self)
{
    struct stat status;
    const char *store = self->call->store;
    findings_t *findings = &self->findings;
    if (stat (store, &status) != 0) {
        findings_add (findings, FINDING_ERROR, SAKER_ENOTFOUND, "store.missing",
                      "make one: saker init NAME, or saker join TICKET; or name another: --store "
                      "DIR, or $SAKER_STORE",
                      "there is no store at %s (%s)", store, strerror (errno));
        return false;
    }
    if (!S_ISDIR (status.st_mode)) {
        findings_add (findings, FINDING_ERROR, SAKER_EINPUT, "store.missing",
                      "name the folder of a store: --store DIR", "%s is not a folder", store);
        return false;
    }
    if (status.st_mode & 077) {
        findings_add (findings, FINDING_ERROR, SAKER_ERIGHT, "store.mode",
                      findings_next ("chmod 700 %s", store),
                      "others on this machine may look into the store %s (mode %03o)", store,
                      (unsigned) status.st_mode & 0777);
    }
    if (status.st_uid != geteuid () && geteuid () != 0) {
        findings_add (findings, FINDING_WARNING, SAKER_ERIGHT, "store.owner",
                      "run saker and sakerd as the user to whom the store belongs",
                      "the store %s belongs to another user (number %u)", store,
                      (unsigned) status.st_uid);
    }
    findings_looked (findings, "the store %s and who may look into it", store);
    return true;
}

static void look_at_key (doctor_t *self)
{
    char file[PATH_MAX + 16];
    struct stat status;
    findings_t *findings = &self->findings;
    snprintf (file, sizeof file, "%s/device.key", self->call->store);
    if (stat (file, &status) != 0) {
        bool missing = errno == ENOENT;
        findings_add (findings, FINDING_ERROR, missing ? SAKER_ENOTFOUND : SAKER_ERIGHT,
                      missing ? "key.missing" : "key.unreadable",
                      missing ? "bring the store back from a backup (saker restore FILE), or join "
                                "anew in another folder"
                              : "run this as the user to whom the store belongs",
                      "the key of this device, %s, cannot be found (%s)", file, strerror (errno));
        return;
    }
    if (status.st_mode & 077) {
        findings_add (findings, FINDING_ERROR, SAKER_ERIGHT, "key.mode",
                      findings_next ("chmod 600 %s; if others use this machine, take the device's "
                                     "rights (saker revoke) and join anew",
                                     file),
                      "others on this machine may read the key of this device, %s (mode %03o)",
                      file, (unsigned) status.st_mode & 0777);
    }
    if (!S_ISREG (status.st_mode) || status.st_size == 0) {
        findings_add (findings, FINDING_ERROR, SAKER_EDAMAGED, "key.damaged",
                      "bring the store back from a backup: saker restore FILE",
                      "%s is empty, or no file", file);
    }
    findings_looked (findings, "the key file %s and its rights", file);
}

/* ---- the disk */

static void look_at_free (doctor_t *self, const struct statvfs *disk)
{
    char left[AMOUNT_MAX];
    uint64_t bytes = (uint64_t) disk->f_bavail * disk->f_frsize;
    uint64_t all = (uint64_t) disk->f_blocks * disk->f_frsize;
    bool little =
        bytes < FREE_WARNING_BYTES || (all > 0 && bytes < all / 100 * FREE_WARNING_PERCENT);
    amount_bytes (bytes, left);
    const char *next = "make room on that disk; keep less history (history, history-size in "
                       "saker.conf), or see what holds it: saker gc --plan";
    if (bytes < FREE_ERROR_BYTES) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EFULL, "disk.full", next,
                      "the disk of the store is full: %s are left", left);
    } else if (little) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EFULL, "disk.low", next,
                      "the disk of the store is nearly full: %s are left", left);
    }
    if (disk->f_files > 0 && disk->f_favail == 0) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EFULL, "disk.inodes",
                      "remove files there that nobody needs",
                      "the disk of the store takes no more files: it has no inodes left");
    }
    findings_looked (&self->findings, "the disk of the store: %s free", left);
}

static void look_at_disk (doctor_t *self)
{
    struct statvfs disk;
    char network[SAKER_NETWORK_MAX];
    const char *store = self->call->store;
    if (saker_store_network (store, network) == SAKER_OK && *network) {
        findings_add (
            &self->findings, FINDING_ERROR, SAKER_EINPUT, "disk.network",
            "put the store on a disk of this machine",
            "the store lies on a network filesystem (%s), which loses what it said it had "
            "written",
            network);
    }
    if (statvfs (store, &disk) == 0) {
        look_at_free (self, &disk);
        if (disk.f_flag & ST_RDONLY) {
            findings_add (&self->findings, FINDING_ERROR, SAKER_EIO, "disk.readonly",
                          "see why with dmesg, and mount it for writing",
                          "the disk of the store is mounted for reading only");
        }
    }
}

/* ---- the config */

typedef struct config_t {
    doctor_t *doctor;
    const char *file;
} config_t;

static void add_problem (unsigned line, const char *sentence, void *argument)
{
    const config_t *config = argument;
    findings_add (
        &config->doctor->findings, FINDING_ERROR, SAKER_EINPUT, "config.wrong",
        findings_next ("correct it, then: sakerd --check-config --config %s", config->file),
        "%s%s%.0u: %s", config->file, line ? ", line " : "", line, sentence);
}

static void look_at_config (doctor_t *self)
{
    char file[PATH_MAX + 16];
    struct stat status;
    snprintf (file, sizeof file, "%s/saker.conf", self->call->store);
    config_t config = {self, file};
    if (stat (file, &status) != 0) {
        return; /* the default settings do */
    }
    if (status.st_mode & 022) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_ERIGHT, "config.mode",
                      findings_next ("chmod 600 %s", file),
                      "others on this machine may change %s (mode %03o)", file,
                      (unsigned) status.st_mode & 0777);
    }
    char sentence[SAKER_SENTENCE_MAX];
    saker_err_t error = saker_config_check (self->config, file, add_problem, &config);
    if (error == SAKER_OK && settings_check (&self->gateway, sentence) != SAKER_OK) {
        add_problem (0, sentence, &config);
    }
    if (error != SAKER_OK && error != SAKER_EINPUT) {
        findings_add (&self->findings, FINDING_ERROR, error, "config.unreadable",
                      "run this as the user to whom the store belongs", "%s", saker_error_text ());
    }
    findings_looked (&self->findings, "the config %s", file);
}

void doctor_store (doctor_t *self)
{
    self->store = look_at_folder (self);
    if (self->store) {
        look_at_key (self);
        look_at_disk (self);
        look_at_config (self);
    }
}
