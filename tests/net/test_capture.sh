#!/usr/bin/env bash
# Nothing of what is written, nor a name, is in the traffic: a capture of all of it, from founding on.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces
if ! command -v tcpdump >/dev/null; then
    skip "no tcpdump"
    finish
fi

space switch anna bob
bridge switch br0
cable anna eth0 10.74.0.1 switch br0 p1
cable bob eth0 10.74.0.2 switch br0 p2

# all ports of the bridge; written at once, as root
exec {dumping}> >(exec ip netns exec "saker-$$-switch" tcpdump -i any -n -U -s 0 -B 65536 --immediate-mode \
    -Z root -w "$work/capture" >"$work/dump.out" 2>"$work/dump.err")
pids[tcpdump]=$!
soon "the capture runs" 60 grep -q "listening on" "$work/dump.err" || finish

captured () { grep -qaF -- "$1" "$work/capture"; }

# in_clear TEXT PORT: a text from bob to anna's daemon, in clear.
in_clear ()
{
    # shellcheck disable=SC2016
    within bob bash -c 'exec 3<>"/dev/tcp/10.74.0.1/$2" && printf %s "$1" >&3' - "$1" "$2" 2>/dev/null
}

mesh=planted-mesh-zinc anna=planted-device-anna bob=planted-device-bob
collection=planted-collection document=planted-document field=planted-field value=planted-value
tag=planted-tag imported=planted-imported line=planted-line first=planted-first-write id=planted-id
planted=("$mesh" "$anna" "$bob" "$collection" "$document" "$field" "$value" "$tag" "$imported"
    "$line" "$first" "$id")

works "founding" on anna init "$mesh" --as "$anna"
start_in anna anna --listen tcp://10.74.0.1:0 --interface eth0
port=${addresses[anna]##*:}
works "a write before anybody joins" on anna set "$collection/$first" "{\"$field\": \"$value\"}"
ticket=$(on anna invite) || not_ok "invite"
works "joining" within bob "$saker" --store "$work/bob" join "$ticket" --as "$bob" --timeout 60s
start_in bob bob --listen tcp://10.74.0.2:0 --interface eth0
works "writing" on anna set "$collection/$document" "{\"$field\": \"$value\"}"
works "more of it" on anna add "$collection/$document" /tags "\"$tag\""
for ((i = 0; i < 300; i++)); do printf '{"id": "%s-%d", "%s": "%s"}\n' "$id" "$i" "$line" "$line"; done >"$work/lines"
works "importing" on anna import "$imported" "$work/lines" --key id
works "it has arrived" on anna wait --all --timeout 60s
prints "it can be read there" "\"$value\"" on bob get "$collection/$document" "/$field"
works "the other way" on bob set "$collection/$document" "/$field" "\"$value again\""
works "that has arrived, too" on bob wait --all --timeout 60s
works "verify" on anna verify --timeout 60s
equal "imported" "$imported" anna bob
# a peer that comes back takes what it has missed in sessions
stop bob
works "while bob is away" on anna set "$collection/$document-2" "{\"$field\": \"$value\"}"
start_in bob bob --listen tcp://10.74.0.2:0 --interface eth0
works "bob is back" on anna wait --all --timeout 60s

# packets are written in the order in which they came: all before this mark are in the file
in_clear "mark-of-the-end" "$port"
soon "the capture is written" 60 captured "mark-of-the-end"
size=$(stat -c %s "$work/capture")
if [ "$size" -gt 50000 ]; then ok; else not_ok "only $size bytes were captured"; fi
if [ "$(within switch tcpdump -n -r "$work/capture" "tcp port $port" 2>/dev/null | wc -l)" -gt 50 ]; then ok; else
    not_ok "hardly any packets of anna's"; fi
if within switch tcpdump -n -r "$work/capture" "udp port 5670" 2>/dev/null | grep -q .; then ok; else
    not_ok "no beacons"; fi
for text in "${planted[@]}" planted "$ticket" "${ticket:8:24}"; do
    if captured "$text"; then not_ok "in the capture: $text"; else ok; fi
done

# the control: what is sent in clear is found
for text in "${planted[@]}"; do
    in_clear "$text" "$port"
    soon "$text is found when it is sent in clear" 60 captured "$text"
done
works "anna goes on" on anna wait --all --timeout 60s

kill -INT "${pids[tcpdump]}"
soon "the capture ends" 60 grep -q "dropped by kernel" "$work/dump.err"
if grep -q "^0 packets dropped by kernel" "$work/dump.err"; then ok; else not_ok "packets were not captured"; fi
unset "pids[tcpdump]"
exec {dumping}>&-
stop anna bob
finish
