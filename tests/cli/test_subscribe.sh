#!/usr/bin/env bash
# Carrying some collections only: leaving one, the others cut and go on, coming back to it; a holder is
# needed, an admin stays; a daemon that is killed while it drops.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
# carries PEER COLLECTION STATE; holds PEER COLLECTION CHANGES: as the peer itself lists it
carries () { [ "$(on "$1" subscribe --json | json "[c['state'] for c in j['collections'] if c['collection'] == '$2']")" = "['$3']" ]; }
holds () { [ "$(on "$1" status --json | json "j['collections']['$2']['changes']")" = "$3" ]; }
counted () { on "$1" get "$2" /count --raw 2>/dev/null; }
# requests PEER: that its daemon has sent to the others
requests () { status "$1" "j['sessions']['requests']"; }

found anna
admit bob anna
admit carl anna
for n in 1 2 3 4 5; do works "bob writes" on bob incr shots/a /count; done
works "carl writes" on carl set notes/x '{"n": 1}'
works "and in shots" on carl incr shots/a /count
works "all have all" on bob wait --all --timeout 20s
until_true "carl has it" eval '[ "$(counted carl shots/a)" = 6 ]'
until_true "anna, too" eval '[ "$(counted anna shots/a)" = 6 ]'

# ---- who may not, and words that are wrong

refuses "an admin's peer carries all" 5 "carries every collection" on anna unsubscribe shots
refuses "neither does it choose some" 5 "carries every collection" on anna subscribe --only notes
refuses "what is nowhere" 3 "no such collection" on carl unsubscribe shotz
refuses "two ways at once" 2 "not both" on carl subscribe --only --all
refuses "all and a name" 2 "takes no names" on carl subscribe --all shots
refuses "only nothing" 2 "needs the names" on carl subscribe --only
works "a name that nothing knows" on carl subscribe shtos
same "is told, and what may be meant" "$(cat "$work/err")" "saker: note: no collection 'shtos' is known yet; did you mean 'shots'?"
works "one that is like no other" on carl subscribe backgrounds
same "is told, too" "$(cat "$work/err")" "saker: note: no collection 'backgrounds' is known yet; saker subscribe lists those that are"
same "as JSON" "$(on carl subscribe shots shtos backgrounds --json 2>/dev/null)" '{"changed":false,"unknown":[{"collection":"shtos","nearest":"shots"},{"collection":"backgrounds","nearest":null}]}'
refuses "what reads one" 3 "no collection called shtos: did you mean shots?" on carl ls shtos
refuses "or a document of it" 3 "no collection called ntoes: did you mean notes?" on carl get ntoes/x
works "what is carried already" on carl subscribe shots
same "of what is known nothing is said" "$(cat "$work/err")" ""
same "is told" "$(cat "$work/out")" "nothing to change: it is so already"

# ---- nobody has it

stop anna
works "carl writes what only bob hears" on carl incr shots/a /count
works "bob has it" on carl wait --on bob --timeout 20s
refuses "without an admin's peer that has it, it cannot be left" 12 "no admin's peer is known to have" \
    on carl unsubscribe shots --timeout 1s
until_true "and all is as it was" carries carl shots carried
works "carl goes on writing" on carl incr shots/a /count
start anna --seed "${addresses[bob]}"
until_true "anna has it" eval '[ "$(counted anna shots/a)" = 8 ]'

# ---- leaving

works "carl leaves shots" on carl unsubscribe shots --timeout 60s
until_true "it has left it" carries carl shots left
works "and nothing of it" holds carl shots 0
works "what it carries of it" on carl carry shots
if grep -q "^shots is not carried at all: saker subscribe shots" "$work/out"; then ok; else not_ok "carry: $(cat "$work/out")"; fi
refuses "it does not read it" 21 "saker subscribe shots" on carl get shots/a
refuses "nor list it" 21 "saker subscribe shots" on carl ls shots
refuses "nor write it" 21 "saker subscribe shots" on carl set shots/b '{"n": 1}'
prints "it lists what it carries" "$(printf 'notes\t1')" on carl ls
refuses "nor watch it" 21 "saker subscribe shots" on carl watch shots --timeout 1s
refuses "nor wait for what anna saw of it" 21 "saker subscribe shots" \
    on carl wait --seen "$(on anna seen shots)" --timeout 20s
refuses "why, here" 21 "unsubscribed" on carl why shots/a
refuses "why, as anna sees it" 21 "unsubscribed" on anna why shots/a carl
until_true "bob knows" eval 'on bob verify shots --timeout 20s >"$work/verdicts"'
works "and says who does not carry it" grep -q "carl .*does not carry it" "$work/verdicts"
works "which is not asked for" on carl verify --timeout 20s
works "bob writes" on bob incr shots/a /count
works "and waits for those alone who carry it" on bob wait --all --timeout 20s
same "nothing came to carl" "$(status carl "j['collections']['shots']['changes']")" 0

# ---- the others cut, and go on

for peer in anna bob carl; do keep_nothing "$peer"; done
until_true "anna cuts without carl" log_is_empty anna
until_true "and bob" log_is_empty bob
works "bob goes on" on bob incr shots/a /count
until_true "anna cuts that, too" eval 'log_is_empty anna && [ "$(counted anna shots/a)" = 10 ]'

# ---- quiet: equal peers that carry different collections do not ask each other again and again

