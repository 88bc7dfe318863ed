#include "peer/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_TYPE 0x65735546u
#define MOUNT_LINE_BYTES_MAX 4096

/* A memory map does not stay whole there when two machines write, and its locks do not hold.
   Types as in statfs(2) and the kernel's magic.h. */
static const struct {
    uint32_t type;
    const char *name;
} refused[] = {
    {0x00006969u, "NFS"},      {0x0000517bu, "SMB"}, {0xff534d42u, "CIFS"},   {0xfe534d42u, "SMB2"},
    {0x00c36400u, "Ceph"},     {0x5346414fu, "AFS"}, {0x6b414653u, "AFS"},    {0x73757245u, "Coda"},
    {0x0000564cu, "NCP"},      {0x01021997u, "9P"},  {0x0bd00bd0u, "Lustre"}, {0x47504653u, "GPFS"},
    {0x20030528u, "OrangeFS"},
};

/* Of FUSE, those that speak with another machine. */
static const char *const refused_fuse[] = {
    "fuse.sshfs",  "fuse.s3fs",    "fuse.glusterfs", "fuse.ceph",      "fuse.rclone",
    "fuse.davfs2", "fuse.gcsfuse", "fuse.smbnetfs",  "fuse.curlftpfs",
};

const char *skr_folder_refused (uint32_t type)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i].type == type) {
            return refused[i].name;
        }
    }
    return NULL;
}

static saker_err_t from_errno (int error, const char *doing, const char *folder)
{
    saker_err_t code = SAKER_EIO;
    switch (error) {
    case ENOENT:
        code = SAKER_ENOTFOUND;
        break;
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
        code = SAKER_EINPUT;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = SAKER_ERIGHT;
        break;
    case ENOSPC:
    case EDQUOT:
        code = SAKER_EFULL;
        break;
    case ENOMEM:
        code = SAKER_ENOMEM;
        break;
    default:
        break;
    }
    return skr_fail (code, "%s %s: %s", doing, folder, strerror (error));
}

static saker_err_t file_in (const char *folder, const char *name, char path[PATH_MAX])
{
    int size = snprintf (path, PATH_MAX, "%s/%s", folder, name);
    if (size < 0 || size >= PATH_MAX) {
        return skr_fail (SAKER_EINPUT, "folder %s: the path is too long", folder);
    }
    return SAKER_OK;
}

saker_err_t skr_folder_empty (const char *folder)
{
    DIR *entries = opendir (folder);
    if (!entries) {
        return from_errno (errno, "look into folder", folder);
    }
    saker_err_t error = SAKER_OK;
    const struct dirent *entry;
    while (!error && (entry = readdir (entries))) {
        if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0) {
            error = skr_fail (SAKER_EEXIST,
                              "folder %s is not empty (it holds %s): name a new one, or empty it",
                              folder, entry->d_name);
        }
    }
    (void) closedir (entries);
    return error;
}

saker_err_t skr_folder_make (const char *folder, bool *made)
{
    *made = mkdir (folder, 0700) == 0;
    if (*made) {
        /* The entry in the folder above is part of what must last. */
        char above[PATH_MAX];
        SKR_TRY (file_in (folder, "..", above));
        return skr_folder_sync (above);
    }
    if (errno == ENOENT) {
        return skr_fail (SAKER_ENOTFOUND,
                         "make folder %s: the folder above it is not there: make that first",
                         folder);
    }
    if (errno != EEXIST) {
        return from_errno (errno, "make folder", folder);
    }
    return skr_folder_empty (folder);
}

/* The type of a mounted filesystem, as the kernel lists it ("fuse.sshfs"); "" when not found. */
static void mounted_type (dev_t device, char type[64])
{
    char line[MOUNT_LINE_BYTES_MAX];
    type[0] = '\0';
    FILE *mounts = fopen ("/proc/self/mountinfo", "re");
    if (!mounts) {
        return;
    }
    while (fgets (line, sizeof line, mounts)) {
        unsigned int major_no, minor_no;
        const char *after = strstr (line, " - ");
        if (after && sscanf (line, "%*d %*d %u:%u", &major_no, &minor_no) == 2
            && major_no == major (device) && minor_no == minor (device)) {
            (void) sscanf (after, " - %63s", type);
        }
    }
    (void) fclose (mounts);
}

saker_err_t skr_folder_network (const char *folder, char name[SKR_FOLDER_NETWORK_MAX])
{
    struct statfs filesystem;
    struct stat status;
    name[0] = 0;
    if (stat (folder, &status) != 0 || statfs (folder, &filesystem) != 0) {
        return from_errno (errno, "look at folder", folder);
    }
    uint32_t type = (uint32_t) filesystem.f_type;
    const char *refused_name = skr_folder_refused (type);
    char fuse[64] = "";
    if (type == FUSE_TYPE) {
        mounted_type (status.st_dev, fuse);
        for (size_t i = 0; i < sizeof refused_fuse / sizeof refused_fuse[0]; i++) {
            refused_name = strcmp (fuse, refused_fuse[i]) == 0 ? fuse : refused_name;
        }
    }
    snprintf (name, SKR_FOLDER_NETWORK_MAX, "%s", refused_name ? refused_name : "");
    return SAKER_OK;
}

