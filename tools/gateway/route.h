/* Route: which request is answered by whom. One table; openapi.json describes the same, and a test
   holds the two against each other. To add a resource: a file route_NAME.c with its functions, and
   lines in the table of route.c and in openapi.json. */

#ifndef TOOLS_GATEWAY_ROUTE_H_INCLUDED
#define TOOLS_GATEWAY_ROUTE_H_INCLUDED

#include "gateway/request.h"

#define ROUTE_ARGUMENTS_MAX 8
#define ROUTE_ALLOW_SIZE 128

/* Makes the answer, by one of reply.h or problem.h. In a worker: call->peer is an open handle, and
   the call keeps sentences. */
typedef void route_fn (request_t *request, call_t *call);

typedef struct route_t {
    const char *method;
    const char *pattern; /* {collection} and {document} stand for one decoded part */
    token_role_t role;   /* that the token needs; TOKEN_NONE: none is asked for */
    route_fn *run;
    const char *arguments[ROUTE_ARGUMENTS_MAX]; /* of the query */
    bool idle;                                  /* needs no daemon: the handle may be NULL */
} route_t;

/* Finds the route and fills request->names. Otherwise a problem is the answer, and false. */
bool route_find (request_t *request, const char *method);
/* Is no token asked for? */
bool route_is_open (const char *uri, const char *method);
/* The methods that a path has, as Allow lists them; "" when there is no such path. */
void route_allow (const char *uri, char allow[ROUTE_ALLOW_SIZE]);
/* The whole table, ended by a NULL method. */
extern const route_t routes[];
size_t route_count (void);

/* ---- what the route_*.c give */

extern route_fn route_live, route_ready;                                 /* route_health.c */
extern route_fn route_metrics;                                           /* route_metrics.c */
extern route_fn route_mesh;                                              /* route_mesh.c */
extern route_fn route_page;                                              /* route_page.c */
extern route_fn route_describe;                                          /* route_describe.c */
extern route_fn route_collections, route_documents;                      /* route_collections.c */
extern route_fn route_get, route_put, route_patch, route_delete;         /* route_document.c */
extern route_fn route_operate, route_batch;                              /* route_batch.c */
extern route_fn route_conflicts, route_document_conflicts, route_settle; /* route_conflicts.c */
extern route_fn route_hooks, route_hook, route_hook_state;               /* route_hooks.c */
extern route_fn route_hook_deliveries, route_hook_dead, route_hook_replay;
extern route_fn route_inbox;   /* route_inbox.c */
extern route_fn route_changes; /* route_changes.c */

#endif
