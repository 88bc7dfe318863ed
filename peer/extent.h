/* Extent: does LMDB's file hold every page that is in use? A group may take pages at its end and
   let go of them again before it is committed: LMDB counts them, lists them as free, and never
   writes them, so a healthy file may be shorter than its header says. A file that was cut short
   lacks others, too, and reading on in it would end in SIGBUS. */

#ifndef SKR_PEER_EXTENT_H_INCLUDED
#define SKR_PEER_EXTENT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

/* Reads the list of free pages as LMDB 0.9 writes it, by pread alone: nothing is mapped, and
   whatever is not in form counts as missing. */
bool skr_extent_holds (int descriptor, size_t page_bytes, size_t file_bytes, size_t used_bytes);

#endif
