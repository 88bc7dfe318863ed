#!/usr/bin/env bash
# gc: the log of what all have stored goes; what holds it back is named; who comes late takes a snapshot.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

# until_s SECONDS WHAT COMMAND: succeeds in time.
until_s ()
{
    local end=$((SECONDS + $1))
    until eval "$3"; do
        if [ "$SECONDS" -ge "$end" ]; then not_ok "$2"; return; fi
        sleep 0.2
    done
    ok
}

found anna
admit bob anna
for i in 1 2 3 4 5 6 7 8; do on anna set shots/sc010 /n "$i" >/dev/null || not_ok "set"; done
works "all have stored it" on anna wait --all --timeout 20s

# ---- history is kept, 30 days unless set

works "gc keeps history" on anna gc --json
same "nothing went" "$(json "j['plan'], j['cut'], j['logs'][0]['changes'], j['logs'][0]['held_by']" <"$work/out")" \
    "(False, 0, 8, 'history')"
works "as text" on anna gc --plan
if grep -q '^shots *8 .* history: the next change is of 20' "$work/out"; then ok; else not_ok "plan: $(cat "$work/out")"; fi

# ---- without history it goes by itself

keep_nothing anna
until_s 20 "the log of anna is empty" 'on anna status --json | json "j[\"log\"][\"bytes\"]" | grep -qx 0'
same "bob keeps his" "$(on bob gc --json | json "j['cut'], j['logs'][0]['changes']")" "(0, 8)"
prints "what was written stays" 8 on anna get shots/sc010 /n

# ---- who is away holds it back, and is named

stop bob
for i in 1 2 3 4 5; do on anna set shots/sc011 /n "$i" >/dev/null || not_ok "set"; done
works "gc waits for bob" on anna gc --json
same "bob holds it" "$(json "[(l['held_by'], h['peer'], h['why'], h['missing'], h['since_ms'] > 0, h['bytes'] == l['bytes'] > 0)
    for l in j['logs'] for h in l['holders']]" <"$work/out")" "[('member', 'bob', 'behind', 5, True, True)]"
works "as text" on anna gc --plan
if grep -q 'bob is not known to have 5 changes; its last report that counts is of 20.* wait for it' "$work/out"
then ok; else not_ok "plan: $(cat "$work/out")"; fi
stop anna
start anna
works "gc of a daemon that has heard nobody" on anna gc --plan
if grep -q 'bob was not heard since this daemon started; .* wait for it' "$work/out"
then ok; else not_ok "plan: $(cat "$work/out")"; fi

# ---- a cursor below the cut is told; a newcomer takes a snapshot

start bob --seed "${addresses[anna]}"
works "a cursor" on anna watch shots --from late --count 0
works "a change" on anna set shots/sc012 /n 1
until_s 30 "the log of anna is empty again" 'on anna gc --json | json "j[\"logs\"][0][\"changes\"]" | grep -qx 0'
refuses "a cursor below the cut" 19 "" on anna watch shots --from late --count 1 --timeout 5s
stop bob # whose log is whole
admit carol anna
until_s 30 "carol reads" '[ "$(on carol get shots/sc010 /n 2>/dev/null)" = 8 ]'
same "by a snapshot" "$(on carol status --json | json "j['sessions']['snapshots'] > 0")" True
start bob --seed "${addresses[anna]}"
until_s 30 "all hold the same" 'on carol verify --timeout 2s >/dev/null 2>&1'
works "gc while all are there" on carol gc

refuses "one word too many" 2 "one word too many" on anna gc shots
refuses "a bad history" 1 "history" "$sakerd" --check-config --config <(echo 'history = 5 weeks')
refuses "a bad size" 1 "history-size" "$sakerd" --check-config --config <(echo 'history-size = lots')
works "good ones" "$sakerd" --check-config --config <(printf 'history = 12h\nhistory-size = 200M\n')
finish
