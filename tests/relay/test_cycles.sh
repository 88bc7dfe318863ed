#!/usr/bin/env bash
# Five daemons and a network that breaks and heals, in every way that the relay knows.
# make cycles CYCLES=1000 is the long run; SEED=n replays the choices.
# shellcheck source=tests/relay/lib.sh
. "${srcdir:-.}/tests/relay/lib.sh"
need_spaces
relayed 5
seed=${SEED:-$((BASHPID ^ $(date +%s)))}
"$build/tests/relay/cycles" "${CYCLES:-15}" "$seed" "$work"/p1 "$work"/p2 "$work"/p3 "$work"/p4 "$work"/p5 \
    >&"$relay_in" <&"$relay_out" 2>"$work/cycles.log" || not_ok "a cycle (SEED=$seed)"
passed=$((passed + $(tail -n 1 "$work/cycles.log" | cut -d' ' -f1)))
[ -z "${CYCLES:-}" ] || cat "$work/cycles.log"
equal "after all cycles" cycles p1 p2 p3 p4 p5
works "verify" on p3 verify --timeout 60s
finish
