#!/usr/bin/env bash
# History and conflicts with two real peers: log, show, diff, restore-doc, conflicts.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

now () { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
# A moment after what was written and before what comes.
moment ()
{
    sleep 0.02
    now
    sleep 0.02
}

found anna
admit bob anna

# ---- log

works "a document" on anna set shots/sc010 '{"title": "Harbour", "frames": 240}'
works "a counter in it" on anna incr shots/sc010 /takes 2
works "all have it" on anna wait --timeout 20s
t1=$(moment)
works "bob changes it" on bob set shots/sc010 /title '"Harbour at night"'
works "bob counts" on bob incr shots/sc010 /takes 3
works "bob adds" on bob add shots/sc010 /tags '"night"'
works "another document" on bob set shots/sc011 '{"title": "Market"}'
works "bob's is everywhere" on bob wait --timeout 20s
works "log" on anna log shots/sc010
same "a block a change" "$(grep -c '^20.*  change [0-9]*$' "$work/out")" 5
same "the newest first" "$(grep -o '^20[^ ]*  [a-z]*' "$work/out" | cut -d' ' -f3 | xargs)" "bob bob bob anna anna"
if grep -q '^    set     /title  "Harbour at night"$' "$work/out" \
    && grep -q '^            over "Harbour" by anna at 20' "$work/out"; then ok; else not_ok "log: $(cat "$work/out")"; fi
same "where it begins" "$(tail -n 1 "$work/out" | sed 's/20[^ ]*Z/T/')" "the history of shots is whole: it begins at T"
works "log of a place" on bob log shots/sc010 /title
same "only what concerns it" "$(grep -c '^    ' "$work/out")" 3
works "log --limit" on bob log shots/sc010 --limit 2
same "two changes" "$(grep -c '^20' "$work/out")" 2
same "and that there is more" "$(tail -n 1 "$work/out")" "there is more; see --limit"
on bob log shots/sc010 --json >"$work/log"
works "log --json is lines" json_lines <"$work/log"
same "a change in JSON" "$(sed -n 3p "$work/log" | json "j['author'], j['state'], [(o['action'], o['pointer'], o['value'], o['over'][0]['value'], o['over'][0]['author']) for o in j['operations']]")" \
    "('bob', 'readable', [('set', '/title', 'Harbour at night', 'Harbour', 'anna')])"
same "the begin in JSON" "$(tail -n 1 "$work/log" | json "j['begin']['whole']")" True
refuses "log of nothing" 3 "no change ever touched shots/none" on anna log shots/none
refuses "log of no collection" 3 "no collection called none" on anna log none/none
refuses "a limit that is no number" 2 "is no number" on anna log shots/sc010 --limit x

# ---- show and diff

prints "show what was" '{"frames":240,"takes":2,"title":"Harbour"}' on anna show shots/sc010 --at "$t1"
prints "the same at bob" '{"frames":240,"takes":2,"title":"Harbour"}' on bob show shots/sc010 --at "$t1"
prints "a place" '"Harbour"' on bob show shots/sc010 /title --at "$t1"
prints "raw" 'Harbour' on bob show shots/sc010 /title --at "$t1" --raw
same "who" "$(on bob show shots/sc010 /title --at "$t1" --who | awk 'NR == 2 { print $1, $2, $3 }')" '/title "Harbour" anna'
sleep 0.01
prints "now" '{"frames":240,"tags":["night"],"takes":5,"title":"Harbour at night"}' on anna show shots/sc010 --at 0s
refuses "before there was anything" 3 "nothing was then at shots/sc010" on anna show shots/sc010 --at 3d
refuses "the future" 1 "lies in the future" on anna show shots/sc010 --at 2999-01-01T00:00:00Z
refuses "no time" 2 "is no time; write it like" on anna show shots/sc010 --at yesterday
refuses "a day that is none" 2 "is no time" on anna show shots/sc010 --at 2026-02-30T00:00:00Z
refuses "when?" 2 "as of when?" on anna show shots/sc010
zone=$(date -u -d "$t1 + 90 minutes" +%Y-%m-%dT%H:%M:%S.%3N+01:30)
prints "another zone" '"Harbour"' on anna show shots/sc010 /title --at "$zone"
works "diff" on anna diff shots/sc010 --from "$t1"
same "what is different" "$(sed 's/ at 20.*//' "$work/out")" '+ /tags  "night"  by bob
- /takes  2
+ /takes  5  by bob
- /title  "Harbour"
+ /title  "Harbour at night"  by bob'
prints "no difference" "" on anna diff shots/sc010 --from "$t1" --to "$t1"
same "diff --json" "$(on anna diff shots/sc010 /title --from "$t1" --json | json "j['equal'], [x['value'] for x in j['removed']], [x['value'] for x in j['added']]")" \
    "(False, ['Harbour'], ['Harbour at night'])"
refuses "since when?" 2 "since when?" on anna diff shots/sc010
refuses "a diff of nothing" 3 "at either time" on anna diff shots/none --from 1h

# ---- a deleted document comes back

t2=$(moment)
works "delete" on anna delete shots/sc011
refuses "it is gone" 3 "" on anna get shots/sc011
works "its log is there" on anna log shots/sc011
same "and tells who deleted it" "$(sed -n 's/ *(all of it)//p' "$work/out")" "    delete"
works "restore it" on anna restore-doc shots/sc011 --at "$t2"
prints "it is back" '{"title":"Market"}' on anna get shots/sc011

# ---- restore while another writes: what it writes stays as a rival

works "anna has all" on anna wait --timeout 20s
works "bob has all" on bob wait --timeout 20s
stop bob
works "anna restores" on anna restore-doc shots/sc010 --at "$t1"
prints "it is as it was" '{"frames":240,"takes":2,"title":"Harbour"}' on anna get shots/sc010
works "once more" on anna restore-doc shots/sc010 --at "$t1"
same "nothing to do" "$(cat "$work/err")" "saker: it shows that already; nothing was written"
stop anna
start bob
works "bob writes at the same time" on bob set shots/sc010 /title '"Harbour at dawn"'
works "bob counts at the same time" on bob incr shots/sc010 /takes 10
prints "no conflict yet" "0 places in conflict" on bob conflicts
start anna --seed "${addresses[bob]}"
works "together" on anna wait --timeout 20s
works "both have all" on bob wait --timeout 20s
prints "every increment counts" 12 on anna get shots/sc010 /takes
prints "and at bob" 12 on bob get shots/sc010 /takes

# ---- conflicts: both list the same

same "one conflict" "$(on anna conflicts | tail -n 1)" "1 place in conflict"
on anna conflicts --json >"$work/ca"
on bob conflicts --json >"$work/cb"
if cmp -s "$work/ca" "$work/cb"; then ok; else not_ok "the lists differ: $(cat "$work/ca" "$work/cb")"; fi
same "who wrote what over what" "$(json "j['document'], j['pointer'], sorted ((r['author'], r['value'], r['over'][0]['value'], r['over'][0]['author']) for r in j['rivals'])" <"$work/ca")" \
    "('sc010', '/title', [('anna', 'Harbour', 'Harbour at night', 'bob'), ('bob', 'Harbour at dawn', 'Harbour at night', 'bob')])"
works "as a table" on bob conflicts shots
same "two rivals, heading and count" "$(wc -l <"$work/out")" 4
refuses "in no collection" 3 "no collection called other" on bob conflicts other
works "show it" on bob conflicts show shots/sc010 /title
same "its base is told twice" "$(grep -c '^       over "Harbour at night" by bob at 20' "$work/out")" 2
same "in the status" "$(on bob status --json | json "j['collections']['shots']['conflicts'], j['data']['conflicts']")" "(1, 1)"
refuses "a rival that is not there" 1 "there are 2 rivals there, no number 3" on bob conflicts take shots/sc010 /title 3
refuses "no number" 2 "is no number of a rival" on bob conflicts take shots/sc010 /title x
refuses "no conflict" 3 "no conflict at shots/sc010 /frames" on bob conflicts take shots/sc010 /frames 1
refuses "nothing to show" 3 "no conflict at shots/sc011" on bob conflicts show shots/sc011
refuses "a word that is unknown" 2 "usage: saker conflicts" on bob conflicts frob shots/sc010
wanted=$(on bob conflicts show shots/sc010 /title --json | json "j['rivals'][1]['value']")
works "take the second" on bob conflicts take shots/sc010 /title 2
works "it is everywhere" on bob wait --timeout 20s
prints "anna sees it" "\"$wanted\"" on anna get shots/sc010 /title
prints "settled at anna" "0 places in conflict" on anna conflicts
prints "settled at bob" "0 places in conflict" on bob conflicts
same "settled in the status" "$(on anna status --json | json "j['collections']['shots']['conflicts'], j['data']['conflicts']")" "(0, 0)"

# ---- a type clash, and a merge

t3=$(moment)
stop bob
works "a value" on anna set shots/sc010 /size 5
works "a map of another" on anna set shots/sc010 /lens '{"mm": 35}'
stop anna
start bob
works "a map" on bob set shots/sc010 /size '{"x": 1, "y": 2}'
works "a value for the map" on bob set shots/sc010 /lens '"wide"'
works "a set" on bob add shots/sc010 /tags '"dawn"'
start anna --seed "${addresses[bob]}"
works "together again" on anna wait --timeout 20s
works "all is everywhere" on bob wait --timeout 20s
same "two clashes" "$(on anna conflicts shots --json | json_lines && on anna conflicts shots | tail -n 1)" "2 places in conflict"
number=$(on anna conflicts show shots/sc010 /size --json | json "[r['n'] for r in j['rivals'] if r['cell'] == 'map'][0]")
works "take the map" on anna conflicts take shots/sc010 /size "$number"
prints "its keys are there" '{"x":1,"y":2}' on anna get shots/sc010 /size
works "merge" on anna conflicts merge shots/sc010 /lens '{"mm": 35, "name": "wide"}'
prints "the new value" '{"mm":35,"name":"wide"}' on anna get shots/sc010 /lens
works "settled" on anna wait --timeout 20s
prints "no conflict at bob" "0 places in conflict" on bob conflicts
works "verify" on anna verify
same "the past is the same on both" "$(on anna show shots/sc010 --at "$t3" --json | json "j['data'], j['rivals']")" \
    "$(on bob show shots/sc010 --at "$t3" --json | json "j['data'], j['rivals']")"
works "log of a type clash" on anna log shots/sc010 /size
stop anna bob
finish
