#!/usr/bin/env bash
# The queue of an application as people look at it.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

queue=$work/queue
refuses "a folder that is not there" 3 "holds no queue" "$saker" queue "$queue"
refuses "a number that is none" 2 "usage: saker queue FOLDER" "$saker" queue "$queue" frob

# An application that puts as fast as it can, and is killed: no daemon has run.
found anna
stop anna
"$build/tests/relay/queuer" "$work/anna" "$queue" client >"$work/queuer.log" 2>&1 &
pids[queuer]=$!
put_some () { [ "$(cat "$queue.next" 2>/dev/null)" -gt 20 ] 2>/dev/null; }
until_true "the application puts" put_some
refuses "a queue that is in use" 9 "is open in process ${pids[queuer]}" "$saker" queue "$queue"
kill -KILL "${pids[queuer]}"
wait "${pids[queuer]}" 2>/dev/null
unset "pids[queuer]"

works "list" on anna queue "$queue"
if grep -qE '^1 .* load/total .* 2 +waits' "$work/out"; then ok; else not_ok "list: $(head -n 3 "$work/out")"; fi
works "list as JSON" on anna queue "$queue" list --json
waiting=$(wc -l <"$work/out")
same "the first" "$(head -n 1 "$work/out" | json "j['number'], j['state'], j['operations'], bytes.fromhex (j['operation'])")" \
    "(1, 'waits', 2, b'client-1')"
works "drop" on anna queue "$queue" drop 1
refuses "drop again" 3 "no batch 1" on anna queue "$queue" drop 1
refuses "retry what waits" 2 "was not refused" on anna queue "$queue" retry 2
refuses "no number" 2 "is no number of a batch" on anna queue "$queue" drop first
refuses "send without a daemon" 13 "$((waiting - 1)) batches wait in the queue: no daemon answers" \
    on anna queue "$queue" send --timeout 100ms

start anna
prints "send" "$((waiting - 1)) written, 0 refused" on anna queue "$queue" send
prints "the counter" "$((waiting - 1))" on anna get load/total /count
prints "an empty queue" "" on anna queue "$queue"

# What the daemon refuses: a device that may not write any more.
admit bob anna
"$build/tests/relay/queuer" "$work/bob" "$queue.bob" bobs >"$work/queuer.log" 2>&1 &
pids[queuer]=$!
bob_wrote () { on bob get load/bobs >/dev/null 2>&1; }
until_true "bob's application writes" bob_wrote
works "bob may only read" on anna role bob read
sees_refused () { grep -q "refused: .*may only read\|refused: .*only write" "$work/queuer.log"; }
until_true "the application is refused" sees_refused
kill -TERM "${pids[queuer]}"
wait "${pids[queuer]}"
unset "pids[queuer]"
works "what was refused" on bob queue "$queue.bob" --json
refused=$(head -n 1 "$work/out" | json "j['number']")
same "its error" "$(head -n 1 "$work/out" | json "j['state'], j['error']['code']")" "('refused', 5)"
works "retry" on bob queue "$queue.bob" retry "$refused"
works "bob may write again" on anna role bob write
may_write () { on bob set notes/a /n 1 >/dev/null 2>&1; }
until_true "bob hears of it" may_write
prints "send what was retried" "1 written, 0 refused" on bob queue "$queue.bob" send
works "drop the rest" on bob queue "$queue.bob" drop refused
prints "nothing is left" "" on bob queue "$queue.bob"

finish
