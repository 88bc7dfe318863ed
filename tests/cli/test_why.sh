#!/usr/bin/env bash
# Why a document is not at a peer: each cause by its name, a sentence, and the next step. That one waits for
# another change is in tests/unit/test_api.c.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
# why_is NAME CAUSE COLL/DOC [PEER]; explains WHAT STATUS CAUSE WORDS NAME COLL/DOC [PEER]: WORDS in sentence and next step.
why_is () { [ "$(on "$1" why "${@:3}" --json 2>/dev/null | json "j['cause']")" = "$2" ]; }
explains ()
{
    local what=$1 wanted=$2 cause=$3 words=$4 status
    shift 4
    on "$1" why "${@:2}" >"$work/out" 2>"$work/err"
    status=$?
    if [ "$status" = "$wanted" ] && grep -q "^$cause: " "$work/out" && tr '\n' ' ' <"$work/out" | grep -q -- "$words"; then ok; else
        not_ok "$what: exit status $status: $(cat "$work/out" "$work/err")"
    fi
}

found anna
admit bob anna
admit carol anna
works "a document" on anna set shots/a /n 1
works "everywhere" on anna wait --all --timeout 60s

# ---- there, rival, deleted, unknown

explains "there" 0 there "bob has stored it as it is here, written last by anna at 20" anna shots/a bob
explains "here" 0 there "it is here, written last by anna" bob shots/a
explains "nowhere" 3 unknown "saker links shows who" anna shots/none
explains "no such collection" 3 unknown "next: " anna nothing/none
explains "nowhere, asked of another" 3 unknown "saker why shots/none" anna shots/none bob
works "deleted" on anna set shots/d /n 1
works "deleted" on anna delete shots/d
works "everywhere" on anna wait --all --timeout 60s
explains "deleted here" 3 deleted "it was deleted, by anna at .*saker log shots/d" anna shots/d
explains "deleted there" 3 deleted "bob knows that it was deleted" anna shots/d bob
refuses "nobody of that name" 3 "no member called dora" on anna why shots/a dora
refuses "no document" 2 "does not name a document" on anna why shots
refuses "a wrong collection" 1 "" on anna why '@x/a'

# ---- queued, unconnected

kill -STOP "${pids[bob]}"
works "one" on anna set shots/q1 /n 1
works "two" on anna set shots/q2 /n 1
works "and one after it" on anna set shots/q3 /n 1
explains "queued" 15 queued "bob takes 2 changes before it has it, the one included.*run saker why shots/q2 there" anna shots/q2 bob
explains "what came before" 15 queued "bob takes 1 change " anna shots/q1 bob
kill -CONT "${pids[bob]}"
until_true "it gets there" why_is anna there shots/q3 bob
stop bob
works "while bob is away" on anna set shots/u /n 1
explains "unconnected" 13 unconnected "bob was stopped, and heard last .* 1 change wait.* saker dial" anna shots/u bob
same "as JSON" "$(on anna why shots/u bob --json 2>/dev/null | json "j['cause'], j['changes'], j['link'], j['author'], j['peer']")" \
    "('unconnected', 1, 'left', 'anna', 'bob')"
works "carol has it" on anna wait --on carol --timeout 60s
explains "seen from carol" 13 unconnected "bob" carol shots/u bob

# ---- it is somewhere else

stop anna
start bob --seed "${addresses[carol]}"
until_true "bob got it of carol" why_is bob there shots/u
works "rivals to be" on bob set shots/a /n 2
works "carol has it" on bob wait --on carol --timeout 60s
stop bob carol
start anna
works "anna meanwhile" on anna set shots/a /n 3
start carol --seed "${addresses[anna]}"
until_true "rivals" why_is anna rival shots/a
explains "rivals" 0 rival "it is here, but in 1 place it has rivals.*saker conflicts shots/a" anna shots/a
until_true "there, too" why_is anna rival shots/a carol

# ---- rights

works "carol may relay" on anna role carol relay
explains "no right" 5 no-right "carol may not read this collection (role relay).*saker role carol read" anna shots/a carol
works "carol is revoked" on anna revoke carol
explains "no right at all" 5 no-right "carol has no right in this collection (role none)" anna shots/a carol
start bob --seed tcp://127.0.0.1:1
works "bob may read only, and does not know" on anna role bob read
works "and writes" on bob set shots/v /n 1
explains "he has it" 0 there "it is here" bob shots/v
stop bob
start bob --seed "${addresses[anna]}"
until_true "void" why_is bob void shots/v
explains "void" 5 void "of bob to it is void.*saker role bob write" bob shots/v
explains "void for all" 5 void "kept aside here" bob shots/v anna
stop bob
works "bob may write again" on anna role bob write
works "bob is fenced" on anna fence bob
explains "fenced" 15 fenced "bob was fenced.*returns by itself" anna shots/a bob
refuses "no daemon" 13 "sakerd --store" on bob why shots/a
finish
