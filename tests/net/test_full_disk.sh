#!/usr/bin/env bash
# A disk that fills up: writes are refused with a clear error, reads go on, nothing is lost; and when there is
# space again, all goes on by itself. The disk is a small tmpfs in a mount namespace of its own.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

if [ -z "${SAKER_UNSHARED:-}" ]; then
    why=
    if [ "$(id -u)" != 0 ]; then why="not root"
    elif ! unshare --mount --propagation private mount -t tmpfs -o size=1m none "$work" 2>/dev/null; then
        why="nothing can be mounted here"
    fi
    if [ "$why" ]; then
        skip "$why"
        finish
    fi
    rm -rf "$work" # exec ends this shell without its trap
    SAKER_UNSHARED=1 exec unshare --mount --propagation private bash "$0"
fi
# shellcheck disable=SC2317
clean_up ()
{
    local name
    for name in "${!pids[@]}"; do
        kill -KILL "${pids[$name]}" 2>/dev/null
    done
    umount -l "$work/anna" 2>/dev/null
    rm -rf "$work"
}

mkdir -m 700 "$work/anna"
works "a small disk" mount -t tmpfs -o size=6m,mode=700 none "$work/anna"
found anna
admit bob anna
works "both are up" on anna wait --all --timeout 60s

# lines FROM TO: documents of about 300 bytes
lines ()
{
    python3 -c 'import sys
for n in range (int (sys.argv[1]), int (sys.argv[2])):
    print ("{\"id\": \"d%06d\", \"n\": %d, \"text\": \"%s\"}" % (n, n, "0123456789" * 26))' "$1" "$2"
}
lines 0 30000 >"$work/lines"
lines 50000 51000 >"$work/more"

# fill COLLECTION: writes numbered documents, larger and smaller, until one is refused; $acknowledged is their number.
fill ()
{
    local size value status
    acknowledged=0
    for size in 30000 3000 30; do
        value=$(printf "%${size}s" x)
        while [ "$acknowledged" -lt 9000 ]; do
            on anna set "$1/w$acknowledged" "{\"n\": $acknowledged, \"text\": \"$value\"}" >"$work/out" 2>"$work/err"
            status=$?
            [ "$status" = 0 ] || break
            acknowledged=$((acknowledged + 1))
        done
        same "a write of $size bytes is refused in the end" "$status" 8
    done
}

# have NAME COLLECTION COUNT: w0 to w(COUNT-1) are there.
have ()
{
    on "$1" export "$2" | python3 -c 'import json, sys
there = {json.loads (line)["id"] for line in sys.stdin}
print (sum (f"w{n}" not in there for n in range (int (sys.argv[1]))), "lost")' "$3"
}

works "a first document" on anna set shots/sc010 '{"title": "Harbour"}'

# ---- full

for ((i = 0; i < 50; i++)); do
    works "while there is space" on anna set early/w$i "{\"n\": $i}"
done
refuses "an import that does not fit" 8 "the disk is full" on anna import props "$work/lines" --key id
fill small
refuses "a write" 8 "the disk is full" on anna set "shots/sc020" "{\"title\": \"$(printf '%30000s' x)\"}"
same "as JSON" "$(on anna set shots/sc020 "{\"title\": \"$(printf '%30000s' x)\"}" --json 2>&1 | json "j['error']['code']")" 8
prints "reads go on" '"Harbour"' on anna get shots/sc010 /title
refuses "what was refused is not there" 3 "" on anna get shots/sc020
same "what was there before is there" "$(have anna early 50)" "0 lost"
same "every acknowledged write is there" "$(have anna small "$acknowledged")" "0 lost"
works "export" on anna export props
works "status" on anna status
on anna doctor >"$work/out" 2>"$work/err"
same "doctor says so" "$? $(grep -c '\[disk.full\]$' "$work/out")" "8 1"
works "the other has all of it" on anna wait --on bob --timeout 60s
same "every acknowledged write is at the other" "$(have bob small "$acknowledged")" "0 lost"
if cmp -s <(on anna export props) <(on bob export props); then ok; else not_ok "part of an import differs"; fi

# ---- what comes from others waits

works "bob writes" on bob set shots/sc030 '{"title": "Market"}'
works "bob imports" on bob import more "$work/more" --key id
refuses "it cannot be stored" 12 "anna" on bob wait --all --timeout 1s
on anna doctor >"$work/out" 2>"$work/err"
if grep -q '\[store.failing\]$' "$work/out"; then ok; else not_ok "doctor: $(cat "$work/out")"; fi
prints "reads go on, still" '"Harbour"' on anna get shots/sc010 /title
if kill -0 "${pids[anna]}"; then ok; else not_ok "the daemon has died"; fi
same "it does not pull in vain all the time" "$(on anna status --json | json "j['store']['failed_commits'] < 60")" True
if [ "$(grep -c 'disk is full' "$work/anna.log")" -lt 20 ]; then ok; else not_ok "the log is flooded"; fi

# ---- killed and started on the full disk

fd=${pipes[anna]}
kill -KILL "${pids[anna]}"
read -r -t "$ready_s" -u "$fd" _
exec {fd}<&-
start anna --seed "${addresses[bob]}"
prints "it starts, and reads" '"Harbour"' on anna get shots/sc010 /title
same "every acknowledged write is there, still" "$(have anna small "$acknowledged")" "0 lost"
has_failed () { [ "$(status anna "j['store']['failed_commits'] > 0")" = True ]; }
until_true "it tries again what bob has" has_failed

# ---- space again

works "a larger disk" mount -o remount,size=200m "$work/anna"
works "what had to wait arrives by itself" on bob wait --all --timeout 60s
prints "read it" '"Market"' on anna get shots/sc030 /title
works "writes go on" on anna set shots/sc020 '{"title": "Bridge"}'
works "the import, again" on anna import props "$work/lines" --key id
same "it is whole" "$(on anna export props | wc -l)" 30000
on anna doctor >"$work/out" 2>"$work/err"
if grep -A1 '^note: .* groups of writes could not be stored since the daemon started \[store.failed\]$' "$work/out" | grep -q 'next: see the log of sakerd'; then ok; else not_ok "doctor: $(cat "$work/out")"; fi
works "the other has everything" on anna wait --all --timeout 60s
works "verify" on anna verify --timeout 60s
for collection in shots props early small more; do
    if cmp -s <(on anna export "$collection") <(on bob export "$collection"); then ok; else
        not_ok "$collection differs"; fi
done
stop anna bob
finish
