#!/usr/bin/env bash
# Webhooks of a mesh that is parted while both sides reach the receiver, and meets again: each event comes, and one repeat
# a takeover at most. The peers are on one network, the receiver on another one that stays.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"
need_spaces

space switch anna bob carol
bridge switch br0
bridge switch br1
number=0
for name in anna bob carol; do
    number=$((number + 1))
    cable "$name" eth1 "10.72.0.$number" switch br1 "q$number"
    cable "$name" eth0 "10.71.0.$number" switch br0 "p$number"
done
cable switch eth9 10.72.0.9 switch br1 q9
bind=10.72.0.9
receive farm ip netns exec "saker-$$-switch"

begin () # NAME
{
    sends "$1"
    echo "hooks-allow = 10.72.0.0/24" >>"$work/$1/saker.conf"
    start_at "$1" "$1"
}
on anna init studio --as anna >/dev/null || not_ok "init"
begin anna
for name in bob carol; do
    join "$name" "$name" anna
    begin "$name"
done
for name in anna bob carol; do
    soon "$name finds both" 60 knows "$name" "j['links']['up'] == 2"
done
works "a subscription" on anna hooks add farm "$(url farm)" --collection shots --backoff 300ms
until_true "somebody sends" has_owner anna farm

declare -A places=([anna]=p1 [bob]=p2 [carol]=p3)

for name in anna bob carol; do write "$name" 3; done
soon "each event came" 60 all_came
same "no repeats" "$(got farm repeats)" 0

for round in 1 2; do
    who=$(owner anna farm)
    rest=()
    for name in anna bob carol; do [ "$name" = "$who" ] || rest+=("$name"); done
    plug switch "${places[$who]}" down
    write "$who" 5
    write "${rest[0]}" 5
    soon "the others take over" 60 eval "[ \"\$(owner ${rest[0]} farm)\" != '$who' ]"
    write "${rest[1]}" 5
    write "$who" 5
    soon "each event came, of either side (round $round)" 60 all_came
    same "both sides send" "$(owner "$who" farm)" "$who"
    plug switch "${places[$who]}" up
    for name in anna bob carol; do write "$name" 2; done
    soon "one sends again" 60 eval "[ \"\$(owner $who farm)\" = \"\$(owner ${rest[0]} farm)\" ]"
    for name in anna bob carol; do
        soon "$name finds both again" 60 knows "$name" "j['links']['up'] == 2"
    done
    for name in anna bob carol; do write "$name" 3; done
    soon "each event came after they met (round $round)" 60 all_came
    equal "round $round" shots anna bob carol
    works "a while" on anna wait --all --timeout 30s
    repeats=$(got farm repeats)
    if [ "$repeats" -le "$round" ]; then ok; else not_ok "$repeats repeats in $round takeovers"; fi
done
same "each document once" "$(got farm "sorted (collections.Counter (distinct.values ()).values ())[-1]")" 1
stop anna bob carol
calm
finish
