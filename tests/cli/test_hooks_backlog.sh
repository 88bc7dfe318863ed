#!/usr/bin/env bash
# Much at once, nothing kept, killed in the middle: what waits for its receiver is not lost when the history goes, and a
# change of many documents goes on where it stopped.
# shellcheck source=tests/cli/hooks.sh
. "${srcdir:-.}/tests/cli/hooks.sh"
lease=3s patience_s=20

receive farm
sender anna
sender bob anna
for name in anna bob; do keep () { echo "history = 0" >>"$work/$1/saker.conf"; kill -HUP "${pids[$1]}"; }; keep "$name"; done
works "a subscription" on anna hooks add farm "$(url farm)" --collection shots --backoff 200ms --attempts 50
until_true "somebody sends" has_owner anna farm
all_came () { got_is farm "len (distinct)" "$1"; }

# ---- one change of many documents, and a kill in its middle

python3 -c 'import json
print ("\n".join (json.dumps ({"id": f"doc-{i}", "n": i}) for i in range (400)))' >"$work/many.jsonl"
answers farm '{"stall": 0.05}'
who=$(owner anna farm)
other=$([ "$who" = anna ] && echo bob || echo anna)
works "400 documents" on "$who" import shots "$work/many.jsonl" --key id
until_true "some came" eval '[ "$(got farm "len (ok) >= 20")" = True ]'
gone () { [ "$(on "$1" gc --plan --json | json "[l['changes'] for l in j['logs'] if l['collection'] == 'shots']")" = "[0]" ]; }
for name in anna bob; do until_true "the history of $name is gone" gone "$name"; done
kill -KILL "${pids[$who]}"
read -r -t "$ready_s" -u "${pipes[$who]}" _
unset "pids[$who]"
before=$(got farm "len (distinct)")
if [ "$before" -lt 390 ]; then ok; else not_ok "nearly all came before the kill: $before"; fi
answers farm '{}'
patience_s=30
until_true "the other one goes on" all_came 400
if grep -q "events are sent of what the documents show" "$work"/*.log; then ok; else not_ok "there was no gap"; fi
if [ "$(got farm repeats)" -le 1 ]; then ok; else not_ok "$(got farm repeats) repeats"; fi
start "$who"

# ---- the receiver is down, the history goes, the sender is killed; nothing is lost

answers farm '{"status": 503}'
for i in $(seq 60); do on "$other" set "shots/later-$i" "{\"n\": $i}" || not_ok "set"; done
waiting () { on anna hooks show farm --json | json "j['waiting']"; }
until_true "all wait" eval '[ "$(waiting)" = 60 ]'
works "all is everywhere" on anna wait --all --timeout 30s
for name in anna bob; do until_true "the history of $name is gone" gone "$name"; done
who=$(owner anna farm)
kill -KILL "${pids[$who]}"
read -r -t "$ready_s" -u "${pipes[$who]}" _
unset "pids[$who]"
start "$who"
answers farm '{}'
until_true "all came" all_came 460
same "in order of each document" "$(got farm "len ({d for d in distinct.values () if d.startswith ('later-')})")" 60
until_true "none waits" eval '[ "$(waiting)" = 0 ]'
same "none is dead" "$(on anna hooks dead farm --json)" ""
stop anna bob
calm
finish
