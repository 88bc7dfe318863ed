#!/usr/bin/env bash
# Peers that can only call out, each on a cable of its own: they find the one that listens by its beacons alone,
# and converge through it, after a partition, too.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces

space switch anna bob carol
bridge switch br0
cable anna eth0 10.72.0.1 switch br0 p1
cable bob eth0 10.72.0.2 switch br0 p2
cable carol eth0 10.72.0.3 switch br0 p3

on anna init studio --as anna >/dev/null || not_ok "init"
start_at anna anna
join bob bob anna
join carol carol anna
stop anna
start_at anna anna # at a port that only its beacon tells
start_in bob bob --listen none
start_in carol carol --listen none
for name in bob carol; do
    soon "$name finds anna" 60 knows "$name" "j['links']['up'] == 1 and j['beacon']['heard'] > 0"
    same "nobody can dial $name" "$(within "$name" ss -Hltn | wc -l)" 0
    soon "anna is called by $name" 60 link_is anna "$name" up
done
works "anna writes" on anna set shots/sc010 '{"title": "Harbour"}'
works "bob writes" on bob set shots/sc020 '{"title": "Market"}'
works "carol counts" on carol incr shots/sc010 /takes 10
for name in anna bob carol; do
    soon "all of it is at $name" 60 shows "$name" shots/sc010 '{"takes":10,"title":"Harbour"}'
    soon "all of it is at $name" 60 shows "$name" shots/sc020 '{"title":"Market"}'
done

# ---- parted, and healed

plug switch p2 down
works "bob writes alone" on bob set shots/sc020 /title '"Market at night"'
works "bob counts" on bob incr shots/sc010 /takes 4
works "anna counts" on anna incr shots/sc010 /takes 3
for ((i = 0; i < 3000; i++)); do printf '{"id": "b%d", "n": %d}\n' "$i" "$i"; done >"$work/lines"
works "carol says that she listens nowhere" on carol status
if grep -q ', listens nowhere: it calls the others$' "$work/out"; then ok; else not_ok "status: $(head -1 "$work/out")"; fi
works "bob writes a lot" on bob import props "$work/lines" --key id
soon "carol has what anna wrote" 60 shows carol shots/sc010 '{"takes":13,"title":"Harbour"}'
soon "anna sees that bob is silent" 60 link_is anna bob silent
plug switch p2 up
for name in anna bob carol; do
    soon "$name has it" 60 shows "$name" shots/sc010 '{"takes":17,"title":"Harbour"}'
    soon "$name has it" 60 shows "$name" shots/sc020 '{"title":"Market at night"}'
done
works "bob waits for anna" on bob wait --on anna --timeout 60s
works "and for carol, whom he cannot call" on bob wait --on carol --timeout 60s
equal "shots" shots anna bob carol
equal "props" props anna bob carol

# ---- the one that listens is killed, and comes back elsewhere

slay anna
works "bob writes" on bob set shots/sc030 '{"title": "Bridge"}'
start_at anna anna
soon "carol has it" 60 shows carol shots/sc030 '{"title":"Bridge"}'
works "verify" on anna verify --timeout 60s

finish
