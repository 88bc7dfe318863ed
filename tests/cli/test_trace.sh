#!/usr/bin/env bash
# The way of a change to every member, and what happens at a peer as it happens.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
found anna
admit bob anna
admit carol anna
works "written" on anna set shots/a /n 1
works "everywhere" on anna wait --all --timeout 60s

# ---- trace

works "trace" on anna trace shots/a
if grep -qE '^change 1 of anna, written at 20.*; stored here$' "$work/out" && [ "$(grep -c ' had stored it before this began$' "$work/out")" = 2 ]; then ok; else not_ok "trace: $(cat "$work/out")"; fi
kill -STOP "${pids[bob]}"
works "a change that bob does not take" on anna set shots/a /n 2
refuses "one is missing" 12 "1 of 2 members have not reported it: saker why shots/a PEER" on anna trace shots/a --timeout 300ms
if grep -qE '^carol (stored it within|had stored)' "$work/out" && grep -qE '^bob (has not taken it yet|is not connected)$' "$work/out"; then ok; else not_ok "trace: $(cat "$work/out")"; fi
exec {following}< <(exec "$saker" --store "$work/anna" trace shots/a --timeout 60s --json 2>/dev/null)
read -r -t 30 -u "$following" line
same "carol has it" "$(json "j['peer']" <<<"$line")" carol
kill -CONT "${pids[bob]}"
read -r -t 30 -u "$following" line
same "then bob" "$(json "j['peer'], j['after_ms'] > 0" <<<"$line")" "('bob', True)"
exec {following}<&-
works "carol may relay" on anna role carol relay
works "who has no right is not waited for" on anna trace shots/a
if grep -q '^carol has no right to it$' "$work/out"; then ok; else not_ok "trace: $(cat "$work/out")"; fi
refuses "nothing there" 3 "nothing to follow: saker why shots/none" on anna trace shots/none

# ---- tail

refuses "a wrong count" 2 "is no number" on anna tail --count x
refuses "nothing happens" 12 "time of --timeout" on bob tail --timeout 300ms
exec {tailing}< <(exec "$saker" --store "$work/anna" tail --count 1000 2>"$work/tail.err")
# sees WORDS: a line with them comes
sees ()
{
    local line end=$((SECONDS + patience_s))
    while [ "$SECONDS" -lt "$end" ] && read -r -t "$patience_s" -u "$tailing" line; do
        if [[ $line =~ $1 ]]; then ok; return; fi
    done
    not_ok "tail does not say $1"
}
for ((i = 0; i < 50; i++)); do # until it has begun
    works "a change" on bob set shots/t /n "$i"
    if read -r -t 0.2 -u "$tailing" line; then break; fi
done
if [[ $line =~ ^20.*Z\ change\ +shots/t\ by\ bob,\ its\ change\ [0-9]+$ ]]; then ok; else not_ok "tail: $line"; fi
stop bob
sees ' link +bob: left, before up$'
start bob --seed "${addresses[anna]}"
sees ' link +bob: up, before '
works "another member" bash -c "'$saker' --store '$work/anna' invite | '$saker' --store '$work/dora' join - --as dora"
sees ' link +dora: silent, before new$| members +4 members, before 3$'
stop anna
while read -r -t 30 -u "$tailing" line; do :; done
exec {tailing}<&-
if grep -q "went away\|no daemon answers" "$work/tail.err"; then ok; else not_ok "tail in the end: $(cat "$work/tail.err")"; fi
start anna
exec {tailing}< <(exec "$saker" --store "$work/anna" tail --count 1 --json)
for ((i = 0; i < 50; i++)); do
    works "a change" on anna set shots/t /n "$i"
    if read -r -t 0.2 -u "$tailing" line; then break; fi
done
same "tail --json" "$(json "sorted (j), j['kind'] in ('change', 'link')" <<<"$line")" "(['kind', 'time', 'what'], True)"
exec {tailing}<&-

# ---- the daemon's log tells more meanwhile

tells_debug () { grep -q ' debug: a program on this machine: ' "$work/anna.log"; }
refuses "a level that is none" 2 "it is error, warning, info or debug" on anna tail --level loud
works "a look" on anna peers
if tells_debug; then not_ok "it told so before"; else ok; fi
refuses "tail --level" 12 "time of --timeout" on anna tail --level debug --timeout 1s
until_true "it tells" tells_debug
count=$(grep -c ' debug: ' "$work/anna.log")
works "a look" on anna peers
works "and another" on anna status
same "and no more afterwards" "$(grep -c ' debug: ' "$work/anna.log")" "$count"
exec {tailing}< <(exec "$saker" --store "$work/anna" tail --level debug)
killed=$!
has_more () { [ "$(grep -c ' debug: ' "$work/anna.log")" -gt "$count" ]; }
until_true "it tells again" has_more
kill -KILL "$killed"
exec {tailing}<&-
quiet_again () { local before; before=$(grep -c ' debug: ' "$work/anna.log"); on anna peers >/dev/null; on anna peers >/dev/null; [ "$(grep -c ' debug: ' "$work/anna.log")" = "$before" ]; }
until_true "though whoever asked was killed" quiet_again
finish
