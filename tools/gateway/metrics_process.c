#include "gateway/metrics.h"
#include "gateway/prom.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

/* Seconds between boot and the start of this process; -1: not known. */
static double started_s (void)
{
    char line[1024];
    unsigned long long ticks = 0;
    FILE *file = fopen ("/proc/self/stat", "re");
    const char *end = file && fgets (line, sizeof line, file) ? strrchr (line, ')') : NULL;
    if (file) {
        fclose (file);
    }
    bool known = end
                 && sscanf (end + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                            "%*d %*d %llu",
                            &ticks)
                        == 1;
    return known ? (double) ticks / (double) sysconf (_SC_CLK_TCK) : -1;
}

static double booted_s (void)
{
    char line[256];
    double booted = -1;
    FILE *file = fopen ("/proc/stat", "re");
    while (file && booted < 0 && fgets (line, sizeof line, file)) {
        (void) (sscanf (line, "btime %lf", &booted) == 1);
    }
    if (file) {
        fclose (file);
    }
    return booted;
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
    unsigned long long pages = 0;
    FILE *file = fopen ("/proc/self/statm", "re");
    if (file && fscanf (file, "%*u %llu", &pages) == 1) {
        prom_one (text, "process_resident_memory_bytes", "gauge", "Memory in use.",
                  (double) pages * (double) sysconf (_SC_PAGESIZE));
    }
    if (file) {
        fclose (file);
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
