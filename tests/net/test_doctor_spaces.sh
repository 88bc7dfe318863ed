#!/usr/bin/env bash
# What saker doctor, listen and dial tell of networks and disks: in network namespaces, and on a small tmpfs.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces

patience_s=60
space switch anna bob lonely
bridge switch br0
cable anna eth0 10.72.0.1 switch br0 p1
cable bob eth0 10.72.0.2 switch br0 p2
# look SPACE NAME: doctor in that space; has CODE WORDS: it found that, and says these words about it or what to do.
look () { within "$1" "$saker" --store "$work/$2" doctor >"$work/found" 2>"$work/err"; }
has () { grep -A1 "\[$1\]$" "$work/found" | tr '\n' ' ' | grep -q -- "$2"; }
found_it () { look "$1" "$2"; has "$3" "$4"; }
tells () { if has "$2" "$3"; then ok; else not_ok "$1: $(cat "$work/found" "$work/err")"; fi; }

# ---- the path alone, between two machines

exec {listening}< <(exec ip netns exec "saker-$$-bob" "$saker" listen --count 1 2>"$work/listen.log")
read -r -t 30 -u "$listening" line
same "listen" "$line" "listening on 0.0.0.0:5677; on the other machine: saker dial tcp://ADDR:5677"
works "dial" within anna "$saker" dial tcp://10.72.0.2
if grep -q '^reached: 10.72.0.2:5677 from 10.72.0.1:' "$work/out" && grep -q '^UDP: 5 of 5' "$work/out" && grep -q '^the next port is reached, too' "$work/out"; then ok; else not_ok "dial: $(cat "$work/out")"; fi
read -r -t 30 -u "$listening" line
if [[ $line == "10.72.0.1:"*" reached this machine"* ]]; then ok; else not_ok "the caller: $line"; fi
exec {listening}<&-
works "a machine that answers nothing" ip -n "saker-$$-anna" neigh add 10.72.0.99 lladdr 02:00:00:00:00:99 dev eth0
refuses "it does not answer" 13 "10.72.0.99:5677 does not answer: the address is wrong, the machine is off, or a firewall" within anna "$saker" dial 10.72.0.99 --timeout 500ms
refuses "no way there" 13 "no way to 10.99.0.1:5677" within anna "$saker" dial 10.99.0.1 --timeout 5s

# ---- interfaces

on anna init studio --as anna >/dev/null || not_ok "init"
look lonely anna
tells "no interface" interface.none "seed = tcp://ADDR:5677"
printf 'interface = eth9\n' >"$work/anna/saker.conf"
look anna anna
tells "an interface that is not there" interface.down "no network interface eth9"
printf 'interface = eth0\n' >"$work/anna/saker.conf"
look anna anna
if has interface.down ""; then not_ok "eth0 works: $(cat "$work/found")"; else ok; fi
works "it goes down" ip -n "saker-$$-anna" link set eth0 down
look anna anna
tells "an interface that is down" interface.down "eth0 is down"
works "it comes up" ip -n "saker-$$-anna" link set eth0 up
rm "$work/anna/saker.conf"

# ---- seeds that do not answer, with nothing to refuse

start_at anna anna
join bob bob anna
start_at bob bob
soon "they find each other" 60 knows anna "j['links']['up'] == 1"
soon "all is well" 60 within anna "$saker" --store "$work/anna" doctor
stop bob anna
start_at anna anna
soon "nobody is heard" 60 found_it anna anna beacon.unheard "name a seed"
stop anna
start_at bob bob
printf 'seed = tcp://10.72.0.99:5677\nbeacon = no\n' >"$work/anna/saker.conf"
look anna anna
tells "a seed that is off" seed.silent "nothing answers: the address is wrong"
rm "$work/anna/saker.conf"

# ---- a path that works one way only: anna reaches bob, and cannot be reached

start_in anna anna --listen tcp://127.0.0.1:0 --no-beacon --seed "${addresses[bob]}"
soon "anna hears bob" 60 knows anna "j['links']['up'] == 1"
soon "the path works one way only" 60 found_it anna anna link.oneway "bob is heard here, but does not hear this peer.*on bob: saker dial tcp://127.0.0.1"
look bob bob
tells "bob does not hear her" link.none "linked to none of the 1 other"
works "links tells, too" on anna links
if grep -q 'up, does not hear us$' "$work/out"; then ok; else not_ok "links: $(cat "$work/out")"; fi
works "graph, too" on anna graph
if grep -q 'style=dashed' "$work/out"; then ok; else not_ok "graph: $(cat "$work/out")"; fi
stop anna bob

# ---- disks

mkdir -m 700 "$work/full"
if unshare --mount --propagation private bash -c "mount -t tmpfs -o size=8m,mode=700 none '$work/full' && cp -a '$work/anna/.' '$work/full/' \
    && ! '$saker' --store '$work/full' doctor --json 2>/dev/null" >"$work/json"; then
    same "a disk that is full" "$(json "[f['severity'] for f in j['findings'] if f['code'] == 'disk.full']" <"$work/json")" "['error']"
else
    skip "nothing can be mounted here"
fi
if unshare --mount --propagation private bash -c "mount -t tmpfs -o size=100m,mode=700 none '$work/full' && cp -a '$work/anna/.' '$work/full/' \
    && mount -o remount,ro '$work/full' && ! '$saker' --store '$work/full' doctor --json 2>/dev/null" >"$work/json"; then
    same "one that is nearly full, and for reading only" "$(json "sorted (f['code'] for f in j['findings'] if f['code'][:4] == 'disk')" <"$work/json")" \
        "['disk.low', 'disk.readonly']"
else
    skip "nothing can be mounted here"
fi
finish
