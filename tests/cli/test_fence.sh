#!/usr/bin/env bash
# Fence and return: who is away too long is not waited for, and comes back with what it wrote.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
why_is () { [ "$(status "$1" "j['incarnation']['why']")" = "$2" ]; }
rivals_are () { [ "$(rivals "$1")" = "$2" ]; }
is_gone () { on "$1" get "$2" >/dev/null 2>&1; [ $? = 3 ]; }

found anna
keep_nothing anna
admit bob anna
admit carol anna
works "something of all" on bob set shots/a /n 1
works "to be deleted" on anna set shots/gone /n 1
works "all have it" on anna wait --all --timeout 60s
works "bob has all" on bob wait --all --timeout 60s
until_true "the log of anna is empty" log_is_empty anna

# ---- what cannot be done

works "carol is an admin for now" on anna role carol admin
refuses "not oneself" 2 "does not fence itself" on anna fence anna
refuses "not an admin" 5 "saker role carol write" on anna fence carol
refuses "only an admin" 5 "only admin may" on bob fence carol
refuses "nobody of that name" 3 "no member called dora" on anna fence dora
works "carol is none" on anna role carol write
works "what a fence means" on anna fence bob --explain
if grep -q "comes back\|is back" "$work/out" && grep -q "never over it" "$work/out"; then ok; else not_ok "--explain: $(cat "$work/out")"; fi

# ---- bob is away, and writes; the others go on

stop bob
start bob --seed tcp://127.0.0.1:1 # nobody is there
stop anna carol
works "bob writes alone" on bob set shots/a /n 2
works "and counts" on bob incr shots/a /count 5
stop bob
start anna
start carol --seed "${addresses[anna]}"
works "anna writes" on anna set shots/a /n 3
works "and deletes" on anna delete shots/gone
until_true "carol has it" shows carol shots/a '{"n":3}'
works "the log waits for bob" on anna gc --plan
if grep -q "bob .*wait for it" "$work/out"; then ok; else not_ok "plan: $(cat "$work/out")"; fi
works "fence" on anna fence bob
refuses "once" 4 "fenced already" on anna fence bob
until_true "it shows" link_is anna bob fenced
until_true "carol knows" link_is carol bob fenced
until_true "the log goes" log_is_empty anna
works "nobody waits for bob" on anna wait --all --timeout 30s
works "nor asks him" on anna verify --timeout 30s

# ---- and is back

start bob --seed "${addresses[anna]}"
until_true "bob has what he missed" link_is anna bob up
until_true "bob knows" why_is bob fenced
until_true "what he counted is there" shows anna shots/a '{"count":5,"n":3}'
until_true "everywhere" shows carol shots/a '{"count":5,"n":3}'
until_true "what he wrote is a rival" rivals_are anna 1
until_true "what was deleted stays deleted" is_gone bob shots/gone
until_true "all have the same" on anna verify --timeout 5s
works "bob's value can be taken" on anna conflicts show shots/a /n
works "he writes on" on bob set shots/b /n 1
until_true "all have it" shows carol shots/b '{"n":1}'
until_true "the log goes again" log_is_empty anna
works "he may be fenced again" on anna fence bob
until_true "and is back at once" link_is anna bob up

# ---- by itself

stop bob
printf 'history = 0\nhorizon = 4s\n' >"$work/anna/saker.conf"
kill -HUP "${pids[anna]}"
until_true "the horizon is reached" link_is anna bob fenced
if link_is anna carol fenced; then not_ok "carol, who is there, is fenced"; else ok; fi
start bob --seed "${addresses[anna]}"
until_true "and he comes back" link_is anna bob up
until_true "all have the same again" on anna verify --timeout 5s
refuses "a bad horizon" 1 "horizon" "$sakerd" --check-config --config <(echo 'horizon = soon')
finish
