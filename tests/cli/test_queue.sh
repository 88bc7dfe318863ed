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
refuses "sent, and refused again" 5 "1 of 1 batch refused, first number " on bob queue "$queue.bob" send
prints "it is told on stdout, too" "0 written, 1 refused" cat "$work/out"
on bob queue "$queue.bob" retry refused 2>/dev/null
on bob queue "$queue.bob" send >/dev/null 2>"$work/err"
if grep -q "(load/.*): .*only.*kept in the queue: saker queue $queue.bob lists it; once it is mended, saker queue $queue.bob retry refused" "$work/err"; then ok; else not_ok "send: $(cat "$work/err")"; fi
prints "there is nothing more to send" "0 written, 0 refused" on bob queue "$queue.bob" send
works "let go of the others" on bob queue "$queue.bob" list --json
for number in $(sed '$d' "$work/out" | grep -oE '"number":[0-9]+' | cut -d: -f2); do on bob queue "$queue.bob" drop "$number" || not_ok "drop"; done
works "retry it again" on bob queue "$queue.bob" retry refused
works "bob may write again" on anna role bob write
may_write () { on bob set notes/a /n 1 >/dev/null 2>&1; }
until_true "bob hears of it" may_write
prints "send what was retried" "1 written, 0 refused" on bob queue "$queue.bob" send
works "drop the rest" on bob queue "$queue.bob" drop refused
prints "nothing is left" "" on bob queue "$queue.bob"

# One batch that the disk has damaged: the others are sent, and it is told until it is dropped.
stop bob
"$build/tests/relay/queuer" "$work/bob" "$queue.hurt" hurt >"$work/queuer.log" 2>&1 &
pids[queuer]=$!
hurt_put () { [ "$(cat "$queue.hurt.next" 2>/dev/null)" -gt 9 ] 2>/dev/null; }
until_true "the application puts" hurt_put
kill -KILL "${pids[queuer]}"
wait "${pids[queuer]}" 2>/dev/null
unset "pids[queuer]"
on bob queue "$queue.hurt" --json >"$work/before" || not_ok "list"
same "bytes are flipped" "$(python3 - "$queue.hurt/data.mdb" <<'P'
import sys
with open (sys.argv[1], 'r+b') as file:
    data = file.read ()
    at, count = data.find (b'hurt-5'), 0
    while at >= 0:
        if not data[at + 6:at + 7].isdigit ():
            file.seek (at)
            file.write (b'X')
            count += 1
        at = data.find (b'hurt-5', at + 1)
print (count > 0)
P
)" True
works "list" on bob queue "$queue.hurt" --json
same "one is damaged, and none is missing" "$(wc -l <"$work/out") $(grep -c '"state":"refused"' "$work/out") $(grep -c '"code":10' "$work/out")" "$(wc -l <"$work/before") 1 1"
number=$(grep '"code":10' "$work/out" | json "j['number']")
refuses "it is not sent" 10 "damaged and cannot be sent" on bob queue "$queue.hurt" retry "$number"
start bob --seed "${addresses[anna]}"
counted=$(on bob get load/total /count)
refuses "the others are" 10 "1 batch of the queue is damaged on the disk, first number $number, and kept aside" on bob queue "$queue.hurt" send
sent=$(($(wc -l <"$work/before") - 1))
prints "which is told" "$sent written, 0 refused, 1 damaged" cat "$work/out"
prints "they are there" "$((counted + sent))" on bob get load/total /count
works "it is dropped" on bob queue "$queue.hurt" drop "$number"
prints "all is well" "0 written, 0 refused" on bob queue "$queue.hurt" send

finish