static saker_err_t check_filesystem (const char *folder)
{
    char name[SKR_FOLDER_NETWORK_MAX];
    SKR_TRY (skr_folder_network (folder, name));
    if (*name) {
        return skr_fail (SAKER_EINPUT,
                         "folder %s is on a network filesystem (%s), where a store would be "
                         "damaged: put it on a local disk",
                         folder, name);
    }
    return SAKER_OK;
}

saker_err_t skr_folder_check (const char *folder)
{
    struct stat status;
    if (stat (folder, &status) != 0) {
        return from_errno (errno, "open folder", folder);
    }
    if (!S_ISDIR (status.st_mode)) {
        return skr_fail (SAKER_EINPUT, "%s is not a folder", folder);
    }
    if (status.st_uid != geteuid ()) {
        return skr_fail (SAKER_EINPUT,
                         "folder %s belongs to user %u, not to user %u, who runs this: use that "
                         "account, or chown it",
                         folder, (unsigned int) status.st_uid, (unsigned int) geteuid ());
    }
    if (status.st_mode & 077) {
        return skr_fail (SAKER_EINPUT, "folder %s is open to other users (mode %04o): chmod 700 %s",
                         folder, (unsigned int) status.st_mode & 07777u, folder);
    }
    return check_filesystem (folder);
}

/* " (sakerd)", or "" when it cannot be seen. */
static void name_program (long process, char *text, size_t size)
{
    char path[64], name[24] = "";
    snprintf (path, sizeof path, "/proc/%ld/comm", process);
    FILE *file = fopen (path, "re");
    if (file && fgets (name, sizeof name, file)) {
        name[strcspn (name, "\n")] = '\0';
        snprintf (text, size, " (%s)", name);
    }
    if (file) {
        (void) fclose (file);
    }
}

static saker_err_t busy (int file, const char *folder)
{
    char text[24] = "", program[32] = "";
    ssize_t size = pread (file, text, sizeof text - 1, 0);
    long process = size > 0 ? strtol (text, NULL, 10) : 0;
    if (process <= 0) {
        return skr_fail (SAKER_EBUSY, "store %s is open in another process", folder);
    }
    name_program (process, program, sizeof program);
    return skr_fail (
        SAKER_EBUSY,
        "store %s is open in process %ld%s: go through it (saker_open, saker --store), "
        "or stop it first",
        folder, process, program);
}

/* Leaves our process id in the lock file, for the sentence that others get. */
static int write_owner (int file)
{
    char text[24];
    int size = snprintf (text, sizeof text, "%ld\n", (long) getpid ());
    if (ftruncate (file, 0) != 0 || pwrite (file, text, (size_t) size, 0) != size) {
        return errno ? errno : EIO;
    }
    return 0;
}

saker_err_t skr_folder_lock (const char *folder, int *lock)
{
    char path[PATH_MAX];
    SKR_TRY (file_in (folder, "lock", path));
    int file = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return from_errno (errno, "lock store", folder);
    }
    if (flock (file, LOCK_EX | LOCK_NB) != 0) {
        saker_err_t error =
            errno == EWOULDBLOCK ? busy (file, folder) : from_errno (errno, "lock store", folder);
        (void) close (file);
        return error;
    }
    /* On a full disk the store still opens, to be read: the id is only a help to people. */
    errno = 0;
    int error = write_owner (file);
    if (error && error != ENOSPC && error != EDQUOT) {
        (void) close (file);
        return from_errno (error, "lock store", folder);
    }
    *lock = file;
    return SAKER_OK;
}

saker_err_t skr_folder_guard (const char *folder, int *lock)
{
    char path[PATH_MAX];
    *lock = -1;
    SKR_TRY (file_in (folder, "lock", path));
    int file = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        return errno == ENOENT ? SAKER_OK : from_errno (errno, "lock store", folder);
    }
    if (flock (file, LOCK_EX | LOCK_NB) != 0) {
        saker_err_t error =
            errno == EWOULDBLOCK ? busy (file, folder) : from_errno (errno, "lock store", folder);
        (void) close (file);
        return error;
    }
    *lock = file;
    return SAKER_OK;
}

saker_err_t skr_folder_sync (const char *folder)
{
    int file = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return from_errno (errno, "sync folder", folder);
    }
    int error = fsync (file) == 0 ? 0 : errno;
    (void) close (file);
    return error ? from_errno (error, "sync folder", folder) : SAKER_OK;
}

saker_err_t skr_folder_reserve (const char *folder, const char *name, size_t bytes)
{
    char path[PATH_MAX];
    SKR_TRY (file_in (folder, name, path));
    int file = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        return errno == EEXIST ? SAKER_OK : from_errno (errno, "make a file in folder", folder);
    }
    int error = posix_fallocate (file, 0, (off_t) bytes);
    (void) close (file);
    if (error) {
        (void) unlink (path);
        return from_errno (error, "make a file in folder", folder);
    }
    return SAKER_OK;
}

saker_err_t skr_folder_mark (const char *folder, const char *name)
{
    char path[PATH_MAX];
    SKR_TRY (file_in (folder, name, path));
    int file = open (path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return from_errno (errno, "make a file in folder", folder);
    }
    (void) close (file);
    return SAKER_OK;
}

bool skr_folder_has (const char *folder, const char *name)
{
    char path[PATH_MAX];
    return file_in (folder, name, path) == SAKER_OK && access (path, F_OK) == 0;
}

void skr_folder_unlink (const char *folder, const char *name)
{
    char path[PATH_MAX];
    if (file_in (folder, name, path) == SAKER_OK) {
        (void) unlink (path);
    }
}