works "all is equal" on bob verify --timeout 20s
quiet ()
{
    local before after
    before=$(($(requests bob) + $(requests carl) + $(requests anna)))
    sleep 3
    after=$(($(requests bob) + $(requests carl) + $(requests anna)))
    [ $((after - before)) -le 1 ] # now and then a state is asked for at random
}
until_true "they are quiet" quiet

# ---- coming back

works "carl subscribes again" on carl subscribe shots
until_true "and gets everything" eval '[ "$(counted carl shots/a)" = 10 ]'
until_true "all of it" carries carl shots carried
until_true "it writes" on carl incr shots/a /count
until_true "bob has that" eval '[ "$(counted bob shots/a)" = 11 ]'
works "all is equal" on carl verify --timeout 20s

# ---- killed while it drops: it has left, and goes on

python3 -c '
import json
for n in range (3000):
    print (json.dumps ({"id": "d%d" % n, "n": n, "text": "x" * 40}))' >"$work/many.json"
works "many documents" on bob import renders "$work/many.json" --key id
until_true "carl has them" eval '[ "$(on carl ls | grep renders)" = "$(printf "renders\t3000")" ]'
until_true "anna, too" eval '[ "$(on anna ls | grep renders)" = "$(printf "renders\t3000")" ]'
on carl unsubscribe renders --timeout 60s >"$work/out" 2>&1 &
leaving=$!
sleep 0.2
kill -KILL "${pids[carl]}"
wait "${pids[carl]}" 2>/dev/null
wait "$leaving"
unset "pids[carl]" "pipes[carl]"
start carl --seed "${addresses[anna]}"
until_true "it is one or the other" eval 'carries carl renders left || carries carl renders carried'
works "carl leaves it, if it had not" on carl unsubscribe renders --timeout 60s
until_true "it has left it" carries carl renders left
kill -KILL "${pids[carl]}"
wait "${pids[carl]}" 2>/dev/null
unset "pids[carl]" "pipes[carl]"
start carl --seed "${addresses[anna]}"
until_true "and stays so" carries carl renders left

# ---- what doctor says of all that

# doctor PEER CODE WORDS
doctor () { on "$1" doctor 2>/dev/null | grep -A1 "^note: .*\[$2\]$" | tr '\n' ' ' | grep -q -- "$3"; }
works "bob leaves it, too" on bob unsubscribe renders --timeout 60s
until_true "anna is the only one" doctor anna carried.alone "renders is carried by this peer alone.*next: on another peer: saker subscribe renders"
stop anna
works "carl wants it again" on carl subscribe renders
until_true "which nobody has" doctor carl carried.fetching "renders is carried again, and not all of it is here yet.*next: it comes from members that carry it"
start anna --seed "${addresses[bob]}"
until_true "then it comes" carries carl renders carried
until_true "and is of two" eval '! on anna doctor | grep -q carried.alone'
kill -STOP "${pids[anna]}"
refuses "carl leaves it, and nobody confirms that" 15 "kept here until an admin's peer reports all of it" on carl unsubscribe renders --timeout 2s
until_true "it goes on" doctor carl carried.leaving "renders was left, and is kept until.*next: let an admin's peer be reached"
kill -CONT "${pids[anna]}"
until_true "it has left it, in the end" carries carl renders left
works "shots is as before" eval '[ "$(counted carl shots/a)" = 11 ]'
works "back again" on carl subscribe renders
until_true "it has them again" eval '[ "$(on carl ls | grep renders)" = "$(printf "renders\t3000")" ]'

# ---- only some, also of what comes later; and all again

works "what is perhaps mistyped" on carl subscribe shotz
if grep -q "no collection 'shotz' is known yet; did you mean 'shots'?" "$work/err"; then ok; else not_ok "it is not told"; fi
works "only notes" on carl subscribe --only notes --timeout 60s
until_true "shots is left" carries carl shots left
works "bob makes another collection" on bob set plans/p '{"n": 1}'
until_true "anna has it" has_n anna plans/p 1
works "carl does not" lacks carl plans/p
same "the rest is not carried" "$(on carl subscribe --json | json "j['rest']")" False
works "all again" on carl subscribe --all
until_true "plans" has_n carl plans/p 1
until_true "and shots" eval '[ "$(counted carl shots/a)" = 11 ]'
works "all is equal" on anna verify --timeout 20s

# ---- who becomes an admin carries all

works "carl leaves notes" on carl unsubscribe notes --timeout 60s
until_true "it has left it" carries carl notes left
works "anna makes carl an admin" on anna role carl admin
until_true "then it has it again" has_n carl notes/x 1
refuses "and keeps it" 5 "carries every collection" on carl unsubscribe notes

# ---- who is none any more may choose again, and stays one writer meanwhile

works "anna takes that role" on anna role carl write
until_true "carl leaves notes" on carl unsubscribe notes --timeout 2s
until_true "it has left it" carries carl notes left
works "carl comes back to it" on carl subscribe notes
until_true "it has it again" has_n carl notes/x 1
incarnations=$(status carl "j['incarnation']['count']")
works "and leaves again" on carl unsubscribe notes --timeout 60s
works "and comes back again" on carl subscribe notes
until_true "it has it once more" has_n carl notes/x 1
same "it writes as before" "$(status carl "j['incarnation']['count']")" "$incarnations"

# ---- the dump of a store knows the statement

stop carl
works "dump" on carl store dump
if grep -q '^{"kind":"statement",.*"states":"subscribe","device":' "$work/out"; then ok; else not_ok "no subscription in the dump: $(grep statement "$work/out")"; fi
if json_lines <"$work/out"; then ok; else not_ok "the dump is no JSON"; fi
finish
