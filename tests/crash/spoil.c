/* spoil: makes one record of a stopped store wrong, for tests of what notices it.

     spoil FOLDER TABLE NUMBER bits          a bit of it is another one, and its checksum is not
     spoil FOLDER TABLE NUMBER remove        it is gone, with its checksum
     spoil FOLDER TABLE NUMBER lie OFFSET    the byte at OFFSET (from the end, if negative) is
   another one, under a checksum that is right

     spoil FOLDER wrong COLLECTION DOCUMENT  the last byte of its first value is another one, and
                                             all checksums and fingerprints are right

   NUMBER counts from 0, and from the end, if negative. */

#include "peer/replica_internal.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct picking_t {
    long left;
    uint64_t count;
    skr_buf_t key, value;
} picking_t;

static saker_err_t pick (skr_span_t key, skr_span_t value, void *argument)
{
    picking_t *picking = argument;
    picking->count++;
    if (picking->left-- != 0) {
        return SAKER_OK;
    }
    skr_buf_append_span (&picking->key, key);
    skr_buf_append_span (&picking->value, value);
    return SKR_STOP;
}

static saker_err_t find (skr_store_t *store, skr_table_t table, long number, picking_t *picking)
{
    uint64_t noted = 0;
    SKR_TRY (skr_store_noted (store, table, &noted));
    picking->left = number < 0 ? (long) noted + number : number;
    SKR_TRY (skr_store_scan (store, SKR_COMMITTED, table, skr_span (NULL, 0), skr_span (NULL, 0),
                             pick, picking));
    return picking->key.size ? SAKER_OK
                             : skr_fail (SAKER_ENOTFOUND, "table %s has no record %ld",
                                         skr_table_name (table), number);
}

/* Past the store, which would make the checksum right. */
static saker_err_t flip (const char *folder, skr_table_t table, const picking_t *picking)
{
    MDB_env *env = NULL;
    MDB_txn *transaction;
    MDB_dbi tree;
    MDB_val key = {.mv_size = picking->key.size, .mv_data = picking->key.data}, record;
    int code = mdb_env_create (&env);
    code = code ? code : mdb_env_set_maxdbs (env, SKR_TABLES);
    code = code ? code : mdb_env_set_mapsize (env, 1u << 30);
    code = code ? code : mdb_env_open (env, folder, MDB_NOTLS, 0600);
    code = code ? code : mdb_txn_begin (env, NULL, 0, &transaction);
    code = code ? code : mdb_dbi_open (transaction, skr_table_name (table), 0, &tree);
    code = code ? code : mdb_get (transaction, tree, &key, &record);
    if (code == 0) {
        uint8_t *copy = malloc (record.mv_size);
        if (!copy) {
            abort ();
        }
        memcpy (copy, record.mv_data, record.mv_size);
        copy[record.mv_size - 1] ^= 0x10;
        record.mv_data = copy;
        code = mdb_put (transaction, tree, &key, &record, 0);
        code = code ? code : mdb_txn_commit (transaction);
        free (copy);
    }
    mdb_env_close (env);
    return code ? skr_fail (SAKER_EIO, "LMDB: %s", mdb_strerror (code)) : SAKER_OK;
}

static saker_err_t change (skr_store_t *store, skr_table_t table, picking_t *picking,
                           const char *how, long offset)
{
    skr_span_t key = skr_span_of (&picking->key);
    size_t at = offset < 0 ? picking->value.size - (size_t) -offset : (size_t) offset;
    SKR_TRY (skr_store_begin (store));
    if (strcmp (how, "remove") == 0) {
        SKR_TRY (skr_store_remove (store, table, key));
    } else if (at < picking->value.size) {
        picking->value.data[at] ^= 1;
        SKR_TRY (skr_store_put (store, table, key, skr_span_of (&picking->value)));
    } else {
        return skr_fail (SAKER_EUSAGE, "the record has %zu bytes", picking->value.size);
    }
    return skr_store_commit (store);
}

