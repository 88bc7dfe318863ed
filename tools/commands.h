/* The commands of the saker tool: one constant entry each, in the order in which --help lists them
   (the table is in saker.c). */

#ifndef TOOLS_COMMANDS_H_INCLUDED
#define TOOLS_COMMANDS_H_INCLUDED

#include "call.h"

extern const command_t cmd_init, cmd_invite, cmd_join;
extern const command_t cmd_status, cmd_peers;
extern const command_t cmd_ls, cmd_get;
extern const command_t cmd_set, cmd_delete, cmd_incr, cmd_add, cmd_remove;
extern const command_t cmd_import, cmd_export;
extern const command_t cmd_watch, cmd_wait, cmd_verify;
extern const command_t cmd_revoke, cmd_role, cmd_fence, cmd_keys;
extern const command_t cmd_log, cmd_show, cmd_diff, cmd_restore_doc;
extern const command_t cmd_conflicts;
extern const command_t cmd_links, cmd_ping, cmd_why, cmd_trace, cmd_tail;
extern const command_t cmd_listen, cmd_dial;
extern const command_t cmd_doctor, cmd_bundle, cmd_graph, cmd_top;
extern const command_t cmd_backup, cmd_restore;
extern const command_t cmd_gc, cmd_store;
extern const command_t cmd_queue;
extern const command_t cmd_subscribe, cmd_unsubscribe, cmd_carry, cmd_seen;
extern const command_t cmd_token, cmd_hooks, cmd_inbox;
extern const command_t cmd_demo;

#endif
