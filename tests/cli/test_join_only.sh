#!/usr/bin/env bash
# Joining with --only: from the first moment on a peer carries some collections, or documents of one, and
# nothing else ever comes; also when nobody can be reached after it joined, and when its store was moved
# before its first start. An admin's ticket is refused and stays good.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
# carries PEER COLLECTION STATE: as the peer itself lists it
carries () { [ "$(on "$1" subscribe --json | json "[c['state'] for c in j['collections'] if c['collection'] == '$2']")" = "['$3']" ]; }
# here PEER: the collections of which anything ever came, but the roster
here () { status "$1" "' '.join(sorted(c for c in j['collections'] if c != '@roster'))"; }

found anna
works "anna writes" on anna set shots/sq010_a '{"n": 1}'
works "more" on anna set shots/sq020_a '{"n": 2}'
works "notes" on anna set notes/x '{"n": 3}'
python3 -c '
import json
for n in range (2000):
    print (json.dumps ({"id": "d%d" % n, "n": n}))' >"$work/many.json"
works "and much that is not wanted" on anna import renders "$work/many.json" --key id

# ---- words that are wrong, before anybody is asked

on anna invite >"$work/ticket"
for only in "" "," "a,,b" "/x" "shots/" "shots,"; do
    refuses "--only '$only'" 2 "takes collections" on bob join - --as bob --only "$only" <"$work/ticket"
done
refuses "no name of a collection" 1 "the name of a collection" on bob join - --as bob --only "@roster" <"$work/ticket"
refuses "a prefix that is too long" 1 "" on bob join - --as bob --only "shots/$(printf '%0300d' 0)" <"$work/ticket"
refuses "more names than there is room for" 6 "SKR_SUBSCRIPTION_NAMED_MAX" \
    on bob join - --as bob --only "$(seq -s, 1 513)" <"$work/ticket"
if [ ! -e "$work/bob" ]; then ok; else not_ok "something is left behind"; fi

# ---- who carries everything

for role in admin relay; do
    on anna invite --role "$role" >"$work/other"
    refuses "a ticket of a(n) $role" 5 "carries every collection" on carl join - --as carl --only shots <"$work/other"
    if [ ! -e "$work/carl" ]; then ok; else not_ok "something is left behind"; fi
done
same "nobody was let in" "$(on anna peers --json | json "len(j)")" 1
works "the ticket is still good" on carl join - --as carl <"$work/other"
works "nobody needs it, though" on anna role carl none

# ---- only some

works "bob joins for shots, and for what is perhaps mistyped" on bob join - --as bob --only shots,shotz <"$work/ticket"
if grep -q "carries only: shots,shotz" "$work/out"; then ok; else not_ok "it is not told: $(cat "$work/out")"; fi
works "what it states is in the store already" on bob store dump
same "once" "$(grep -c '"states":"subscribe"' "$work/out")" 1
start bob --seed "${addresses[anna]}"
until_true "shots comes" has_n bob shots/sq020_a 2
until_true "it is all there" carries bob shots carried
works "what is made later" on anna set plans/p '{"n": 4}'
works "and more of shots" on anna set shots/sq030_a '{"n": 5}'
until_true "comes, of shots alone" has_n bob shots/sq030_a 5
same "nothing else ever came" "$(here bob)" "shots"
works "nor was waited for" on anna wait --on bob --timeout 30s
refuses "what is not carried is told so" 21 "saker subscribe renders" on bob get renders/d1
until_true "anna knows" eval 'on anna verify renders --timeout 20s >"$work/verdicts" && grep -q "bob .*does not carry it" "$work/verdicts"'
works "bob writes in shots" on bob set shots/b '{"n": 6}'
until_true "anna has it" has_n anna shots/b 6
works "what nobody has is listed by its name" on bob subscribe
if grep -q "^shotz " "$work/out"; then ok; else not_ok "shotz is not listed: $(cat "$work/out")"; fi
until_true "as empty" carries bob shotz empty
refuses "and then nothing is there" 3 "no collection called shotz" on bob get shotz/a
on bob doctor >"$work/out" 2>&1
if grep -q "carried.empty" "$work/out"; then ok; else not_ok "doctor does not tell: $(cat "$work/out")"; fi
works "it can be left" on bob unsubscribe shotz
refuses "then it is not carried" 21 "does not carry shotz" on bob get shotz/a

# ---- documents of one; nobody can be reached at first; the store is moved

on anna invite >"$work/ticket"
works "dora joins for a part" on dora join - --as dora --only shots/sq010,notes,shots/sq020 <"$work/ticket"
cp -r "$work/dora" "$work/moved" && rm -rf "$work/dora" && mv "$work/moved" "$work/dora"
stop anna bob
start dora
same "alone, it carries what it chose" "$(on dora subscribe --json | json "sorted(c['collection'] for c in j['collections']), j['rest']")" \
    "(['notes', 'shots'], False)"
kill -KILL "${pids[dora]}"
wait "${pids[dora]}" 2>/dev/null
unset "pids[dora]" "pipes[dora]"
start anna
start bob --seed "${addresses[anna]}"
start dora --seed "${addresses[bob]}"
until_true "notes comes" has_n dora notes/x 3
until_true "and the part of shots" has_n dora shots/sq010_a 1
until_true "all of it" has_n dora shots/sq020_a 2
refuses "no more of it" 21 "carries only what begins with" on dora get shots/sq030_a
same "and nothing else" "$(here dora)" "notes shots"
works "all is equal" on dora verify --timeout 20s
works "later it carries all" on dora subscribe --all
until_true "then renders comes" has_n dora renders/d1999 1999
finish
