#!/usr/bin/env bash
# Sixteen daemons that start together find each other and agree.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
peers=${PEERS:-16}
found p1
for ((i = 2; i <= peers; i++)); do
    ticket=$(on p1 invite) || not_ok "invite: p$i"
    printf '%s' "$ticket" | on "p$i" join - --as "p$i" >"$work/out" 2>&1 || not_ok "join p$i: $(cat "$work/out")"
done
stop p1
# all at once, each told of the first alone. So its port has to be known before it runs: each daemon has an address of
# its own, named after this process, at which nobody else listens, and from which nobody dials
own=127.$((1 + (BASHPID >> 8) % 254)).$((BASHPID % 256))
started=$(date +%s%N)
for ((i = 1; i <= peers; i++)); do
    exec {fd}< <(exec "$sakerd" --store "$work/p$i" --listen "tcp://$own.$i:5677" --no-beacon \
        --seed "tcp://$own.1:5677" 2>>"$work/p$i.log")
    pids[p$i]=$!
    pipes[p$i]=$fd
done
for ((i = 1; i <= peers; i++)); do
    read -r -t "$ready_s" -u "${pipes[p$i]}" line || not_ok "p$i does not start"
done
for ((i = 1; i <= peers; i++)); do
    works "p$i writes" on "p$i" set "together/p$i" "{\"n\": $i}"
    works "p$i counts" on "p$i" incr together/all /sum 1
done
for ((i = 1; i <= peers; i++)); do
    works "all has arrived from p$i" on "p$i" wait --all --timeout 90s
done
printf 'sixteen: all equal %d ms after the first start\n' $((($(date +%s%N) - started) / 1000000))
on p1 export together >"$work/first"
for ((i = 2; i <= peers; i++)); do
    # what p1 has from all others, each of them has, too, a moment later
    for ((try = 0; try < 100; try++)); do
        on "p$i" export together >"$work/other"
        cmp -s "$work/first" "$work/other" && break
        sleep 0.1
    done
    if [ -s "$work/other" ] && cmp -s "$work/first" "$work/other"; then ok; else not_ok "p$i has something else"; fi
done
finish
