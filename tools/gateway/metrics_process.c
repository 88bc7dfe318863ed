#include "gateway/metrics.h"
#include "gateway/prom.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LINE_BYTES 1024

static void add_disk (strbuf_t *text, const char *store)
{
    struct statvfs disk;
    if (statvfs (store, &disk) == 0) {
        prom_one (text, "saker_store_free_bytes", "gauge",
                  "Bytes that are free on the disk of the store.",
                  (double) disk.f_bavail * (double) disk.f_frsize);
    }
}

static void add_files (strbuf_t *text)
{
    struct rlimit limit;
    DIR *folder = opendir ("/proc/self/fd");
    size_t count = 0;
    while (folder && readdir (folder)) {
        count++;
    }
    if (folder) {
        closedir (folder);
        prom_one (text, "process_open_fds", "gauge", "Open files.",
                  count > 3 ? (double) (count - 3) : 0); /* ".", ".." and the folder itself */
    }
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
        prom_one (text, "process_max_fds", "gauge", "Files that may be open.",
                  (double) limit.rlim_cur);
    }
}

static void add_time (strbuf_t *text)
{
    struct rusage usage;
    if (getrusage (RUSAGE_SELF, &usage) == 0) {
        prom_one (text, "process_cpu_seconds_total", "counter", "Processor time.",
                  (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                      + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    }
}

/* The first line of a file of /proc that begins so; false: it has none. */
static bool read_line (const char *name, const char *begin, char line[LINE_BYTES])
{
    bool found = false;
    FILE *file = fopen (name, "re");
    while (file && !found && fgets (line, LINE_BYTES, file)) {
        found = strncmp (line, begin, strlen (begin)) == 0;
    }
    if (file) {
        fclose (file);
    }
    return found;
}

/* A number of a line, after so many words. */
static double number_after (const char *line, unsigned words)
{
    while (words-- > 0) {
        line += strcspn (line, " ");
        line += strspn (line, " ");
    }
    return strtod (line, NULL);
}

/* Of the boot, and of this process since then, in seconds; -1: not known. */
static double booted_s (void)
{
    char line[LINE_BYTES];
    return read_line ("/proc/stat", "btime ", line) ? number_after (line, 1) : -1;
}

static double started_s (void)
{
    char line[LINE_BYTES];
    const char *end = read_line ("/proc/self/stat", "", line) ? strrchr (line, ')') : NULL;
    return end ? number_after (end, 20) / (double) sysconf (_SC_CLK_TCK) : -1;
}

static void add_start (strbuf_t *text)
{
    double booted = booted_s (), started = started_s ();
    if (booted >= 0 && started >= 0) {
        prom_one (text, "process_start_time_seconds", "gauge",
                  "When this process started, in seconds since 1970.", booted + started);
    }
}

static void add_memory (strbuf_t *text)
{
    char line[LINE_BYTES];
    if (read_line ("/proc/self/statm", "", line)) {
        prom_one (text, "process_resident_memory_bytes", "gauge", "Memory in use.",
                  number_after (line, 1) * (double) sysconf (_SC_PAGESIZE));
    }
}

void metrics_process (strbuf_t *text, const char *store)
{
    add_disk (text, store);
    add_files (text);
    add_time (text);
    add_start (text);
    add_memory (text);
}
