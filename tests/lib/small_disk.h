/* Small disk: a tmpfs of some megabytes, for tests of a full one. */

#ifndef TESTS_LIB_SMALL_DISK_H_INCLUDED
#define TESTS_LIB_SMALL_DISK_H_INCLUDED

#include "tests/lib/temp_folder.h"

#include <stdbool.h>

#define SMALL_DISK_BYTES (TEMP_FOLDER_BYTES + 8)

/* Mounts one in a folder and names it. NULL, or why it cannot be; ends the program when the folder
   cannot be made. */
const char *small_disk_mount (char mount_point[SMALL_DISK_BYTES], const char *folder,
                              int megabytes);
/* False: it is still mounted. */
bool small_disk_unmount (const char *mount_point);
/* Writes a file until the disk is full. False: it ended for another reason. */
bool small_disk_fill (const char *file);

#endif
