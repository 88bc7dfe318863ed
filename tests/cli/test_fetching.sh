#!/usr/bin/env bash
# While a collection is on its way to a peer, nothing says that there is nothing in it: get, list, export,
# watch, delete, why, HTTP, Python; after kill -9 in the midst of it, with and without somebody to fetch it
# from; and it ends when it is here, or when nobody has anything.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
carries () { [ "$(on "$1" subscribe --json | json "[c['state'] for c in j['collections'] if c['collection'] == '$2']")" = "['$3']" ]; }
kill_hard () # PEER
{
    kill -KILL "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null
    unset "pids[$1]" "pipes[$1]"
}
# answers WANTED METHOD PATH: the status of a request to bob's gateway, and Retry-After where it has one.
answers ()
{
    local got
    got=$(python3 -c '
import http.client, socket, sys
class Local (http.client.HTTPConnection):
    def connect (self):
        self.sock = socket.socket (socket.AF_UNIX)
        self.sock.connect (sys.argv[1])
c = Local ("localhost", timeout = 30)
body = b"{\"n\": 9}" if sys.argv[2] == "PUT" else None
c.request (sys.argv[2], sys.argv[3], body, 
           {"Authorization": "Bearer " + sys.argv[4], **({"Content-Type": "application/json", "If-None-Match": "*"} if body else {})})
r = c.getresponse ()
print (r.status, *[r.getheader ("Retry-After"), r.getheader ("Content-Type")][:2 if r.status == 503 else 0])' \
        "$work/bob/run/http" "$2" "$3" "$token")
    [ "$got" = "$1" ] || { echo "$2 $3: $got, not $1" >&2; false; }
}
later="503 1 application/problem+json"

found anna
admit bob anna
works "a document" on anna set shots/a '{"n": 1}'
python3 -c '
import json
for n in range (300):
    print (json.dumps ({"id": "d%d" % n, "n": n, "text": "x" * 50000}))' >"$work/many.json"
works "large ones" on anna import shots "$work/many.json" --key id
until_true "bob has the last" has_n bob shots/d299 299
works "bob leaves shots" on bob unsubscribe shots --timeout 60s
until_true "it has left it" carries bob shots left

# ---- on its way: anna does not answer, for now

stop bob
printf 'gateway-listen = unix\n' >"$work/bob/saker.conf"
token=$(on bob token add tests --role write)
start bob --seed "${addresses[anna]}"
until_true "they are linked" link_is bob anna up
kill -STOP "${pids[anna]}"
works "bob subscribes" on bob subscribe shots
nothing_yet () # WHEN
{
    works "$1: it is being fetched" carries bob shots fetching
    refuses "$1: a document" 22 "not all of shots is here yet" on bob get shots/a
    refuses "$1: that nobody ever made" 22 "not all of shots is here yet" on bob get shots/nobody
    refuses "$1: the list" 22 "not all of shots is here yet" on bob ls shots
    refuses "$1: the export" 22 "not all of shots is here yet" on bob export shots
    refuses "$1: to watch it" 22 "not all of shots is here yet" on bob watch shots --timeout 1s
    refuses "$1: to delete" 22 "not all of shots is here yet" on bob delete shots/a
    works "$1: a document by HTTP" answers "$later" GET /v1/collections/shots/documents/a
    works "$1: the list" answers "$later" GET /v1/collections/shots/documents
    works "$1: the feed" answers "$later" GET /v1/collections/shots/changes
    works "$1: what is made if there is nothing" answers "$later" PUT /v1/collections/shots/documents/a
    refuses "$1: why" 22 "is not at bob: fetched" on bob why shots/a
}
nothing_yet "at once"
kill_hard bob
start bob
nothing_yet "after kill -9, and nobody is there"
works "others are as before" on bob ls
works "what is written meanwhile" on bob set shots/new '{"n": 7}'
works "is there" has_n bob shots/new 7
works "also by HTTP" answers 200 GET /v1/collections/shots/documents/new
works "a list gives what is here" eval 'on bob ls shots >"$work/list"; [ $? = 22 ] && grep -q "^new" "$work/list"'
works "and an export" eval 'on bob export shots >"$work/list"; [ $? = 22 ] && grep -q "\"id\":\"new\"" "$work/list"'

# ---- killed in the midst of it: never "there is nothing"

kill_hard bob
kill -CONT "${pids[anna]}"
sound=0
for round in 1 2 3; do
    start bob --seed "${addresses[anna]}"
    for ((i = 0; i < 100; i++)); do
        on bob get shots/d$((round * 20)) /n >/dev/null 2>&1 && break
        sleep 0.02
    done
    kill_hard bob
    kill -STOP "${pids[anna]}"
    start bob
    for n in 0 60 120 180 240 299; do
        on bob get "shots/d$n" /n >"$work/value" 2>/dev/null
        status=$?
        if { [ "$status" = 0 ] && [ "$(cat "$work/value")" = "$n" ]; } || [ "$status" = 22 ]; then
            sound=$((sound + 1))
        else
            not_ok "round $round: d$n: exit status $status"
        fi
    done
    kill_hard bob
    kill -CONT "${pids[anna]}"
done
same "each was there or on its way" "$sound" 18

# ---- it ends

start bob --seed "${addresses[anna]}"
until_true "all of it comes" carries bob shots carried
works "the first" has_n bob shots/a 1
works "the last" has_n bob shots/d299 299
refuses "and now there is nothing else" 3 "nothing at" on bob get shots/nobody
works "also by HTTP" answers 404 GET /v1/collections/shots/documents/nobody
works "the feed" answers 200 GET /v1/collections/shots/changes
works "the list is whole" on bob ls shots
works "bob watches" eval 'on bob watch shots --timeout 1s; [ $? = 12 ]'
works "all is equal" on bob verify shots --timeout 30s

# ---- what nobody has

works "bob subscribes to what is nowhere" on bob subscribe --only shots plans --timeout 60s
until_true "that is known soon" carries bob plans empty
refuses "and nothing is there" 3 "no collection called plans" on bob get plans/a
works "bob makes it" on bob set plans/a '{"n": 1}'
until_true "anna has it" has_n anna plans/a 1

# ---- a part of it

works "bob carries a part" on bob carry shots d1
until_true "the rest is removed" eval 'on bob carry shots >"$work/list" && ! grep -q "removing" "$work/list"'
refuses "which is told" 21 "does not carry shots/d2" on bob get shots/d2
kill -STOP "${pids[anna]}"
works "bob wants more" on bob carry shots d1 d2
works "what was here is read" has_n bob shots/d1 1
refuses "what is wanted comes" 22 "not here yet" on bob get shots/d2
refuses "the list is not whole" 22 "not all is here yet" on bob ls shots
kill_hard bob
kill -CONT "${pids[anna]}"
start bob --seed "${addresses[anna]}"
until_true "it has come" has_n bob shots/d2 2
until_true "the list is whole" on bob ls shots
finish
