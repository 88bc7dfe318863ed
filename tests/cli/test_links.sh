#!/usr/bin/env bash
# How this peer reaches the others: links, ping, the graph, peers again and again, and the one screen of status.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
all_hear () { [ "$(on "$1" graph --json | json "sum (1 for h in j['hears'] if h['both'])")" = "$2" ]; }
found anna
admit bob anna
on anna invite | on long join - --as 'Jürgen–Straße "日本語" & <b>, as long as names may be!!!!' >/dev/null || not_ok "join"
start long
works "written" on anna set shots/a /n 1
works "everywhere" on anna wait --all --timeout 60s
until_true "all hear all" all_hear anna 3

# ---- links

works "links" on anna links
same "a line a member and a heading" "$(wc -l <"$work/out")" 4
if grep -q '^bob  *tcp://127.*up$' "$work/out" && grep -q '^anna .* self$' "$work/out"; then ok; else not_ok "links: $(cat "$work/out")"; fi
if grep -q $'\033' "$work/out"; then not_ok "colours in a pipe"; else ok; fi
# columns WHAT: all lines have the link's state, which is last, at the same column of a terminal.
columns ()
{
    same "$1: columns" "$(python3 -c 'import sys, unicodedata
width = lambda text: sum (2 if unicodedata.east_asian_width (c) in "WF" else 1 for c in text)
print (len (set (width (line[:line.rindex (" ") + 1]) for line in sys.stdin.read ().splitlines ())))' <"$work/out")" 1
}
columns links
works "peers" on anna peers
columns peers
bob_tells_all ()
{
    [ "$(on bob links --json | json "sorted ((l['name'][:4], l['state'], l['greeted'], len (l['hears']), l['lag_ms'], abs (l['skew_ms'] or 0) < 5000) for l in j)")" = \
        "[('Jürg', 'up', True, 2, 0, True), ('anna', 'up', True, 2, 0, True), ('bob', 'self', False, 2, 0, True)]" ]
}
until_true "links --json" bob_tells_all

# ---- ping

works "ping" on anna ping bob
if grep -qE '^bob answered at tcp://127.0.0.1:[0-9]+ in ([0-9]\.[0-9]|0\.0[0-9]|[0-9]{2,}) ms$' "$work/out"; then ok; else not_ok "ping: $(cat "$work/out")"; fi
works "ping, twice" on anna ping bob --count 2
if grep -q '^2 of 2 answered; least ' "$work/out"; then ok; else not_ok "ping --count: $(cat "$work/out")"; fi
same "ping --json" "$(on bob ping anna --json | json "j['name'], j['rtt_us'] >= 0, sorted (j)")" \
    "('anna', True, ['address', 'id', 'name', 'rtt_us'])"
refuses "oneself" 2 "this peer itself" on anna ping anna
refuses "nobody" 3 "no member called dora" on anna ping dora
refuses "a bad count" 2 "is no number" on anna ping bob --count 0
kill -STOP "${pids[bob]}"
refuses "no answer" 12 "did not answer in time" on anna ping bob --timeout 300ms
kill -CONT "${pids[bob]}"
until_true "bob is back" on anna ping bob

# ---- graph

works "graph" on anna graph
if grep -q '^digraph saker {$' "$work/out" && [ "$(grep -c 'dir=none' "$work/out")" = 3 ] && grep -q '\\"日本語\\"' "$work/out"; then ok; else not_ok "graph: $(cat "$work/out")"; fi
if command -v dot >/dev/null; then works "dot takes it" dot -Tsvg -o "$work/dot.svg" "$work/out"; fi
works "graph --svg" on anna graph --svg
if python3 -c 'import sys, xml.dom.minidom as m
d = m.parse (sys.argv[1])
assert len (d.getElementsByTagName ("rect")) == 3 and len (d.getElementsByTagName ("line")) == 3' "$work/out"; then ok; else not_ok "svg: $(head -c 500 "$work/out")"; fi
same "graph --json" "$(on anna graph --json | json "len (j['members']), len (j['hears'])")" "(3, 3)"

# ---- peers again and again

refuses "too often" 2 "shortest" on anna peers --watch --every 10ms
exec {watching}< <(exec "$saker" --store "$work/anna" peers --watch --every 200ms --json 2>"$work/watch.err")
watcher=$!
lines=0
for ((i = 0; i < 3; i++)); do
    if read -r -t 20 -u "$watching" line && json "len (j)" <<<"$line" >/dev/null; then lines=$((lines + 1)); fi
done
same "a list each time" "$lines" 3
stop anna
while read -r -t 20 -u "$watching" line; do :; done
wait "$watcher" # it ends with the daemon
same "and an error in the end" "$?" 13
exec {watching}<&-
start anna

# ---- status

works "status" on anna status
for words in "^anna (admin) in studio, sakerd 0.1.0, up for " "^links " "^changes " "^disk " "^COLLECTION " "^shots "; do
    if grep -q "$words" "$work/out"; then ok; else not_ok "status lacks $words: $(cat "$work/out")"; fi
done
if [ "$(wc -l <"$work/out")" -le 24 ] && [ "$(wc -L <"$work/out")" -le 80 ]; then ok; else not_ok "status is larger than a screen: $(cat "$work/out")"; fi
works "many collections" bash -c "for i in \$(seq 30); do '$saker' --store '$work/anna' set c\$i/a /n 1 || exit 1; done"
works "status of many" on anna status
if [ "$(wc -l <"$work/out")" -le 24 ] && grep -q '^and 21 more: saker status --all$' "$work/out"; then ok; else not_ok "status of many: $(cat "$work/out")"; fi
works "status --all" on anna status --all
if grep -q '^collections:$' "$work/out" && grep -q '^  failed_commits: 0$' "$work/out"; then ok; else not_ok "status --all"; fi
finish
