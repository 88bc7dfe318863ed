/* Every change that was ever made in a run, in an order in which each comes after what it depends
   on: what a peer has cut off is replayed from here. Taken from the logs of whoever has a change
   first. With stores that were copied there is more than one truth: then nothing is kept. */

#include "tests/sim/sim.h"

#include "peer/cut.h"

typedef struct made_t {
    skr_buf_t change;
    skr_id_t writer;
    uint64_t seq;
} made_t;

typedef struct book_t { /* of one collection */
    skr_id_t collection;
    skr_clock_t clock;
    made_t *list;
    size_t count, capacity;
} book_t;

static book_t books[SIM_COLLECTIONS_MAX];
static size_t books_count;

static book_t *find_book (const skr_id_t *collection)
{
    for (size_t i = 0; i < books_count; i++) {
        if (skr_id_equal (&books[i].collection, collection)) {
            return &books[i];
        }
    }
    return NULL;
}

static book_t *book_of (const skr_id_t *collection)
{
    book_t *book = find_book (collection);
    if (!book && books_count < SIM_COLLECTIONS_MAX) {
        book = &books[books_count++];
        memset (book, 0, sizeof *book);
        book->collection = *collection;
    }
    return book;
}

static saker_err_t note (const skr_log_place_t *place, void *argument)
{
    book_t *book = argument;
    if (!place->entry) {
        return SKR_STOP; /* another peer has it */
    }
    if (book->count == book->capacity) {
        book->capacity = book->capacity ? 2 * book->capacity : 256;
        book->list = realloc (book->list, book->capacity * sizeof *book->list);
    }
    made_t *made = &book->list[book->count++];
    memset (made, 0, sizeof *made);
    made->writer = *place->writer;
    made->seq = place->seq;
    skr_buf_append_span (&made->change, place->entry->change);
    return skr_clock_set (&book->clock, place->writer, place->seq);
}

void sim_made_note (const sim_peer_t *peer, const skr_collection_t *collection)
{
    skr_replica_t *replica = peer->node->replica;
    book_t *book = book_of (&collection->id);
    if (sim.forks || !book || skr_clock_covers (&book->clock, &collection->clock)) {
        return;
    }
    saker_err_t error = skr_log_walk (skr_replica_store (replica), SKR_COMMITTED, collection->no,
                                      &collection->clock, &book->clock, note, book);
    skr_store_forget (skr_replica_store (replica));
    if (error == SAKER_EGAP && !peer->damaged) {
        sim_fail ("peer %d has cut off a change of %s that it alone had", peer->no,
                  collection->name);
    }
}

/* In the place of the cutter's (see the link flags): where nobody else is waited for, a change goes
   in the round in which it came. */
saker_err_t __wrap_skr_cutter_turn (skr_cutter_t *cutter);
saker_err_t __real_skr_cutter_turn (skr_cutter_t *cutter);
saker_err_t __wrap_skr_cutter_turn (skr_cutter_t *cutter)
{
    const int current = sim.current;
    const sim_peer_t *peer = &sim.peers[current];
    const skr_replica_t *replica = peer->node ? peer->node->replica : NULL;
    sim.current = -1; /* the memory is not the peer's */
    for (size_t i = 1; replica && i < skr_replica_collections (replica); i++) {
        sim_made_note (peer, skr_replica_collection_at (replica, i));
    }
    sim.current = current;
    return __real_skr_cutter_turn (cutter);
}

bool sim_made_each (const skr_id_t *collection, const skr_clock_t *up_to, sim_made_fn *visit,
                    void *argument)
{
    const book_t *book = find_book (collection);
    if (!book || !skr_clock_covers (&book->clock, up_to)) {
        return false;
    }
    for (size_t i = 0; i < book->count && !sim.failed; i++) {
        const made_t *made = &book->list[i];
        if (made->seq <= skr_clock_get (up_to, &made->writer)) {
            visit (skr_span_of (&made->change), argument);
        }
    }
    return !sim.failed;
}

void sim_made_end (void)
{
    for (size_t i = 0; i < books_count; i++) {
        for (size_t k = 0; k < books[i].count; k++) {
            skr_buf_free (&books[i].list[k].change);
        }
        free (books[i].list);
        skr_clock_free (&books[i].clock);
    }
    books_count = 0;
}
