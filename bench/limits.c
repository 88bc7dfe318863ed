#include "bench/limits.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define COMMITS 300
#define ROUND_TRIPS 2000
#define SIGNATURES 2000

uint64_t bench_now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000u + (uint64_t) now.tv_nsec / 1000u;
}

static int compare (const void *one, const void *other)
{
    double a = *(const double *) one;
    double b = *(const double *) other;
    return (a > b) - (a < b);
}

double bench_quantile (double *samples, size_t count, double part)
{
    qsort (samples, count, sizeof *samples, compare);
    size_t at = (size_t) ((double) count * part);
    return count ? samples[at < count ? at : count - 1] : 0;
}

/* ---- LMDB */

typedef struct table_t {
    char path[4096], lock[4096];
    MDB_env *env;
    MDB_dbi dbi;
} table_t;

static int open_table (table_t *self, const char *folder)
{
    MDB_txn *txn;
    memset (self, 0, sizeof *self);
    snprintf (self->path, sizeof self->path, "%s/limit.mdb", folder);
    snprintf (self->lock, sizeof self->lock, "%s/limit.mdb-lock", folder);
    return mdb_env_create (&self->env) || mdb_env_set_maxdbs (self->env, 1)
           || mdb_env_set_mapsize (self->env, (size_t) 8 << 30)
           || mdb_env_open (self->env, self->path, MDB_NOSUBDIR, 0600)
           || mdb_txn_begin (self->env, NULL, 0, &txn)
           || mdb_dbi_open (txn, "t", MDB_CREATE, &self->dbi) || mdb_txn_commit (txn);
}

static void close_table (table_t *self)
{
    if (self->env) {
        mdb_env_close (self->env);
    }
    unlink (self->path);
    unlink (self->lock);
}

/* Records `first` and on, in one durable commit. */
static int commit_some (const table_t *self, uint64_t first, size_t count, size_t record_bytes)
{
    static char record[65536];
    MDB_txn *txn;
    int bad = mdb_txn_begin (self->env, NULL, 0, &txn);
    for (uint64_t i = first; i < first + count && !bad; i++) {
        uint64_t number = __builtin_bswap64 (i);
        MDB_val key = {sizeof number, &number};
        MDB_val value = {record_bytes, record};
        bad = mdb_put (txn, self->dbi, &key, &value, 0);
        bad = bad ? (mdb_txn_abort (txn), bad) : 0;
    }
    return bad ? bad : mdb_txn_commit (txn);
}

double bench_commit_us (const char *folder)
{
    static double samples[COMMITS];
    table_t table;
    bool good = open_table (&table, folder) == 0;
    for (uint64_t i = 0; i < COMMITS && good; i++) {
        uint64_t start = bench_now_us ();
        good = commit_some (&table, i, 1, 256) == 0;
        samples[i] = (double) (bench_now_us () - start);
    }
    close_table (&table);
    return good ? bench_quantile (samples, COMMITS, 0.5) : -1;
}

double bench_inserts (const char *folder, size_t record_bytes, size_t records, size_t per_commit)
{
    table_t table;
    bool good = open_table (&table, folder) == 0;
    uint64_t start = bench_now_us ();
    for (size_t i = 0; i < records && good; i += per_commit) {
        good = commit_some (&table, i, per_commit, record_bytes) == 0;
    }
    double elapsed = (double) (bench_now_us () - start);
    close_table (&table);
    return good ? (double) records / elapsed * 1e6 : -1;
}

/* ---- a file */

double bench_write_bytes (const char *folder, size_t bytes)
{
    static char block[1 << 20];
    char path[4096];
    size_t done = 0;
    snprintf (path, sizeof path, "%s/limit.bin", folder);
    int descriptor = open (path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    uint64_t start = bench_now_us ();
    while (descriptor >= 0 && done < bytes && write (descriptor, block, sizeof block) > 0) {
        done += sizeof block;
    }
    bool good = descriptor >= 0 && fsync (descriptor) == 0 && done >= bytes;
    double elapsed = (double) (bench_now_us () - start);
    if (descriptor >= 0) {
        close (descriptor);
    }
    unlink (path);
    return good ? (double) done / elapsed * 1e6 : -1;
}

/* ---- signatures */

double bench_sign_verify_us (void)
{
    static double samples[SIGNATURES];
    uint8_t message[256] = {0}, signature[crypto_sign_BYTES];
    uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    if (sodium_init () < 0) {
        return -1;
    }
    crypto_sign_keypair (public, secret);
    for (size_t i = 0; i < SIGNATURES; i++) {
        uint64_t start = bench_now_us ();
        message[0] = (uint8_t) i;
        crypto_sign_detached (signature, NULL, message, sizeof message, secret);
        if (crypto_sign_verify_detached (signature, message, sizeof message, public) != 0) {
            return -1;
        }
        samples[i] = (double) (bench_now_us () - start);
    }
    return bench_quantile (samples, SIGNATURES, 0.5);
}

/* ---- messages */

static void *echo (void *router)
{
    char identity[256];
    char body[256];
    for (int i = 0; i < ROUND_TRIPS; i++) {
        int named = zmq_recv (router, identity, sizeof identity, 0);
        int size = zmq_recv (router, body, sizeof body, 0);
        if (named < 0 || size < 0) {
            break;
        }
        zmq_send (router, identity, (size_t) named, ZMQ_SNDMORE);
        zmq_send (router, body, (size_t) size, 0);
    }
    return NULL;
}

static void set_keys (void *router, void *dealer)
{
    char server_public[41], server_secret[41], client_public[41], client_secret[41];
    int yes = 1;
    zmq_curve_keypair (server_public, server_secret);
    zmq_curve_keypair (client_public, client_secret);
    zmq_setsockopt (router, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, server_secret, 41);
    zmq_setsockopt (dealer, ZMQ_CURVE_SERVERKEY, server_public, 41);
    zmq_setsockopt (dealer, ZMQ_CURVE_PUBLICKEY, client_public, 41);
    zmq_setsockopt (dealer, ZMQ_CURVE_SECRETKEY, client_secret, 41);
}

double bench_round_trip_us (void)
{
    static double samples[ROUND_TRIPS];
    char address[256];
    size_t size = sizeof address;
    char body[64] = {0};
    pthread_t thread;
    void *context = zmq_ctx_new ();
    void *router = zmq_socket (context, ZMQ_ROUTER);
    void *dealer = zmq_socket (context, ZMQ_DEALER);
    set_keys (router, dealer);
    if (zmq_bind (router, "tcp://127.0.0.1:*") != 0
        || zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, address, &size) != 0
        || zmq_connect (dealer, address) != 0
        || pthread_create (&thread, NULL, echo, router) != 0) {
        return -1;
    }
    for (int i = 0; i < ROUND_TRIPS; i++) {
        uint64_t start = bench_now_us ();
        zmq_send (dealer, body, sizeof body, 0);
        zmq_recv (dealer, body, sizeof body, 0);
        samples[i] = (double) (bench_now_us () - start);
    }
    pthread_join (thread, NULL);
    zmq_close (dealer);
    zmq_close (router);
    zmq_ctx_term (context);
    return bench_quantile (samples, ROUND_TRIPS, 0.5);
}
