/* Report: what one member last told of itself, by its own beats, whoever passed them on, or by its
   answers. The basis of wait, verify and pull. Never moves backwards within an instance. */

#ifndef SKR_MESH_REPORT_H_INCLUDED
#define SKR_MESH_REPORT_H_INCLUDED

#include "mesh/wire.h"

#define SKR_REPORT_TICKS_MAX (1u << 20)      /* entries of all clocks that one member may tell */
#define SKR_REPORT_PART_BYTES_MAX (1u << 20) /* and bytes of prefixes */

/* The roster that a member had when it told something; shared by the entries told together. */
typedef struct skr_report_roster_t {
    size_t uses;
    skr_clock_t clock;
    uint64_t digest; /* of the clock */
} skr_report_roster_t;

typedef struct skr_report_entry_t {
    skr_id_t collection;
    skr_clock_t clock;
    uint64_t *hashes, *kept;     /* see skr_beat_entry_t */
    skr_report_roster_t *roster; /* told with it; NULL: none was */
    skr_part_t part;             /* see skr_beat_entry_t */
    bool removing;
    skr_fingerprint_t fingerprint;
    uint64_t documents;
    skr_part_sum_t asked; /* see skr_reported_t */
    uint64_t asked_ms;    /* see skr_reported_t */
    uint64_t rtt_us;      /* the same */
    uint64_t told_ms;
} skr_report_entry_t;

typedef struct skr_report_t {
    skr_id_t writer;
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES];
    uint64_t number; /* of the last beat; 0: none yet */
    uint64_t started_ms;
    uint64_t state;    /* digest of its last beat */
    uint64_t heard_ms; /* mono, of the last beat; 0: never */
    uint64_t wall_ms;  /* when the last beat was made, by its author's clock */
    bool skew_known;   /* set by who takes beats: how that clock goes, see skr_neighbour_t */
    int64_t skew_ms;
    size_t links_count;
    uint32_t links[SKR_WIRE_BEAT_LINKS_MAX]; /* sorted */
    skr_report_entry_t *entries;             /* sorted by collection */
    size_t entries_count, entries_capacity;
    size_t ticks;                /* in all clocks of the entries, the rosters included */
    size_t part_bytes;           /* in all parts of the entries */
    skr_report_roster_t *roster; /* told last */
} skr_report_t;

/* Takes a verified beat. False when it is not newer than what is known: of what is passed on, each
   beat is taken once. direct: it came on our own link to that process, so another process of the
   device (mesh/twin.h), of which somebody told, does not silence it. Takes what it tells. */
bool skr_report_beat (skr_report_t *self, skr_beat_t *beat, const skr_roster_t *roster, bool direct,
                      uint64_t mono_ms);
/* Would a beat be taken? It needs only what skr_beat_peek reads. */
bool skr_report_is_newer (const skr_report_t *self, const skr_beat_t *beat,
                          const skr_roster_t *roster, bool direct);
/* Does it hear that member itself (skr_wire_short)? */
bool skr_report_hears (const skr_report_t *self, uint32_t id);
/* Takes an answer about one collection, told under that roster (NULL: it was not told), with a sum
   over the part that was asked for; `rtt_us` after it was asked. Takes clock and hashes. */
saker_err_t skr_report_answer (skr_report_t *self, skr_beat_entry_t *told,
                               const skr_clock_t *roster, skr_part_sum_t *asked, uint64_t asked_ms,
                               uint64_t rtt_us) SKR_MUST_USE;
/* Does it carry the same documents of the collection as this peer, both of them no others? Then
   equal clocks must mean equal fingerprints. */
bool skr_report_alike (const skr_report_entry_t *theirs, const skr_replica_t *replica);
/* NULL when it never told. */
const skr_report_entry_t *skr_report_find (const skr_report_t *self, const skr_id_t *collection);
void skr_report_free (skr_report_t *self);

#endif
