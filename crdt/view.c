/* A view takes three steps over the entries of the document, in order of address, which is: a
   place, then all that is below it, then the next.

     1. load: copy the entries;
     2. judge: group them into places; from the last place to the first, hand the best entry of each
        up to the place above it; then from the first to the last, see which kind won;
     3. show: turn the entries of each place into leaves.

   Only places with entries of their own are kept. Any other place on the way is a map that nothing
   disputes. */

#include "crdt/view.h"

#include "crdt/fold.h"
#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

typedef struct seen_t {
    skr_dot_t dot;
    uint64_t hlc;
    size_t address_at, address_size; /* in the arena, which moves while it grows */
    size_t value_at, value_size;
    skr_span_t address, value, path, member; /* once it stands still */
    skr_kind_t kind;
} seen_t;

typedef struct place_t {
    skr_span_t path;
    size_t first, count; /* its own entries */
    size_t above;        /* index of the nearest place above with entries, or NOWHERE */
    const seen_t *best;  /* of its own */
    const seen_t *below; /* best of all entries below; NULL: no keys */
    skr_kind_t winner;
    bool shown; /* no map above it lost */
} place_t;

#define NOWHERE SIZE_MAX

typedef struct view_t {
    skr_buf_t arena;
    seen_t *entries;
    size_t entries_count, entries_capacity;
    place_t *places;
    size_t places_count;
} view_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "read a document: out of memory");
}

/* Order among rivals: the highest (hlc, writer) wins; seq and index make it total. */
static int compare_rank (const seen_t *one, const seen_t *other)
{
    if (one->hlc != other->hlc) {
        return one->hlc < other->hlc ? -1 : 1;
    }
    return skr_dot_compare (&one->dot, &other->dot);
}

static const seen_t *higher (const seen_t *one, const seen_t *other)
{
    if (!one || !other) {
        return one ? one : other;
    }
    return compare_rank (one, other) < 0 ? other : one;
}

/* ---- load ---- */

static saker_err_t grow_entries (view_t *view)
{
    if (view->entries_count < view->entries_capacity) {
        return SAKER_OK;
    }
    size_t capacity = view->entries_capacity ? 2 * view->entries_capacity : 16;
    seen_t *entries = realloc (view->entries, capacity * sizeof *entries);
    if (!entries) {
        return no_memory ();
    }
    view->entries = entries;
    view->entries_capacity = capacity;
    return SAKER_OK;
}

static saker_err_t load_entry (const skr_entry_t *entry, void *argument)
{
    view_t *view = argument;
    SKR_TRY (grow_entries (view));
    seen_t *seen = &view->entries[view->entries_count++];
    memset (seen, 0, sizeof *seen);
    seen->dot = entry->dot;
    seen->hlc = entry->hlc;
    seen->address_at = view->arena.size;
    seen->address_size = entry->address.size;
    skr_buf_append_span (&view->arena, entry->address);
    seen->value_at = view->arena.size;
    seen->value_size = entry->value.size;
    skr_buf_append_span (&view->arena, entry->value);
    return view->arena.failed ? no_memory () : SAKER_OK;
}

static saker_err_t settle_entry (const skr_buf_t *arena, seen_t *seen)
{
    seen->address = skr_span (arena->data + seen->address_at, seen->address_size);
    seen->value = skr_span (arena->data + seen->value_at, seen->value_size);
    if (skr_address_parse (seen->address, &seen->path, &seen->kind, &seen->member) != SAKER_OK) {
        return skr_wrap (SAKER_EDAMAGED, "entry");
    }
    return SAKER_OK;
}

/* Statements are no part of a document's tree: left out. */
static saker_err_t settle_entries (view_t *view)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->entries_count; i++) {
        SKR_TRY (settle_entry (&view->arena, &view->entries[i]));
        if (view->entries[i].kind != SKR_STATEMENT) {
            view->entries[kept++] = view->entries[i];
        }
    }
    view->entries_count = kept;
    return SAKER_OK;
}

static saker_err_t note_rival (const skr_entry_t *entry, void *argument)
{
    (void) entry;
    *(bool *) argument = true;
    return SAKER_OK;
}

static saker_err_t dispute_at (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                               bool *disputed)
{
    for (int kind = SKR_REGISTER; kind < SKR_MAP && !*disputed; kind++) {
        skr_buf_t address = {0};
        skr_address_put (&address, path, (skr_kind_t) kind, skr_span (NULL, 0));
        saker_err_t error = address.failed
                                ? no_memory ()
                                : cells->scan (cells->context, document, skr_span_of (&address),
                                               note_rival, disputed);
        skr_buf_free (&address);
        SKR_TRY (error);
    }
    return SAKER_OK;
}

