#!/usr/bin/env bash
# Replicas in the process of an application, and daemons that do not listen: they call a daemon that does, and
# all sync over these connections; kill -9; two on one folder; dlopen; the example.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

embedder=$build/tests/net/embedder
declare -A lines=()

# embed NAME [KEY=VALUE]...: an application on the store NAME.
embed ()
{
    local name=$1 line fd
    shift
    [ -p "$work/$name.in" ] || mkfifo "$work/$name.in"
    exec {fd}<>"$work/$name.in"
    lines[$name]=$fd
    exec {fd}< <(exec "$embedder" "$work/$name" "$@" <"$work/$name.in" 2>>"$work/$name.log")
    pids[$name]=$!
    pipes[$name]=$fd
    if ! read -r -t "$ready_s" -u "$fd" line || [ "$line" != ready ]; then
        not_ok "the application of $name does not start"
        finish
    fi
}

# gone NAME: waits until the application has ended.
gone ()
{
    local name=$1 fd=${pipes[$1]}
    cat <&"$fd" >"$work/$name.out"
    exec {fd}<&-
    fd=${lines[$name]}
    exec {fd}>&-
    unset "pids[$name]" "pipes[$name]" "lines[$name]"
}
say_to () { echo "$2" >&"${lines[$1]}"; }
close_it () { say_to "$1" close; gone "$1"; }
calls () { [ "$(on "$1" links --json | json "[l['calls'] and l['address'] == '' and l['state'] == 'up' for l in j if l['name'] == '$2'][0]")" = True ]; }

found anna
on anna invite | on bob join - --as bob >/dev/null || not_ok "join of bob"

# ---- an application and a daemon

embed bob
until_true "anna is called by bob" calls anna bob
works "the tool writes at bob" on bob set shots/one '{"n": 1}'
until_true "anna has what bob wrote" has_n anna shots/one 1
works "anna writes" on anna set shots/one /n 2
until_true "bob has what anna wrote" has_n bob shots/one 2
works "wait" on bob wait --all --timeout 30s
works "wait, the other way" on anna wait --on bob --timeout 30s
works "verify" on anna verify --timeout 30s
on anna links >"$work/out"
if grep -q '^bob  *its own call ' "$work/out"; then ok; else not_ok "links: $(cat "$work/out")"; fi
until_true "anna pings bob" on anna ping bob
if grep -q "bob answered over its own call in" "$work/out"; then ok; else not_ok "ping: $(cat "$work/out")"; fi
until_true "doctor of anna" on anna doctor
until_true "doctor of bob" on bob doctor
same "bob listens nowhere" "$(status bob "j['mesh']['listen']")" none
if command -v ss >/dev/null; then
    same "no TCP port of bob's process" "$(ss -Hltnp 2>/dev/null | grep -c "pid=${pids[bob]},")" 0
fi

# ---- two on one folder

refuses "a daemon on it" 9 "is open in process ${pids[bob]} (embedder)" "$sakerd" --store "$work/bob" --no-beacon
refuses "an application on a daemon's" 9 "is open in process ${pids[anna]} (sakerd): go through it (saker_open" \
    "$embedder" "$work/anna"
refuses "no store" 3 "is not a saker store: make one with saker_init or saker_join" "$embedder" "$work/nothing"

# ---- two applications meet through the daemon

on anna invite --role admin | on carl join - --as carl >/dev/null || not_ok "join of carl"
embed carl
works "carl writes" on carl set shots/two '{"n": 3}'
until_true "bob has it" has_n bob shots/two 3
works "bob writes" on bob set shots/two /n 4
until_true "carl has it" has_n carl shots/two 4
until_true "carl hears of bob from anna" eval '[ "$(on carl links --json | json "[l[\"seen_ms\"] >= 0 for l in j if l[\"name\"] == \"bob\"][0]")" = True ]'
until_true "doctor finds nothing, though carl cannot call bob" \
    eval 'on carl doctor --json | json "all (not f[\"code\"].startswith (\"link.\") for f in j[\"findings\"])" | grep -qx True'
