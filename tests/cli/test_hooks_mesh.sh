#!/usr/bin/env bash
# One sender in a mesh of three: the owner is killed, stopped and let go on, and ended; whoever drops repeated
# ids sees each event once, and nobody sees more than one repeat a takeover.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"

receive farm
sender anna
sender bob anna
sender carol anna
for name in anna bob carol; do
    until_true "$name has two links" eval "[ \"\$(status $name \"j['links']['up']\")\" = 2 ]"
done
works "a subscription" on bob hooks add farm "$(url farm)" --collection shots --backoff 300ms
until_true "somebody sends" has_owner bob farm

takeovers=0
repeats_hold ()
{
    local repeats
    repeats=$(got farm "repeats")
    if [ "$repeats" -le "$takeovers" ]; then ok; else not_ok "$1: $repeats repeats in $takeovers takeovers"; fi
}
others () { for name in anna bob carol; do [ "$name" = "$1" ] || echo "$name"; done; }
is_other () # NAME WHO: NAME sees that somebody else than WHO sends
{
    local now
    now=$(owner "$1" farm)
    [ "$now" != None ] && [ "$now" != "$2" ]
}

agrees () { [ "$(owner "$1" farm)" = "$(owner "$2" farm)" ]; }

for name in anna bob carol; do write "$name" 5; done
until_true "each event came" all_came
same "no repeats without a takeover" "$(got farm repeats)" 0

# ---- kill -9 of the owner, while it sends

for round in 1 2; do
    who=$(owner anna farm)
    mapfile -t rest < <(others "$who")
    answers farm '{"stall": 0.05}'
    write "${rest[0]}" 8
    kill -KILL "${pids[$who]}"
    read -r -t "$ready_s" -u "${pipes[$who]}" _ # closed when it has ended
    unset "pids[$who]"
    takeovers=$((takeovers + 1))
    write "${rest[1]}" 8
    until_true "another one sends (round $round)" is_other "${rest[0]}" "$who"
    until_true "each event came (round $round)" all_came
    start "$who"
    write "$who" 3
    until_true "each event of one who is back came (round $round)" all_came
    repeats_hold "kill (round $round)"
    until_true "the one who is back knows who sends" agrees "$who" "${rest[0]}"
done

# ---- the owner stands still for longer than its lease, and goes on

who=$(owner bob farm)
mapfile -t rest < <(others "$who")
write "$who" 5
kill -STOP "${pids[$who]}"
write "${rest[0]}" 5
until_true "another one sends for one who stands still" is_other "${rest[0]}" "$who"
takeovers=$((takeovers + 1))
written_there=$(got farm "len (distinct)")
write "${rest[1]}" 5
kill -CONT "${pids[$who]}"
write "$who" 5
until_true "each event came after it went on" all_came
until_true "it knows who sends" is_other "$who" "$who"
repeats_hold "standing still"
[ "$written_there" -gt 0 ] || not_ok "nothing came before"

# ---- the owner ends: it hands over, and nothing is repeated

who=$(owner bob farm)
mapfile -t rest < <(others "$who")
before=$(got farm repeats)
write "${rest[0]}" 5
stop "$who"
until_true "another one sends at once" is_other "${rest[0]}" "$who"
write "${rest[1]}" 5
until_true "each event came after the end of one" all_came
same "handing over repeats nothing" "$(got farm repeats)" "$before"

same "each document once" "$(got farm "sorted (collections.Counter (distinct.values ()).values ())[-1]")" 1
stop "${rest[@]}"
calm
finish
