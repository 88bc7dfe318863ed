#!/usr/bin/env bash
# Daemons that are killed under load, at random moments: no acknowledged write is lost, none counts twice.
# SEED=N replays the choices of a run (not its timing).
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"

seed=${SEED:-$((BASHPID ^ $(date +%s)))}
RANDOM=$seed
kills=14

found anna
admit bob anna

# murder NAME OTHER: kill -9, and start again, elsewhere.
murder ()
{
    slay "$1"
    start "$1" --seed "${addresses[$2]}"
}

load anna
load bob
more anna 20
more bob 20
for ((i = 0; i < kills; i++)); do
    # the first ten: anna, who writes; then bob, who writes and receives
    if [ "$i" -lt 10 ]; then victim=anna other=bob; else victim=bob other=anna; fi
    more "$victim" $((1 + RANDOM % 100))
    murder "$victim" "$other"
    more "$victim" 1
done
# who is restarted says so: the other dials at once, and does not wait until it misses the beats. When it misses them,
# it says that the link is slow; a busy machine may make it miss them, so that is tried a few times.
works "what bob wrote" on bob wait --all --timeout 60s
found_at_once ()
{
    local try before
    for ((try = 0; try < 6; try++)); do
        before=$(grep -c "link to anna: slow" "$work/bob.log")
        murder anna bob
        works "a restarted peer is found" on bob wait --all --timeout 60s
        [ "$(grep -c "link to anna: slow" "$work/bob.log")" = "$before" ] && return
    done
    return 1
}
if grep -q "link to anna: up" "$work/bob.log"; then ok; else not_ok "the log of bob says nothing of links"; fi
if found_at_once; then ok; else not_ok "a restarted peer is not found at once"; fi
# both in the same moment
murder anna bob
murder bob anna
more anna 20
more bob 20

unload anna
unload bob
works "anna's are at bob" on anna wait --all --timeout 60s
works "bob's are at anna" on bob wait --all --timeout 60s
works "verify" on anna verify --timeout 60s

count=$(cat "$work/anna.acks" "$work/bob.acks" | wc -l)
for name in anna bob; do
    prints "each counts once at $name (SEED=$seed)" "$count" on "$name" get load/total /count
    on "$name" export load >"$work/$name.export"
    same "all are at $name (SEED=$seed)" "$(python3 - "$work" "$name" <<'P'
import json, sys
work, name = sys.argv[1:]
wanted = {f"{who}-{number.strip ()}" for who in ("anna", "bob") for number in open (f"{work}/{who}.acks")}
there = set ()
for line in open (f"{work}/{name}.export"):
    document = json.loads (line)
    if document["id"] != "total" and document["id"] == document["id"].split ("-")[0] + f"-{document['data']['n']}":
        there.add (document["id"])
print (len (wanted - there), "lost,", len (there - wanted), "that nobody was told of")
P
)" "0 lost, 0 that nobody was told of"
done
works "the exports are equal" cmp "$work/anna.export" "$work/bob.export"
if [ "$count" -gt 300 ]; then ok; else not_ok "only $count writes"; fi
stop anna bob
finish
