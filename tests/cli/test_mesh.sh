#!/usr/bin/env bash
# Peers together: tickets and their misuse, peers, wait, verify, watch, rivals.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

found anna

# ---- tickets

ticket=$(on anna invite --role write --expires 1h) || not_ok "invite"
same "a ticket is one word" "$(wc -w <<<"$ticket")" 1
works "join by argument" on bob join "$ticket" --as bob
start bob
refuses "a ticket twice" 1 "used already" on dora join "$ticket" --as dora --timeout 60s
if [ -e "$work/dora" ]; then not_ok "a store is left behind"; else ok; fi
late=$(on anna invite --expires 1s)
sleep 1.1
refuses "a ticket that is late" 1 "expired" on dora join "$late" --timeout 60s
cut=$(on anna invite)
refuses "a ticket that is cut" 1 "" on dora join "${cut:0:40}" --timeout 60s
flipped=${cut:0:60}$(tr 'A-Za-z0-9_-' 'B-ZAb-za1-90AA' <<<"${cut:60:1}")${cut:61}
refuses "a ticket with a wrong letter" 1 "" on dora join "$flipped" --timeout 60s
refuses "no ticket" 2 "one ticket" on dora join
refuses "two tickets" 2 "one ticket" on dora join "$cut" --ticket-file x
refuses "a role that does not exist" 2 "king" on anna invite --role king
printf '\n  %s  \n' "$cut" >"$work/ticket"
works "join by file" on carol join --ticket-file "$work/ticket" --as carol
start carol
same "invite --json" "$(on anna invite --json | json "sorted (j)")" "['expires_ms', 'role', 'ticket']"
refuses "invite without the right" 5 "" on bob invite
same "only a text file of tickets" "$(on anna invite --role read | wc -l)" 1

# ---- peers

works "wait for all" on anna wait --all --timeout 60s
same "peers" "$(on anna peers --json | json "sorted ((p['name'], p['role']) for p in j)")" \
    "[('anna', 'admin'), ('bob', 'write'), ('carol', 'write')]"
same "this peer is self" "$(on bob peers --json | json "[p['name'] for p in j if p['link'] == 'self']")" "['bob']"
works "peers as a table" on anna peers
same "a line a peer and a heading" "$(wc -l <"$work/out")" 4

# ---- writing here, reading there

works "set" on anna set shots/sc010 '{"title": "Harbour"}'
works "wait on two" on anna wait --on bob,carol --stored --timeout 60s
prints "read at bob" '{"title":"Harbour"}' on bob get shots/sc010
prints "read at carol" '"Harbour"' on carol get shots/sc010 /title
same "wait --json" "$(on anna wait --json | json "j['stored']")" True
refuses "wait on nobody" 3 "nobody" on anna wait --on nobody
works "who wrote it" on bob get shots/sc010 --who
if grep -q '/title *"Harbour" *anna ' "$work/out"; then ok; else not_ok "bob does not see that anna wrote it"; fi

# ---- watch

works "a named cursor" on bob watch shots --from test --count 0
works "a change" on anna set shots/sc011 '{"title": "Market"}'
works "another collection" on anna set other/x '{"n": 1}'
works "watch it" on bob watch shots --from test --count 1 --timeout 60s
if grep -q 'Z shots/sc011 anna$' "$work/out"; then ok; else not_ok "watch: $(cat "$work/out")"; fi
refuses "the cursor moved" 12 "" on bob watch shots --from test --count 1 --timeout 100ms
works "two documents" on anna import shots - --key id <<<$'{"id": "a1"}\n{"id": "a2"}'
same "watch --json" "$(on bob watch --from test --count 2 --timeout 60s --json | tail -n 2 | json_lines && echo good)" good
on bob watch --from test --reset --count 0
refuses "after --reset nothing is new" 12 "" on bob watch --from test --count 1 --timeout 100ms
exec {watching}< <(exec "$saker" --store "$work/carol" watch shots --from live --count 1 --timeout 60s)
# the cursor of a running watch starts when it connects: write until it sees something
for ((i = 0; i < 100; i++)); do
    on anna set shots/live /n "$i"
    if read -r -t 0.2 -u "$watching" line; then break; fi
done
if [[ $line == *"shots/live anna" ]]; then ok; else not_ok "a live watch: $line"; fi
exec {watching}<&-
refuses "--reset without a name" 2 "needs --from NAME" on bob watch --reset
refuses "a count that is no number" 2 "is no number" on bob watch --count x

# ---- verify

works "all have all" on anna wait --timeout 60s
works "verify" on anna verify --timeout 60s
same "its last line" "$(tail -n 1 "$work/out" | sed 's/ documents.*//')" "same: 3 peers, 2 collections, 6"
same "verify --json" "$(on bob verify shots --json | json "j['same'], j['peers'], j['documents'], len (set (v['fingerprint'] for v in j['verdicts']))")" \
    "(True, 3, 5, 1)"
refuses "verify of no collection" 3 "" on bob verify none

# ---- apart: rivals are kept, nothing is lost

stop bob carol
works "anna alone" on anna set shots/sc010 /title '"Harbour at night"'
works "anna counts" on anna incr shots/sc010 /takes 2
refuses "nobody can store it" 12 "bob" on anna wait --timeout 200ms
refuses "verify with one peer" 13 "" on anna verify shots --timeout 500ms
stop anna
start bob # at an address that nobody knows
works "bob alone" on bob set shots/sc010 /title '"Harbour at dawn"'
works "bob counts" on bob incr shots/sc010 /takes 3
works "bob adds" on bob add shots/sc010 /tags '"dawn"'
start anna --seed "${addresses[bob]}"
start carol --seed "${addresses[bob]}"
works "together again" on anna wait --timeout 60s
works "bob's is everywhere" on bob wait --timeout 60s
works "verify again" on carol verify --timeout 60s
prints "every increment counts" 5 on carol get shots/sc010 /takes
works "one is shown" on carol get shots/sc010
if grep -q '1 rival value is kept' "$work/err" && grep -q 'rival at /title: "Harbour at [a-z]*" by [a-z]* at 20' "$work/err"; then ok; else
    not_ok "rivals are not told: $(cat "$work/err")"; fi
same "both are in --json" \
    "$(on carol get shots/sc010 --json | json "sorted ([j['data']['title']] + [r['value'] for r in j['rivals']])")" \
    "['Harbour at dawn', 'Harbour at night']"
works "settle" on carol set shots/sc010 /title '"Harbour at dusk"'
works "settled everywhere" on carol wait --timeout 60s
same "no rivals" "$(on anna get shots/sc010 --json | json "j['data']['title'], j['rivals']")" "('Harbour at dusk', [])"
if cmp -s <(on anna export shots) <(on bob export shots); then ok; else not_ok "exports differ"; fi

# ---- a ticket is not wasted on a store that is there already

ticket=$(on anna invite)
refuses "join on a store that is there" 4 "" on carol join "$ticket" --as carol
same "nobody came" "$(on anna peers --json | json "len (j)")" 3
works "the ticket is still good" on dora join "$ticket" --as dora
stop anna bob carol
finish