/* Does anything but maps lie at a place above the path? Only then can what is elsewhere in the
   document decide whether the path is shown. */
static saker_err_t dispute_above (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                                  bool *disputed)
{
    skr_span_t rest = path, key;
    const uint8_t *end = path.data;
    *disputed = false;
    while (skr_path_next (&rest, &key) && !*disputed) {
        SKR_TRY (dispute_at (cells, document, skr_span (path.data, (size_t) (end - path.data)),
                             disputed));
        end = path.data + (path.size - rest.size);
    }
    return SAKER_OK;
}

static saker_err_t load (view_t *view, const skr_cells_t *cells, skr_span_t document,
                         skr_span_t path)
{
    bool disputed;
    SKR_TRY (dispute_above (cells, document, path, &disputed));
    SKR_TRY (cells->scan (cells->context, document, disputed ? skr_span (NULL, 0) : path,
                          load_entry, view));
    return settle_entries (view);
}

/* ---- judge ---- */

static size_t place_above (const view_t *view, skr_span_t path)
{
    size_t at = view->places_count - 1; /* NOWHERE before the first */
    while (at != NOWHERE && !skr_span_starts (path, view->places[at].path)) {
        at = view->places[at].above;
    }
    return at;
}

static void add_entry (view_t *view, size_t i)
{
    seen_t *seen = &view->entries[i];
    size_t at = place_above (view, seen->path);
    if (at == NOWHERE || !skr_span_equal (view->places[at].path, seen->path)) {
        view->places[view->places_count] = (place_t){.path = seen->path, .first = i, .above = at};
        at = view->places_count++;
    }
    view->places[at].count++;
    view->places[at].best = higher (view->places[at].best, seen);
}

static void hand_up (view_t *view)
{
    for (size_t i = view->places_count; i-- > 0;) {
        place_t *place = &view->places[i];
        if (place->above != NOWHERE) {
            place_t *above = &view->places[place->above];
            above->below = higher (above->below, higher (place->best, place->below));
        }
    }
}

static void pick_winners (view_t *view)
{
    for (size_t i = 0; i < view->places_count; i++) {
        place_t *place = &view->places[i];
        const place_t *above = place->above == NOWHERE ? NULL : &view->places[place->above];
        bool map_won = higher (place->best, place->below) != place->best;
        place->winner = map_won ? SKR_MAP : place->best->kind;
        place->shown = !above || (above->shown && above->winner == SKR_MAP);
    }
}

static saker_err_t judge (view_t *view)
{
    if (!view->entries_count) {
        return SAKER_OK;
    }
    view->places = calloc (view->entries_count, sizeof *view->places);
    if (!view->places) {
        return no_memory ();
    }
    for (size_t i = 0; i < view->entries_count; i++) {
        add_entry (view, i);
    }
    hand_up (view);
    pick_winners (view);
    return SAKER_OK;
}

/* ---- show ---- */

/* A leaf in the making. All leaves of one kind rank together, except registers, each for itself. */
typedef struct row_t {
    const seen_t *latest; /* of the entries that make the leaf */
    const seen_t *rank;
    size_t order;
    int64_t sum;
} row_t;

static int compare_rows (const void *one, const void *other)
{
    const row_t *a = one, *b = other;
    if (a->rank != b->rank) {
        return -compare_rank (a->rank, b->rank);
    }
    return (a->order > b->order) - (a->order < b->order);
}

static bool same_leaf (const seen_t *one, const seen_t *other)
{
    if (one->kind != other->kind || one->kind == SKR_REGISTER || one->kind == SKR_LWW) {
        return false;
    }
    return skr_span_equal (one->address, other->address);
}

static saker_err_t add_amount (row_t *row, const seen_t *seen)
{
    uint64_t amount;
    if (seen->kind != SKR_COUNTER) {
        return SAKER_OK;
    }
    SKR_TRY (skr_fold_amount (seen->value, &amount));
    row->sum = (int64_t) ((uint64_t) row->sum + amount);
    return SAKER_OK;
}

static saker_err_t collect_rows (const view_t *view, const place_t *place, row_t *rows,
                                 size_t *count)
{
    *count = 0;
    for (size_t i = place->first; i < place->first + place->count; i++) {
        const seen_t *seen = &view->entries[i];
        if (seen->kind == SKR_MAP && place->below) {
            continue; /* a map with keys shows in its keys */
        }
        if (!*count || !same_leaf (rows[*count - 1].latest, seen)) {
            rows[*count] = (row_t){.order = *count};
            ++*count;
        }
        row_t *row = &rows[*count - 1];
        row->latest = higher (row->latest, seen);
        SKR_TRY (add_amount (row, seen));
    }
    return SAKER_OK;
}

