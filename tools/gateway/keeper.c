#include "gateway/keeper.h"

#include "gateway/instant.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct keeper_t {
    pthread_mutex_t mutex;
    char file[PATH_MAX];
    struct stat seen;
    keyring_t *keyring; /* NULL: not read yet, or unreadable */
    saker_log_fn *log_fn;
    call_t call; /* for the store's name and for sentences */
};

keeper_t *keeper_new (const char *store, saker_log_fn *log_fn)
{
    keeper_t *self = calloc (1, sizeof *self);
    if (self) {
        pthread_mutex_init (&self->mutex, NULL);
        snprintf (self->call.store, sizeof self->call.store, "%s", store);
        if (snprintf (self->file, sizeof self->file, "%s/" TOKEN_FILE, store) >= PATH_MAX) {
            self->file[0] = 0; /* such a store cannot be opened */
        }
        self->log_fn = log_fn;
        self->seen.st_mtim.tv_sec = -1; /* not looked at yet */
    }
    return self;
}

static void leave (keyring_t *keyring)
{
    if (keyring && atomic_fetch_sub (&keyring->users, 1) == 1) {
        tokens_free (&keyring->tokens);
        free (keyring);
    }
}

void keeper_destroy (keeper_t **self_p)
{
    if (*self_p) {
        leave ((*self_p)->keyring);
        pthread_mutex_destroy (&(*self_p)->mutex);
        free (*self_p);
        *self_p = NULL;
    }
}

static bool is_same (const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_again (keeper_t *self)
{
    keyring_t *fresh = calloc (1, sizeof *fresh);
    leave (self->keyring);
    self->keyring = NULL;
    if (fresh && tokens_read (&self->call, self->call.store, &fresh->tokens) == SAKER_OK) {
        atomic_init (&fresh->users, 1);
        self->keyring = fresh;
        return;
    }
    self->log_fn (0, fresh ? self->call.sentence : "out of memory for the tokens", NULL);
    free (fresh);
}

/* Locked. */
static void look (keeper_t *self)
{
    struct stat now;
    if (stat (self->file, &now) != 0) {
        memset (&now, 0, sizeof now);
    }
    if (!is_same (&now, &self->seen)) {
        self->seen = now;
        read_again (self);
    }
}

bool keeper_let_in (keeper_t *self, const char *text, size_t size, access_t *access)
{
    *access = (access_t){0};
    pthread_mutex_lock (&self->mutex);
    look (self);
    if (self->keyring) {
        access->token = tokens_find (&self->keyring->tokens, text, size, instant_wall_ms ());
    }
    if (access->token) {
        access->keyring = self->keyring;
        atomic_fetch_add (&self->keyring->users, 1);
    }
    pthread_mutex_unlock (&self->mutex);
    return access->token;
}

static bool has_hash (const tokens_t *tokens, const token_t *token)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (memcmp (tokens->list[i].hash, token->hash, sizeof token->hash) == 0) {
            return true;
        }
    }
    return false;
}

void keeper_look (keeper_t *self)
{
    pthread_mutex_lock (&self->mutex);
    look (self);
    pthread_mutex_unlock (&self->mutex);
}

bool keeper_holds (keeper_t *self, const access_t *access)
{
    int64_t expires_ms = access->token->expires_ms;
    pthread_mutex_lock (&self->mutex);
    bool holds =
        self->keyring
        && (self->keyring == access->keyring || has_hash (&self->keyring->tokens, access->token))
        && (expires_ms == 0 || instant_wall_ms () < expires_ms);
    pthread_mutex_unlock (&self->mutex);
    return holds;
}

void keeper_leave (access_t *access)
{
    leave (access->keyring);
    *access = (access_t){0};
}
