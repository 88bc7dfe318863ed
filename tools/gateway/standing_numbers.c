/* Which numbers of the daemon's status become metrics, and what they are called and mean. */

#include "gateway/standing.h"

#define NUMBER(pointer, name, type, help, unit, label, value)                                      \
    {                                                                                              \
        (pointer), (name), (type), (help), (unit), (label), (value)                                \
    }
#define GAUGE(pointer, name, help) NUMBER (pointer, name, "gauge", help, 1, NULL, NULL)
#define SECONDS(pointer, name, help) NUMBER (pointer, name, "gauge", help, 0.001, NULL, NULL)
#define COUNTER(pointer, name, help) NUMBER (pointer, name, "counter", help, 1, NULL, NULL)
#define REFUSED(pointer, why)                                                                      \
    NUMBER (pointer, "saker_changes_refused_total", "counter",                                     \
            "Changes of others that were refused.", 1, "why", why)

/* Those of one name stand together. */
const standing_number_t standing_numbers[] = {
    GAUGE ("/mesh/members", "saker_members", "Members of the mesh, this peer included."),
    GAUGE ("/data/collections", "saker_collections", "Collections."),
    GAUGE ("/data/documents", "saker_documents", "Documents in all collections."),
    GAUGE ("/data/conflicts", "saker_conflicts", "Places with rival values in all collections."),
    COUNTER ("/changes/applied", "saker_changes_applied_total",
             "Changes that were applied here, those written here included."),
    COUNTER ("/changes/written", "saker_changes_written_total", "Changes that were written here."),
    COUNTER ("/changes/repeated", "saker_changes_repeated_total",
             "Changes that came and were here already."),
    COUNTER ("/changes/dropped", "saker_changes_dropped_total",
             "Changes that came too early and had no room to wait; they are fetched again."),
    COUNTER ("/changes/future", "saker_changes_future_total",
             "Changes whose time is ahead of this clock."),
    GAUGE ("/changes/waiting", "saker_changes_waiting",
           "Changes that wait for what they build on."),
    GAUGE ("/changes/waiting_bytes", "saker_changes_waiting_bytes",
           "Size of the changes that wait for what they build on."),
    REFUSED ("/refused/form", "form"),
    REFUSED ("/refused/signature", "signature"),
    REFUSED ("/refused/right", "right"),
    REFUSED ("/refused/fork", "fork"),
    REFUSED ("/refused/key", "key"),
    GAUGE ("/store/file_bytes", "saker_store_file_bytes", "Size of the store's file."),
    GAUGE ("/store/used_bytes", "saker_store_used_bytes",
           "Bytes of the store's file that are in use."),
    GAUGE ("/store/map_bytes", "saker_store_map_bytes",
           "Bytes that the store may grow to before it maps more."),
    COUNTER ("/store/commits", "saker_store_commits_total", "Commits."),
    COUNTER ("/store/failed_commits", "saker_store_failed_commits_total",
             "Commits that failed; nothing of them was acknowledged."),
    COUNTER ("/store/failed_groups", "saker_store_failed_groups_total",
             "Groups of changes that could not be stored."),
    COUNTER ("/store/damaged_records", "saker_store_damaged_records_total",
             "Records that could not be read; they are set aside and fetched again."),
    GAUGE ("/log/bytes", "saker_log_bytes", "Size of the history that is kept."),
    COUNTER ("/log/cut_changes", "saker_log_cut_changes_total",
             "Changes that were let go from the history."),
    COUNTER ("/log/cut_bytes", "saker_log_cut_bytes_total",
             "Bytes that were let go from the history."),
    SECONDS ("/log/cut_age_ms", "saker_log_oldest_seconds",
             "Age of the oldest change in the history."),
    GAUGE ("/api/clients", "saker_api_clients", "Programs that are connected to the local socket."),
    COUNTER ("/api/requests", "saker_api_requests_total", "Requests on the local socket."),
    COUNTER ("/api/refused", "saker_api_refused_total",
             "Requests on the local socket that got an error."),
    COUNTER ("/api/bad_requests", "saker_api_bad_requests_total",
             "Requests on the local socket that made no sense."),
    COUNTER ("/api/full", "saker_api_full_total",
             "Requests on the local socket that found no room."),
    GAUGE ("/api/waiting", "saker_api_waiting",
           "Requests on the local socket that wait for something to come."),
    GAUGE ("/incarnation/count", "saker_incarnations",
           "Writers that this device has been; one more after each restore or clone."),
    GAUGE ("/fork/collections", "saker_fork_collections",
           "Collections in which two stores wrote as this device."),
    COUNTER ("/beacon/heard", "saker_beacons_heard_total", "Beacons of members."),
    COUNTER ("/beacon/strange", "saker_beacons_strange_total", "Beacons of others."),
    COUNTER ("/door/refused", "saker_connections_refused_total",
             "Connections of those who are no members."),
    COUNTER ("/door/cut", "saker_connections_cut_total",
             "Connections that were cut off because of what came over them."),
    COUNTER ("/live/frames_in", "saker_live_frames_in_total", "Frames of fresh changes that came."),
    COUNTER ("/live/frames_out", "saker_live_frames_out_total",
             "Frames of fresh changes that were sent."),
    COUNTER ("/live/bytes_in", "saker_live_bytes_in_total", "Bytes of fresh changes that came."),
    COUNTER ("/live/bad_frames", "saker_live_bad_frames_total", "Frames that made no sense."),
    COUNTER ("/beats/in", "saker_beats_in_total", "Beats that came."),
    COUNTER ("/beats/out", "saker_beats_out_total", "Beats that were sent."),
    COUNTER ("/router/bad_requests", "saker_sessions_bad_requests_total",
             "Requests of members that made no sense."),
    COUNTER ("/sessions/requests", "saker_sessions_requests_total",
             "Requests to other peers for what is missing here."),
    COUNTER ("/sessions/bytes_in", "saker_sessions_bytes_in_total",
             "Bytes that came in answers of other peers."),
    COUNTER ("/sessions/timeouts", "saker_sessions_timeouts_total",
             "Requests to other peers that were not answered in time."),
    COUNTER ("/sessions/bad_answers", "saker_sessions_bad_answers_total",
             "Answers of other peers that made no sense."),
    COUNTER ("/sessions/snapshots", "saker_sessions_snapshots_total", "Snapshots that were taken."),
    {.pointer = NULL},
};

_Static_assert(sizeof standing_numbers / sizeof *standing_numbers <= STANDING_NUMBERS_MAX,
               "a number has no place");
