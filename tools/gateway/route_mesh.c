/* The mesh as this peer sees it: the members, how the links to them are, how far they are behind.
 */

#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/standing.h"
#include "say.h"

static json_t *peers_json (const standing_t *standing)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < standing->peers_count; i++) {
        const standing_peer_t *peer = &standing->peers[i];
        json_array_append_new (list, say_peer (&(saker_peer_t){.name = peer->name,
                                                               .id = peer->id,
                                                               .role = peer->role,
                                                               .link = peer->link,
                                                               .address = peer->address,
                                                               .seen_ms = peer->seen_ms,
                                                               .behind = peer->behind,
                                                               .lag_ms = peer->lag_ms,
                                                               .rtt_us = peer->rtt_us}));
    }
    return list;
}

static json_t *collections_json (const standing_t *standing)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < standing->collections_count; i++) {
        const standing_collection_t *collection = &standing->collections[i];
        json_array_append_new (list, json_pack ("{s:s,s:I,s:I,s:I,s:I}", "name", collection->name,
                                                "documents", (json_int_t) collection->documents,
                                                "changes", (json_int_t) collection->changes,
                                                "conflicts", (json_int_t) collection->conflicts,
                                                "log_bytes", (json_int_t) collection->log_bytes));
    }
    return list;
}

static json_t *mesh_json (const standing_t *standing, const request_t *request)
{
    const token_t *token = request->access.token;
    const char *hooks = request->gateway->settings.hooks;
    return json_pack (
        "{s:{s:s,s:s,s:I},s:{s:s,s:s,s:s},s:{s:s,s:s},s:{s:I,s:I,s:I},s:o,s:o,s:s?,s:s}", "mesh",
        "name", standing->mesh, "id", standing->mesh_id, "members",
        (json_int_t) standing_number (standing, "/mesh/members"), "device", "name",
        standing->device, "id", standing->device_id, "role", standing->role, "token", "name",
        token->name, "role", token_role_text (token->role), "store", "used_bytes",
        (json_int_t) standing_number (standing, "/store/used_bytes"), "file_bytes",
        (json_int_t) standing_number (standing, "/store/file_bytes"), "log_bytes",
        (json_int_t) standing_number (standing, "/log/bytes"), "collections",
        collections_json (standing), "peers", peers_json (standing), "hooks", *hooks ? hooks : NULL,
        "version", saker_version ());
}

void route_mesh (request_t *request, call_t *call)
{
    standing_t standing;
    saker_err_t error = standing_read (&standing, request, call);
    if (error != SAKER_OK) {
        problem_error (request, call, error);
    } else {
        reply_json (request, 200, mesh_json (&standing, request));
    }
    standing_free (&standing);
}
