/* What the files of the checkup share: checkup.c (records) and comparing.c (what they say of each
   other). */

#ifndef SKR_PEER_CHECKUP_INTERNAL_H_INCLUDED
#define SKR_PEER_CHECKUP_INTERNAL_H_INCLUDED

#include "peer/checkup.h"
#include "peer/replica_internal.h"

typedef struct skr_checkup_t {
    skr_replica_t *replica;
    skr_store_t *store;
    saker_finding_fn *finding_fn;
    saker_progress_fn *progress_fn;
    void *argument;
    uint64_t done, total;    /* records read, about */
    uint64_t found;          /* findings */
    bool broken[SKR_TABLES]; /* it has damaged records, which were told */
} skr_checkup_t;

/* How many findings of one kind were there; starts as zeros. */
typedef struct skr_tally_t {
    uint64_t count;
} skr_tally_t;

/* Tells a finding, unless its kind was told often enough. SKR_STOP when the caller wants to end. */
saker_err_t skr_checkup_find (skr_checkup_t *self, skr_tally_t *kind, const char *code,
                              const char *next, const char *format, ...)
    __attribute__ ((format (printf, 5, 6))) SKR_MUST_USE;
/* Tells how many more there were. */
saker_err_t skr_checkup_more (skr_checkup_t *self, const skr_tally_t *kind, const char *code,
                              const char *next, const char *what) SKR_MUST_USE;
/* One more record was read. */
saker_err_t skr_checkup_step (skr_checkup_t *self) SKR_MUST_USE;

extern const char skr_checkup_restore[]; /* the next step where data is damaged */

/* ---- comparing.c; each costs reading what it compares once */

saker_err_t skr_compare_writers (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_documents (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_cells (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_log (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_chains (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_indexes (skr_checkup_t *self) SKR_MUST_USE;
saker_err_t skr_compare_receipts (skr_checkup_t *self) SKR_MUST_USE;

#endif
