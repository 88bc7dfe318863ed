#!/usr/bin/env bash
# The demo: it ends with the line that says so, leaves nothing behind, and never a daemon.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# daemons whose store is in our folder
daemons () { grep -lsz "^$TMPDIR/" /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }

begin=$SECONDS
works "the demo" "$saker" demo
if [[ $(tail -n 1 "$work/out") =~ ^converged:\ 3\ peers,\ [0-9]+\ documents,\ fingerprint\ [0-9a-f]{32}$ ]]; then ok; else
    not_ok "the last line: $(tail -n 1 "$work/out")"; fi
if [ $((SECONDS - begin)) -lt 60 ]; then ok; else not_ok "it took $((SECONDS - begin)) seconds"; fi
if grep -q ' rival$' "$work/out"; then ok; else not_ok "it shows no rivals"; fi
same "every vote counts" "$(sed -n 's|^/votes *\(-*[0-9]*\) .*|\1|p' "$work/out")" 6
same "nothing is left" "$(ls "$TMPDIR")" ""
same "no daemon is left" "$(daemons)" 0

# ---- interrupted, at once and later

for wanted in "1. anna founds" "4. Apart"; do
    exec {out}< <(exec "$saker" demo 2>>"$work/demo.log")
    pid=$!
    while read -r -t 60 -u "$out" line && [[ $line != "$wanted"* ]]; do :; done
    kill -INT "$pid"
    wait "$pid"
    same "exit status when interrupted at $wanted" $? 15
    exec {out}<&-
    same "nothing is left then" "$(ls "$TMPDIR")" ""
    same "no daemon is left then" "$(daemons)" 0
done
finish