static void sort_rows (row_t *rows, size_t count)
{
    const seen_t *best_member = NULL;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].latest->kind == SKR_MEMBER) {
            best_member = higher (best_member, rows[i].latest);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool member = rows[i].latest->kind == SKR_MEMBER;
        rows[i].rank = member ? best_member : rows[i].latest;
    }
    qsort (rows, count, sizeof *rows, compare_rows);
}

static saker_err_t leaf_value (const row_t *row, saker_value_t *value)
{
    const seen_t *seen = row->latest;
    memset (value, 0, sizeof *value);
    if (seen->kind == SKR_MAP) {
        value->type = SAKER_MAP;
        return SAKER_OK;
    }
    if (seen->kind == SKR_COUNTER) {
        value->type = SAKER_INT;
        value->as.integer = row->sum;
        return SAKER_OK;
    }
    saker_err_t error =
        skr_value_parse (seen->kind == SKR_MEMBER ? seen->member : seen->value, value);
    return error == SAKER_OK ? SAKER_OK : skr_wrap (SAKER_EDAMAGED, "value");
}

/* Only the best register wins; of other kinds, all leaves of the winning one do. */
static bool is_rival (const place_t *place, const row_t *row)
{
    bool registers = row->latest->kind == SKR_REGISTER || row->latest->kind == SKR_LWW;
    return row->latest->kind != place->winner || (registers && row->latest != place->best);
}

/* design 3: rivals of lww registers are not reported; what a type clash hides is. */
static bool is_conflict (const place_t *place, const row_t *row)
{
    if (!is_rival (place, row)) {
        return !place->shown;
    }
    return place->winner != SKR_LWW || row->latest->kind != SKR_LWW;
}

static saker_err_t show_row (const place_t *place, const row_t *row, skr_leaf_visit_fn *visit,
                             void *argument)
{
    skr_leaf_t leaf = {.path = place->path,
                       .kind = row->latest->kind,
                       .dot = row->latest->dot,
                       .hlc = row->latest->hlc,
                       .rival = is_rival (place, row),
                       .conflict = is_conflict (place, row)};
    leaf.shown = place->shown && !leaf.rival;
    SKR_TRY (leaf_value (row, &leaf.value));
    return visit ? visit (&leaf, argument) : SAKER_OK;
}

static bool in_conflict (const place_t *place, const row_t *rows, size_t count)
{
    if (place->below && place->winner != SKR_MAP) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_rival (place, &rows[i]) && is_conflict (place, &rows[i])) {
            return true;
        }
    }
    return false;
}

static saker_err_t show_place (const view_t *view, const place_t *place, row_t *rows,
                               skr_leaf_visit_fn *visit, void *argument, size_t *conflicts)
{
    size_t count;
    SKR_TRY (collect_rows (view, place, rows, &count));
    sort_rows (rows, count);
    *conflicts += in_conflict (place, rows, count);
    for (size_t i = 0; i < count; i++) {
        SKR_TRY (show_row (place, &rows[i], visit, argument));
    }
    return SAKER_OK;
}

static saker_err_t show (const view_t *view, skr_span_t path, skr_leaf_visit_fn *visit,
                         void *argument, size_t *conflicts)
{
    bool found = false;
    row_t *rows = calloc (view->entries_count + 1, sizeof *rows);
    saker_err_t error = rows ? SAKER_OK : no_memory ();
    *conflicts = 0;
    for (size_t i = 0; i < view->places_count && error == SAKER_OK; i++) {
        const place_t *place = &view->places[i];
        if (skr_span_starts (place->path, path)) {
            found = true;
            error = show_place (view, place, rows, visit, argument, conflicts);
        }
    }
    free (rows);
    if (error == SAKER_OK && !found) {
        error = skr_fail (SAKER_ENOTFOUND, "nothing is there");
    }
    return error;
}

static void view_free (view_t *view)
{
    skr_buf_free (&view->arena);
    free (view->entries);
    free (view->places);
}

saker_err_t skr_view_document (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                               skr_leaf_visit_fn *visit, void *argument, size_t *conflicts)
{
    view_t view = {0};
    size_t found = 0;
    saker_err_t error = load (&view, cells, document, path);
    if (error == SAKER_OK) {
        error = judge (&view);
    }
    if (error == SAKER_OK) {
        error = show (&view, path, visit, argument, &found);
    }
    view_free (&view);
    if (conflicts) {
        *conflicts = found;
    }
    return error;
}
