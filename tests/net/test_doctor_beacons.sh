#!/usr/bin/env bash
# What saker doctor says of beacons: of another mesh in the same network, and of one that cannot be sent.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces

patience_s=60
space switch anna other
bridge switch br0
cable anna eth0 10.73.0.1 switch br0 p1
cable other eth0 10.73.0.2 switch br0 p2
on anna init studio --as anna >/dev/null || not_ok "init"
on other init elsewhere --as other >/dev/null || not_ok "init"
look () { within anna "$saker" --store "$work/anna" doctor >"$work/found" 2>"$work/err"; grep -A1 "\[$1\]$" "$work/found" | tr '\n' ' ' | grep -q -- "$2"; }

start_at anna anna
start_at other other
soon "another mesh is heard" 60 look beacon.strange "beacons were heard that are of no member.*next: nothing, if there is another mesh"
stop anna other

exec {holding}< <(exec ip netns exec "saker-$$-anna" python3 -u -c 'import socket, time
s = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
s.bind (("", 5670))
print ("bound")
time.sleep (600)')
pids[holding]=$!
read -r -t 30 -u "$holding" _ || not_ok "the port cannot be held"
start_at anna anna
soon "no beacon can be sent" 60 look beacon.off "beacons go out on 0 of 1 interfaces.*next: see the log of sakerd; free the UDP port"
stop anna
kill "${pids[holding]}"
exec {holding}<&-
unset "pids[holding]"
finish
