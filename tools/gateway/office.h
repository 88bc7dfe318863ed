/* Office: what the dispatcher, who follows the collection for it, and its couriers share. For these
   alone; others see dispatch.h. */

#ifndef TOOLS_GATEWAY_OFFICE_H_INCLUDED
#define TOOLS_GATEWAY_OFFICE_H_INCLUDED

#include "gateway/delivered.h"
#include "gateway/diary.h"
#include "gateway/lease.h"
#include "gateway/settings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#define OFFICE_HOOKS_MAX 64
#define OFFICE_ASIDES_MAX 10000 /* of one subscription; it takes no new events beyond them */
#define OFFICE_MEMBERS_MAX 256
#define OFFICE_CLAIM_MS 500   /* between a claim and the first message */
#define OFFICE_NEAR_MS 3000   /* a link is up for so long before what comes over it counts as new */
#define OFFICE_SETTLE_MS 1500 /* and what comes from further away waits so long */
#define OFFICE_CONFIRM_MS 1000
#define OFFICE_LEAVE_MS 3000 /* so long an end waits for messages that are under way */
#define OFFICE_WATCH_MS 250
#define OFFICE_BATCH_MAX 32 /* letters that are set aside by one change */

typedef struct office_t office_t;

/* A member of the mesh, and since when its link is up. */
typedef struct office_member_t {
    char name[65], device[LEASE_DEVICE_SIZE];
    bool up, self;
    int64_t up_ms; /* mono */
} office_member_t;

/* One subscription, and the thread that carries its letters. */
typedef struct courier_t {
    LIST_ENTRY (courier_t) next;
    office_t *office;
    pthread_t thread;
    atomic_bool ending;
    call_t call; /* the thread's own, as all below it */
    deliver_t *deliver;
    hook_t hook;
    saker_cursor_t cursor;  /* all before it is done with */
    saker_cursor_t fetched; /* all before it is in the queue, or done with */
    bool placed;            /* there is a cursor */
    bool gap;               /* there may be changes that the feed no longer has */
    int64_t saved_ms;       /* mono */
    uint64_t saved_position;
    int64_t hold_ms; /* mono: nothing is sent before */
    unsigned failures;
    letter_t *queue;
    size_t queue_count, queue_max;
    int64_t fetched_ms, settled_ms; /* mono */
    int64_t passed_ms;              /* mono */
    unsigned turn;
    bool full; /* too much is set aside: told once */

    /* under the office's lock */
    bool busy;   /* a message is under way, or what became of it is not written yet */
    bool listed; /* its document is there */
    hook_t fresh;
    char owner[LEASE_DEVICE_SIZE];
    int64_t term, claimed_ms;
    delivered_t delivered;
    letter_t **asides; /* by letter_compare */
    size_t asides_count, asides_capacity;
} courier_t;

struct office_t {
    settings_t settings;
    char store[PATH_MAX];
    saker_log_fn *log_fn;
    diary_t *diary;
    call_t call; /* the dispatcher's */
    pthread_t thread;
    bool threaded;
    atomic_bool ending;
    _Atomic (saker_daemon_t *) leaving; /* who is to be stopped after handing over */
    saker_cursor_t cursor;
    bool begun;
    int64_t looked_ms, renewed_ms, unsettled_ms, cleaned_ms; /* mono */
    int64_t count;                                           /* our counter */
    bool registered, refused;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char device[LEASE_DEVICE_SIZE]; /* ours */
    bool settled;
    int64_t held_ms; /* mono: our lease counts from here */
    lease_peers_t peers;
    office_member_t members[OFFICE_MEMBERS_MAX];
    size_t members_count;
    LIST_HEAD (, courier_t) couriers;
    size_t couriers_count;
};

void office_log (const office_t *self, int level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* May this peer send for the subscription now? Locked. */
bool office_may_send (const office_t *self, const courier_t *courier);
/* The other peers that could take over, as saker_wait takes them; "" there are none. */
void office_others (office_t *self, char *text, size_t size);
/* Is it certain that what a device writes reaches us no later than what others say of it? */
bool office_is_near (office_t *self, const char *author);
/* NULL: no such member. Locked. */
office_member_t *office_member (office_t *self, const char *device);
/* Waits for a change, or so long. */
void office_rest (office_t *self, int64_t ms);

/* ---- follow.c: what the documents of the hooks collection say, at first and from then on */

saker_err_t office_begin (office_t *self);
saker_err_t office_follow (office_t *self);

/* ---- letters that are set aside; locked */

bool office_put_aside (courier_t *courier, const letter_t *letter);
void office_drop_aside (courier_t *courier, const char *event);

/* ---- courier.c */

courier_t *courier_new (office_t *office, const char *name);
/* Ends the thread. Not locked. */
void courier_destroy (courier_t **self_p);
bool courier_is_ending (const courier_t *self);
/* The collection of the subscriptions. */
const char *courier_hooks (const courier_t *self);

#endif
