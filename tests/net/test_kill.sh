#!/usr/bin/env bash
# Daemons that are killed under load, at random moments: no acknowledged write is lost, none counts twice.
# SEED=N replays the choices of a run (not its timing).
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

seed=${SEED:-$((BASHPID ^ $(date +%s)))}
RANDOM=$seed
kills=14
mkfifo "$work/never"

found anna
admit bob anna

# load NAME: a writer on the store NAME; each number in NAME.acks was acknowledged.
load ()
{
    "$build/tests/net/writer" "$work/$1" "$1" 600 >"$work/$1.acks" 2>"$work/writer-$1.log" &
    pids[writer-$1]=$!
}

# more NAME COUNT: waits until so many more were acknowledged at NAME.
more ()
{
    local end=$((SECONDS + 60)) wanted
    wanted=$(($(wc -l <"$work/$1.acks") + $2))
    until [ "$(wc -l <"$work/$1.acks")" -ge "$wanted" ]; do
        if [ "$SECONDS" -ge "$end" ] || ! kill -0 "${pids[writer-$1]}" 2>/dev/null; then
            not_ok "nothing is acknowledged at $1 any more (SEED=$seed)"
            finish
        fi
        read -r -t 0.01 <>"$work/never"
    done
    ok
}

# murder NAME OTHER: kill -9, and start again, elsewhere.
murder ()
{
    local fd=${pipes[$1]}
    kill -KILL "${pids[$1]}"
    read -r -t "$ready_s" -u "$fd" _ # its stdout is closed when it has ended
    exec {fd}<&-
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

for name in anna bob; do
    kill -TERM "${pids[writer-$name]}"
    wait "${pids[writer-$name]}"
    same "the writer at $name" $? 0
    unset "pids[writer-$name]"
done
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
