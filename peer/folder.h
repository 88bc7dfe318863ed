/* Folder: where a store lies. It must be ours alone, on a local disk, and used by one process. */

#ifndef SKR_PEER_FOLDER_H_INCLUDED
#define SKR_PEER_FOLDER_H_INCLUDED

#include "crdt/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the folder with 0700, or takes one that is there and empty. *made: it was missing.
   SAKER_EEXIST when it holds something. */
saker_err_t skr_folder_make (const char *folder, bool *made) SKR_MUST_USE;
/* SAKER_EEXIST names the first that it holds. */
saker_err_t skr_folder_empty (const char *folder) SKR_MUST_USE;
/* SAKER_ENOTFOUND; SAKER_EINPUT: it is not a folder, not ours, open to others, or on a network
   filesystem. The sentence says what to do. */
saker_err_t skr_folder_check (const char *folder) SKR_MUST_USE;
/* Takes FOLDER/lock for this process; *lock is a descriptor: the lock lasts until it is closed.
   SAKER_EBUSY names the process that has it. */
saker_err_t skr_folder_lock (const char *folder, int *lock) SKR_MUST_USE;
/* The same, but writes nothing: no process id, and no file where there is none (*lock is -1 then:
   nothing ever had it open). */
saker_err_t skr_folder_guard (const char *folder, int *lock) SKR_MUST_USE;
/* Makes what was made in the folder durable. */
saker_err_t skr_folder_sync (const char *folder) SKR_MUST_USE;
/* Makes a file of zeros with its place on the disk, unless it is there. SAKER_EFULL. */
saker_err_t skr_folder_reserve (const char *folder, const char *name, size_t bytes) SKR_MUST_USE;
/* Makes an empty file, unless it is there. SAKER_EFULL. */
saker_err_t skr_folder_mark (const char *folder, const char *name) SKR_MUST_USE;
/* Is there a file with this name? */
bool skr_folder_has (const char *folder, const char *name);
void skr_folder_unlink (const char *folder, const char *name);
/* The name of a filesystem on which no store may lie, by its statfs type; NULL when it may. */
const char *skr_folder_refused (uint32_t type);
/* The same by a folder, of FUSE too; "" when it may. SAKER_ENOTFOUND, SAKER_EINPUT, SAKER_EIO. */
#define SKR_FOLDER_NETWORK_MAX SAKER_NETWORK_MAX
saker_err_t skr_folder_network (const char *folder, char name[SKR_FOLDER_NETWORK_MAX]) SKR_MUST_USE;

#endif
