#include "tests/lib/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

const char *small_disk_mount (char mount_point[SMALL_DISK_BYTES], const char *folder, int megabytes)
{
    char options[64];
    if (geteuid () != 0) {
        return "only root can mount a small disk";
    }
    (void) snprintf (mount_point, SMALL_DISK_BYTES, "%s/disk", folder);
    (void) snprintf (options, sizeof options, "size=%dm,mode=0700", megabytes);
    if (mkdir (mount_point, 0700) != 0) {
        perror (mount_point);
        exit (1);
    }
    if (mount ("tmpfs", mount_point, "tmpfs", 0, options) != 0) {
        (void) rmdir (mount_point);
        return "no tmpfs can be mounted here";
    }
    return NULL;
}

bool small_disk_unmount (const char *mount_point)
{
    bool unmounted = umount2 (mount_point, MNT_DETACH) == 0;
    (void) rmdir (mount_point);
    return unmounted;
}

bool small_disk_fill (const char *file)
{
    static const uint8_t zeros[4096];
    int descriptor = open (file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (descriptor >= 0 && write (descriptor, zeros, sizeof zeros) > 0) {
    }
    bool full = errno == ENOSPC;
    (void) close (descriptor);
    return full;
}
