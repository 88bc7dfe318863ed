#!/usr/bin/env bash
# Peers on networks of their own: found by beacon alone, parted and healed, and joined by a third only.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces

space switch anna bob carol
bridge switch br0
cable anna eth0 10.71.0.1 switch br0 p1
cable bob eth0 10.71.0.2 switch br0 p2
cable carol eth0 10.71.0.3 switch br0 p3

# ---- found by beacon alone

on anna init studio --as anna >/dev/null || not_ok "init"
start_at anna anna
join bob bob anna
join carol carol anna
stop anna
# other ports than anybody was told: only a beacon can know them
start_at bob bob
start_at carol carol
# she joined after him: until he hears of it from anna she is a stranger to him, and tries again
soon "bob refuses carol" 60 knows bob "j['door']['refused'] > 0"
start_at anna anna
for name in anna bob carol; do
    soon "$name finds both" 60 knows "$name" "j['links']['up'] == 2"
    soon "$name hears beacons" 60 knows "$name" "j['beacon']['heard'] > 0 and j['beacon']['interfaces'] == 1"
done
works "before the partition" on anna set shots/sc010 '{"title": "Harbour", "frames": 100}'
works "a counter" on anna incr shots/sc010 /takes 10
works "a set" on anna add shots/sc010 /tags '"sea"'
works "it is everywhere" on anna wait --all --timeout 60s

# ---- parted: anna and bob here, carol there

plug switch p3 down
works "bob writes what carol writes" on bob set shots/sc010 /title '"Harbour at night"'
works "carol, too" on carol set shots/sc010 /title '"Harbour at dawn"'
works "anna counts" on anna incr shots/sc010 /takes 3
works "bob counts" on bob incr shots/sc010 /takes 4
works "carol counts" on carol incr shots/sc010 /takes -2
works "anna takes out" on anna remove shots/sc010 /tags '"sea"'
works "carol puts in again" on carol add shots/sc010 /tags '"sea"'
works "bob puts in" on bob add shots/sc010 /tags '"night"'
works "anna deletes" on anna delete shots/sc010 /frames
works "carol sets" on carol set shots/sc010 /frames 240
works "this side" on bob set shots/sc020 '{"title": "Market"}'
works "the other side" on carol set shots/sc030 '{"title": "Bridge"}'
for ((i = 0; i < 500; i++)); do printf '{"id": "c%d", "n": %d}\n' "$i" "$i"; done >"$work/lines"
works "many on the other side" on carol import props "$work/lines" --key id
works "anna and bob go on" on anna wait --on bob --timeout 60s
refuses "carol has nothing of it" 12 "carol" on anna wait --on carol --timeout 300ms
refuses "nobody hears carol" 12 "" on carol wait --all --timeout 300ms
prints "carol's view" 8 on carol get shots/sc010 /takes

# ---- healed

plug switch p3 up
for name in anna bob carol; do
    works "$name's writes arrive" on "$name" wait --all --timeout 60s
done
for name in anna bob carol; do
    works "verify at $name" on "$name" verify --timeout 60s
    prints "every increment at $name" 15 on "$name" get shots/sc010 /takes
    prints "the add that anna had not seen stays at $name" '["night","sea"]' on "$name" get shots/sc010 /tags
    prints "the set that anna had not seen stays at $name" 240 on "$name" get shots/sc010 /frames
    same "both titles at $name" \
        "$(on "$name" get shots/sc010 --json | json "sorted ([j['data']['title']] + [r['value'] for r in j['rivals']])")" \
        "['Harbour at dawn', 'Harbour at night']"
done
equal "shots" shots anna bob carol
equal "props" props anna bob carol
stop anna bob carol

# ---- north and south cannot reach each other, but both reach the middle

space left right north middle south
bridge left br0
bridge right br0
cable north eth0 10.72.0.1 left br0 p1
cable middle eth0 10.72.0.2 left br0 p2
cable middle eth1 10.73.0.2 right br0 p1
cable south eth0 10.73.0.1 right br0 p2

on north init studio --as north >/dev/null || not_ok "init"
start_at north north
join middle middle north --role admin
start_in middle middle --listen 'tcp://*:0' --no-beacon --seed "${addresses[north]}"
port=${addresses[middle]##*:}
works "south's ticket needs the middle's roster" on north wait --all --timeout 60s
join south south middle
start_in south south --listen tcp://10.73.0.1:0 --no-beacon --seed "tcp://10.73.0.2:$port"
if within north bash -c "exec 3<>/dev/tcp/10.73.0.1/${addresses[south]##*:}" 2>/dev/null; then
    not_ok "north reaches south"; else ok; fi
soon "north knows of south" 60 knows north "j['mesh']['members'] == 3"
works "north writes" on north set shots/sc010 '{"title": "Pole"}'
works "south has it, and north knows" on north wait --on south --timeout 60s
prints "read at south" '"Pole"' on south get shots/sc010 /title
works "south writes over it" on south set shots/sc010 /title '"Ice"'
works "north has it, and south knows" on south wait --on north --timeout 60s
prints "read at north" '"Ice"' on north get shots/sc010 /title
works "many" on north import props "$work/lines" --key id
works "many arrive" on north wait --all --timeout 60s
same "north has no link to south" \
    "$(on north peers --json | json "[p['link'] for p in j if p['name'] == 'south']")" "['silent']"
works "the middle verifies" on middle verify --timeout 60s
equal "shots" shots north middle south
equal "props" props north middle south
stop north middle south
finish
