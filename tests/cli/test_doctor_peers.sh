#!/usr/bin/env bash
# What saker doctor finds of members that talk as no daemon of ours does: forged and broken changes, questions and
# answers of a version to come, silence, a key of no member, a roster and nothing else. tests/net/liar.c plays them.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
codes='refused.signature refused.form refused.key refused.fork refused.right door.refused version.peer link.answers link.timeouts
    changes.moving changes.missing changes.waiting'
examine () { on "$1" doctor >"$work/found" 2>"$work/err"; }
# tells CODE GRADE WORDS: doctor found it, so grave, with these words in the sentence or the next step.
says () { grep -A1 "^$2: .*\[$1\]$" "$work/found" | tr '\n' ' ' | grep -qE -- "$3"; }
tells ()
{
    if says "$@"; then ok; else
        not_ok "$1: $(cat "$work/found" "$work/err")"; fi
}
found_it () { examine anna; says "$@"; }
# lies NAME KIND,... [STORE]: the member of the store mallory talks to NAME so, until the_liar_ends.
lies ()
{
    "$build/tests/net/liar" "$work/mallory" "$1" "${addresses[$1]}" "${@:2}" 2>>"$work/liar.log" &
    pids[liar]=$!
}
the_liar_ends ()
{
    kill -TERM "${pids[liar]}"
    wait "${pids[liar]}" 2>/dev/null
    unset "pids[liar]"
}
counts () { [ "$(status "$1" "$2")" -gt "${3:-0}" ]; }
of_link () { [ "$(on anna links --json | json "[l['$1'] for l in j if l['name'] == 'mallory'][0]")" -ge "$2" ]; }
found anna
on anna invite | on mallory join - --as mallory >/dev/null || not_ok "join"
examine anna
for code in $codes; do
    if grep -q "\[$code\]" "$work/found"; then not_ok "$code before anything came"; else ok; fi
done

lies anna signature,form,key,fork,stranger,request,gap
for kind in signature form key fork; do until_true "$kind" counts anna "j['refused']['$kind']"; done
until_true "a stranger" counts anna "j['door']['refused']"
until_true "a question of another version" counts anna "j['router']['bad_requests']"
until_true "a change whose predecessor never comes" counts anna "j['changes']['waiting']"
the_liar_ends
examine anna
tells changes.waiting warning "1 change is here and waits for others.*next: saker why"
works "anna has of what mallory will claim to have more" on anna set claim0/a /n 1
works "mallory may only read" on anna role mallory read
lies anna right,shrink
until_true "a change of one who may not write" counts anna "j['refused']['right']"
until_true "there is less and less that is not here" found_it changes.moving note "this peer catches up: mallory has 99.* changes that are not here.*next: wait; saker top"
the_liar_ends
lies anna answer
until_true "an answer of another version" of_link bad_answers 1
the_liar_ends
lies anna mute
late () { on anna links --json | json "[l['timeouts'] >= 5 and l['timeouts'] * 10 > l['requests'] for l in j if l['name'] == 'mallory'][0]" | grep -q True; }
until_true "no answer" late
until_true "but it is heard" link_is anna mallory up
examine anna
tells refused.signature warning "a signature that does not hold.*next: see the log of sakerd"
tells refused.form warning "not in form.*next: see with saker --version"
tells refused.key warning "could not be opened.*next: start an admin's peer"
tells refused.fork warning "another version of one that is here.*next: see saker status there"
tells refused.right note "no right to make it.*next: saker peers"
tells door.refused note "devices that are no members.*next: .*saker peers"
tells version.peer warning "were not understood.*next: see with saker --version"
tells link.answers warning "answers of mallory were not in form.*next: see with saker --version"
tells changes.missing warning "mallory is linked and has 5 changes, but they do not get here.*next: saker ping mallory"
tells link.timeouts warning "questions to mallory were not answered in time.*next: saker ping mallory"
the_liar_ends

# ---- fenced, and told so by a member that is fenced itself: who is fenced is back as soon as it knows

works "mallory may write" on anna role mallory write
admit bob anna
works "bob has all" on anna wait --on bob --timeout 60s
stop bob
works "bob is fenced" on anna fence bob
works "so is mallory" on anna fence mallory
until_true "it shows" link_is anna bob fenced
stop anna
start bob
lies bob roster "$work/anna"
until_true "bob hears of it" eval '[ "$(status bob "j[\"incarnation\"][\"why\"]")" = fenced ]'
same "and is back" "$(status bob "j['device']['fenced']")" False
the_liar_ends
finish
