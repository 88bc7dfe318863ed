#!/usr/bin/env bash
# A store that is copied, put back, restored while the first one still runs: it notices, nothing is lost, and a
# person is told.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

has () { [ "$(on "$1" get "$2" "$3" 2>/dev/null)" = "$4" ]; }
renewed () { [ "$(status "$1" "j['incarnation']['why']")" = "$2" ]; }
told () { on "$1" status --json | json "j['twin']['what']" 2>/dev/null | grep -q "$2"; }

found anna
admit bob anna
works "bob is there" on anna wait --all --timeout 20s
works "a write" on anna set shots/a /n 1
works "is at bob's" on anna wait --on bob --timeout 20s
writer=$(status anna "j['writer']")

# ---- a restart, a move: the same writer

stop anna
mv "$work/anna" "$work/moved" && mv "$work/moved" "$work/anna"
start anna --seed "${addresses[bob]}"
same "after a restart and a move" "$(status anna "j['writer'], j['incarnation']")" "('$writer', {'count': 1})"

# ---- cp -r, and both run

stop anna
cp -r "$work/anna" "$work/copy"
start anna --seed "${addresses[bob]}"
start copy --seed "${addresses[bob]}"
same "the copy knows that it is one" "$(status copy "j['incarnation']['why'], j['incarnation']['count']")" "('copy', 2)"
same "the first one stays what it was" "$(status anna "j['writer'], j['incarnation'].get ('why')")" "('$writer', None)"
if grep -q 'this store is a copy of another one: from here on it writes as a new incarnation' "$work/copy.log"; then ok; else
    not_ok "the copy does not say so"; fi
works "the first one writes" on anna set shots/first /n 2
works "the copy writes" on copy set shots/second /n 3
works "one document, both" on anna incr shots/a /takes 4
works "one document, both" on copy incr shots/a /takes 5
until_true "the copy tells of the first" told copy "device anna runs twice: here at ${addresses[copy]}.* at ${addresses[anna]}"
until_true "the first tells of the copy" told anna "device anna runs twice: here at ${addresses[anna]}.* at ${addresses[copy]}"
for peer in anna copy bob; do
    until_true "$peer has what the first wrote" has "$peer" shots/first /n 2
    until_true "$peer has what the copy wrote" has "$peer" shots/second /n 3
    until_true "$peer counts both" has "$peer" shots/a /takes 9
done
same "in the log, once" "$(grep -c 'device anna runs twice' "$work/copy.log")" 1
until_true "equal" on bob verify
stop copy

# ---- an older state in its place, in the same files: seen when it starts, or told by the others

save () { rm -rf "$work/old"; cp -r "$work/anna" "$work/old"; }
put_back () { cat "$work/old/data.mdb" >"$work/anna/data.mdb"; }
stop anna
save
start anna --seed "${addresses[bob]}"
works "a write" on anna set shots/a /n 10
works "is at bob's" on anna wait --on bob --timeout 20s
stop anna
put_back
start anna --seed "${addresses[bob]}"
same "an older state was put in" "$(status anna "j['incarnation']['why'], j['incarnation']['count']")" "('older', 3)"
until_true "what it forgot comes back" has anna shots/a /n 10
works "it goes on" on anna set shots/a /n 11
until_true "at bob's, too" has bob shots/a /n 11
stop anna
save
start anna --seed "${addresses[bob]}"
works "a write" on anna set shots/a /n 12
works "is at bob's" on anna wait --on bob --timeout 20s
writer=$(status anna "j['writer']")
stop anna
put_back
rm "$work"/anna/boot-*; cp "$work"/old/boot-* "$work/anna/"
start anna --seed "${addresses[bob]}"
until_true "what nobody can see on the disk, the others tell" renewed anna ahead
until_true "what it forgot comes back" has anna shots/a /n 12
if [ "$(status anna "j['writer']")" != "$writer" ]; then ok; else not_ok "it goes on as the same writer"; fi
works "it goes on" on anna set shots/a /n 13
until_true "at bob's, too" has bob shots/a /n 13
until_true "equal again" on bob verify
same "no fork" "$(status anna "j.get ('fork')")" None

# ---- written before anybody was heard: a fork, and it is settled

stop anna
save
start anna --seed "${addresses[bob]}"
works "a write" on anna set shots/b /n 20
works "another" on anna set shots/b /n 21
works "they are at bob's" on anna wait --on bob --timeout 20s
stop anna bob
put_back
rm "$work"/anna/boot-*; cp "$work"/old/boot-* "$work/anna/"
start anna
works "a write that nobody could warn of" on anna set shots/mine /n 30
start bob --seed "${addresses[anna]}"
until_true "the fork is told" renewed anna fork
if grep -q 'this device wrote change [0-9]* twice' "$work/anna.log"; then ok; else not_ok "the log does not say so"; fi
settled () { [ "$(status "$1" "j.get ('fork')")" = None ]; }
patience_s=90 # the other store has 20 s to show
until_true "it is settled" settled anna
until_true "what was written since is there" has bob shots/mine /n 30
until_true "and what was before" has anna shots/b /n 21
prints "nothing is lost here" 30 on anna get shots/mine /n
prints "nor there" 21 on bob get shots/b /n
until_true "all have the same" on bob verify --timeout 5s
works "and it goes on" on anna set shots/mine /n 31
until_true "everywhere" has bob shots/mine /n 31

# ---- two that listen nowhere cannot find each other: who is called by both tells them

admit dora anna
works "dora is there" on anna wait --on dora --timeout 60s
stop dora
cp -r "$work/dora" "$work/twin"
calls () { launch "$1" "$sakerd" --store "$work/$1" --listen none --no-beacon --seed "${addresses[anna]}"; }
calls dora
calls twin
until_true "dora is told" told dora "device dora runs twice: here, and as a process that listens nowhere"
until_true "her twin, too" told twin "device dora runs twice: here, and as a process that listens nowhere"
works "dora writes" on dora set shots/dora /n 1
works "her twin writes" on twin set shots/twin /n 2
for peer in anna dora twin; do
    until_true "$peer has the one" has "$peer" shots/dora /n 1
    until_true "$peer has the other" has "$peer" shots/twin /n 2
done

finish
