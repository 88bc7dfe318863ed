#!/usr/bin/env bash
# A relay stores and forwards what it cannot read: anna and bob are never on at the same time.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
stored () { on "$1" status --json | json "sum (c['changes'] for c in j['collections'].values () if c['sealed'])"; }
relays () { [ "$(stored rex)" = "$1" ]; }

found anna
admit bob anna
works "bob is there" on anna wait --all --timeout 20s
on anna invite --role relay | on rex join - --as rex >/dev/null || not_ok "join of rex"
start rex
until_true "rex is a relay" role_is anna rex relay

# ---- store and forward

works "anna writes" on anna set shots/a '{"n": 1, "title": "Harbour at night"}'
works "rex and bob have it" on anna wait --all --timeout 20s
stop bob
works "anna writes while bob is off" on anna set shots/b /n 2
works "rex has it" on anna wait --on rex --timeout 20s
stop anna
start bob --seed "${addresses[rex]}"
until_true "bob gets it from rex" has_n bob shots/b 2
works "bob answers" on bob set shots/b /n 3
works "rex has it" on bob wait --on rex --timeout 20s
stop bob
start anna --seed "${addresses[rex]}"
until_true "anna gets it from rex" has_n anna shots/b 3

# ---- and nothing more

refuses "rex reads nothing" 5 "only" on rex get shots/a
refuses "nor lists" 5 "only" on rex ls
refuses "nor writes" 5 "only" on rex set shots/a /n 9
same "it holds the log, sealed" "$(stored rex)" 3
same "and no document" "$(on rex status --json | json "sorted ((c['documents'], c['sealed']) for k, c in j['collections'].items () if k != '@roster')")" "[(0, True)]"
if grep -qaF 'Harbour at night' "$work/anna/data.mdb"; then ok; else not_ok "the store of who reads does not show what it holds"; fi
if grep -qaF 'Harbour at night' "$work/rex/data.mdb" || grep -qaF shots "$work/rex/data.mdb"; then not_ok "the relay's store can be read"; else ok; fi
start bob --seed "${addresses[anna]}"
works "all have all, the relay too" on anna verify --timeout 20s
works "as the relay sees it" on rex verify --timeout 20s

# ---- it is not waited for, cuts its log as others do, and comes in again below a cut

for peer in anna bob rex; do keep_nothing "$peer"; done
for peer in anna bob rex; do until_true "the log of $peer is cut" log_is "$peer" "[0]"; done
stop rex
for n in 1 2 3 4; do works "without the relay" on anna set shots/c /n "$n"; done
until_true "nobody waits for it" log_is anna "[0]"
until_true "nor does bob" log_is bob "[0]"
start rex --seed "${addresses[anna]}"
until_true "it takes what it missed as it can" relays 7
printf 'history = 30d\n' >"$work/rex/saker.conf"
kill -HUP "${pids[rex]}"
stop bob
works "anna writes" on anna set shots/d /n 8
works "rex has it" on anna wait --on rex --timeout 20s
stop anna
start bob --seed "${addresses[rex]}"
until_true "and forwards it again" has_n bob shots/d 8
start anna --seed "${addresses[bob]}"

# ---- rights change: it may read, and may not any more

works "rex may read" on anna role rex read
until_true "then it has all of it" has_n rex shots/c 4
works "all have the same" on anna verify --timeout 20s
works "rex may only relay again" on anna role rex relay
until_true "it is sealed" relays 8
refuses "and reads no more" 5 "only" on rex get shots/a
works "in one collection alone" on anna role bob relay --collection shots
until_true "bob knows" eval '[ "$(on bob status --json | json "j[\"collections\"][\"shots\"][\"sealed\"]")" = True ]'
refuses "bob reads shots no more" 5 "may only relay shots" on bob get shots/a
refuses "nor its history" 5 "may only relay shots" on bob log shots/a
refuses "nor watches it" 5 "may only relay shots" on bob watch shots --count 1 --timeout 1s
works "but writes elsewhere" on bob set notes/x /n 1
works "and reads there" on bob get notes/x
refuses "a relay of the mesh reads no single collection" 1 "saker role rex read" on anna role rex read --collection shots

finish