refuses "an admin that does not listen invites" 13 "this peer does not listen" on carl invite
close_it carl
until_true "anna was told that carl left" link_is anna carl left

# ---- killed while it writes; what it had acknowledged is there, and goes on

say_to bob "write bob"
until_true "some of it is at anna" on anna get load/bob-20
kill -KILL "${pids[bob]}"
gone bob
count=$(wc -l <"$work/bob.out")
works "at least so many" test "$count" -ge 20
embed bob
works "all that was acknowledged" on bob get "load/bob-$count"
until_true "anna has it, too" on anna get "load/bob-$count"
total=$(on bob get load/total /count)
works "each once" test "$total" -ge "$count" -a "$total" -le $((count + 1))
until_true "anna counts the same" eval '[ "$(on anna get load/total /count)" = "$total" ]'

# ---- the daemon that is called stops, writes meanwhile, and comes back at the same place

address=${addresses[anna]}
stop anna
works "bob writes alone" on bob set shots/one /n 5
launch anna "$sakerd" --store "$work/anna" --listen "$address" --no-beacon
until_true "anna has it" has_n anna shots/one 5
close_it bob

# ---- a daemon that does not listen

launch bob "$sakerd" --store "$work/bob" --listen none --no-beacon
until_true "anna is called by bob's daemon" calls anna bob
works "it writes" on bob set shots/one /n 6
until_true "anna has it" has_n anna shots/one 6
stop bob
until_true "anna was told that bob left" link_is anna bob left
# and one that listens again is dialled
start bob
until_true "anna dials bob" eval '! calls anna bob && link_is anna bob up'
works "it writes" on bob set shots/one /n 7
until_true "anna has it" has_n anna shots/one 7
stop bob
printf 'listen = none\n' >"$work/saker.conf"
prints "the config" "$work/saker.conf: good" "$sakerd" --store "$work/bob" --config "$work/saker.conf" --check-config
cp "$work/saker.conf" "$work/bob/saker.conf"
on bob doctor --json >"$work/out" 2>/dev/null # exit status 13: no daemon runs
same "doctor looks at no port" "$(json "[f['code'] for f in j['findings']]" <"$work/out")" "['daemon.down']"
rm "$work/bob/saker.conf"
refuses "another word" 1 "is neither tcp://ADDR:PORT nor none" "$sakerd" --store "$work/bob" --listen nowhere

# ---- dlopen, twenty times

library=$build/.libs/libsaker.so
if nm "$library" 2>/dev/null | grep -qE '__(asan|tsan)_'; then
    skip "dlopen of a sanitized library"
else
    works "dlopen" "$build/tests/net/unloader" "$library" "$work/bob" 20
    if grep -qE '^threads ([0-9]+) to \1, descriptors ([0-9]+) to \2$' "$work/out"; then ok; else
        not_ok "something stays: $(cat "$work/out")"; fi
    start bob
    prints "each wrote" 20 on bob get things/times /loaded
    stop bob
fi

# ---- the example

flags=(-Wall -Wextra -pedantic -Werror -std=c99 -I"$top/include" -L"$build/.libs")
if nm "$library" 2>/dev/null | grep -qE '__(asan|tsan)_'; then flags+=(-fsanitize=address,undefined); fi
works "the example compiles" "${CC:-cc}" "${flags[@]}" -o "$work/example" "$top/tests/example/embedded.c" -lsaker
works "it founds a mesh" "$work/example" "$work/notes"
works "it comes back" "$work/example" "$work/notes"
if grep -q '^  runs /count = 2$' "$work/out"; then ok; else not_ok "the example: $(cat "$work/out")"; fi
ticket=$(on anna invite)
works "it joins" "$work/example" "$work/dora" "$ticket"
if grep -qx 'every machine has it' "$work/out" || grep -q '^it will go out later' "$work/out"; then ok; else
    not_ok "the example: $(cat "$work/out")"; fi

finish
