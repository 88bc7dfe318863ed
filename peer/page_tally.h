/* What follows from the cells of a page, and is kept beside them: the fingerprint of the
   collection, and its index of conflicts (conflicts.h). Reckoned when a page is written, from what
   it holds by then, not with each item that comes or goes: a place that is written ten times in a
   group is looked at once. For pages.c. */

#ifndef SKR_PEER_PAGE_TALLY_H_INCLUDED
#define SKR_PEER_PAGE_TALLY_H_INCLUDED

#include "peer/pages.h"

/* The page is about to be written. */
saker_err_t skr_tally_page (skr_pages_t *self, skr_page_t *page) SKR_MUST_USE;
/* The item at a place is about to go. */
saker_err_t skr_tally_remove (skr_pages_t *self, skr_page_t *page, size_t at) SKR_MUST_USE;
/* Does tallying keep the index of conflicts of this page's document? Not where another page may
   hold a part of it: there each item that comes or goes is looked at (cells_store.c). */
bool skr_tally_settles (const skr_page_t *page);

#endif
