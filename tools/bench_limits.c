#include "bench_limits.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define COMMITS 300
#define ROUND_TRIPS 2000

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

static int commit_one (MDB_env *env, MDB_dbi table, uint64_t number)
{
    MDB_txn *txn;
    char record[256] = {0};
    MDB_val key = {sizeof number, &number};
    MDB_val value = {sizeof record, record};
    int bad = mdb_txn_begin (env, NULL, 0, &txn);
    if (!bad) {
        bad = mdb_put (txn, table, &key, &value, 0);
        bad = bad ? (mdb_txn_abort (txn), bad) : mdb_txn_commit (txn);
    }
    return bad;
}

static int open_table (MDB_env *env, MDB_dbi *table)
{
    MDB_txn *txn;
    return mdb_txn_begin (env, NULL, 0, &txn) || mdb_dbi_open (txn, "t", MDB_CREATE, table)
           || mdb_txn_commit (txn);
}

double bench_commit_us (const char *folder)
{
    static double samples[COMMITS];
    char path[4096];
    MDB_env *env = NULL;
    MDB_dbi table;
    double median = -1;
    snprintf (path, sizeof path, "%s/limit.mdb", folder);
    if (mdb_env_create (&env) == 0 && mdb_env_set_maxdbs (env, 1) == 0
        && mdb_env_open (env, path, MDB_NOSUBDIR, 0600) == 0 && open_table (env, &table) == 0) {
        for (uint64_t i = 0; i < COMMITS; i++) {
            uint64_t start = bench_now_us ();
            commit_one (env, table, i);
            samples[i] = (double) (bench_now_us () - start);
        }
        median = bench_quantile (samples, COMMITS, 0.5);
    }
    if (env) {
        mdb_env_close (env);
    }
    unlink (path);
    snprintf (path, sizeof path, "%s/limit.mdb-lock", folder);
    unlink (path);
    return median;
}

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