static saker_err_t spoil (const char *folder, skr_table_t table, long number, const char *how,
                          long offset, picking_t *picking)
{
    skr_store_t *store = NULL;
    SKR_TRY (skr_store_open (&store, folder, SKR_STORE_OPEN, skr_world_real ()));
    saker_err_t error = find (store, table, number, picking);
    if (!error && strcmp (how, "bits") != 0) {
        error = change (store, table, picking, how, offset);
    }
    skr_store_close (&store);
    return !error && strcmp (how, "bits") == 0 ? flip (folder, table, picking) : error;
}

/* ---- wrong, with everything right */

typedef struct copying_t {
    skr_entry_t entry;
    skr_buf_t address, value;
} copying_t;

static saker_err_t copy_first (const skr_entry_t *entry, void *argument)
{
    copying_t *copying = argument;
    copying->entry = *entry;
    skr_buf_append_span (&copying->address, entry->address);
    skr_buf_append_span (&copying->value, entry->value);
    return SKR_STOP;
}

/* As an operation would do it, but with another value. */
static saker_err_t rewrite (skr_replica_t *replica, skr_held_t *held, skr_span_t document)
{
    copying_t copying = {.entry = {.hlc = 0}};
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_holdings_touch (replica, held));
    const skr_cells_t *cells = skr_cells_store_group (replica->cells, &held->live);
    saker_err_t error =
        cells->scan (cells->context, document, skr_span (NULL, 0), copy_first, &copying);
    if (error && error != SKR_STOP) {
        return error;
    }
    if (copying.value.size < 2) {
        return skr_fail (SAKER_ENOTFOUND, "nothing to spoil in this document");
    }
    copying.entry.address = skr_span_of (&copying.address);
    copying.entry.value = skr_span_of (&copying.value);
    SKR_TRY (cells->remove (cells->context, document, &copying.entry));
    copying.value.data[copying.value.size - 1] ^= 1;
    SKR_TRY (cells->put (cells->context, document, &copying.entry));
    error = skr_replica_commit (replica);
    skr_buf_free (&copying.address);
    skr_buf_free (&copying.value);
    return error;
}

static saker_err_t make_wrong (const char *folder, const char *name, const char *document)
{
    skr_replica_t *replica = NULL;
    const skr_collection_t *collection = NULL;
    SKR_TRY (skr_replica_open (&replica, folder, skr_world_real ()));
    saker_err_t error = skr_replica_collection_named (replica, name, &collection);
    if (!error) {
        error = rewrite (replica, skr_holdings_find (replica, &collection->id),
                         skr_span_text (document));
    }
    skr_replica_close (&replica);
    return error;
}

int main (int argc, char **argv)
{
    if (argc == 5 && strcmp (argv[2], "wrong") == 0) {
        saker_err_t wrong = make_wrong (argv[1], argv[3], argv[4]);
        if (wrong) {
            fprintf (stderr, "spoil: %s\n", skr_error ());
        }
        return (int) wrong;
    }
    if (argc < 5) {
        fprintf (stderr, "usage: spoil FOLDER TABLE NUMBER bits|remove|lie [OFFSET]\n");
        return SAKER_EUSAGE;
    }
    skr_table_t table = skr_table_named (skr_span_text (argv[2]));
    picking_t picking = {0};
    saker_err_t error = table == SKR_TABLES
                            ? skr_fail (SAKER_EUSAGE, "no table %s", argv[2])
                            : spoil (argv[1], table, strtol (argv[3], NULL, 10), argv[4],
                                     argc > 5 ? strtol (argv[5], NULL, 10) : -1, &picking);
    skr_buf_free (&picking.key);
    skr_buf_free (&picking.value);
    if (error) {
        fprintf (stderr, "spoil: %s\n", skr_error ());
    }
    return (int) error;
}
