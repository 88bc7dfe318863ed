# shellcheck shell=bash disable=SC2034
# What the tests of webhooks add to tests/cli/lib.sh: a receiver, and daemons that send.
# shellcheck source=tests/cli/lib.sh
[ "${work:-}" ] || . "${srcdir:-.}/tests/cli/lib.sh"

lease=3s bind= # where receivers listen
declare -A ports=()

# receive NAME [COMMAND...]: a receiver, as the command runs it; what it gets is in NAME.d/got.
receive ()
{
    local i
    mkdir -p "$work/$1.d"
    : >"$work/$1.d/got"
    "${@:2}" python3 "$top/tests/lib/receiver.py" "$work/$1.d" $bind 2>"$work/$1.log" &
    pids[$1]=$!
    disown
    for ((i = 0; i < 200; i++)); do
        [ -s "$work/$1.d/port" ] && break
        sleep 0.05
    done
    [ -s "$work/$1.d/port" ] || { not_ok "the receiver $1 does not start"; finish; }
    ports[$1]=$(<"$work/$1.d/port")
}

# answers NAME JSON: from now on.
answers ()
{
    printf '%s' "$2" >"$work/$1.d/answer.new"
    mv "$work/$1.d/answer.new" "$work/$1.d/answer"
}

url () { echo "http://${bind:-127.0.0.1}:${ports[$1]}/hook"; }

# got NAME EXPRESSION: a Python expression on `g`, the list of what it got; each has `b`, its body as JSON.
got ()
{
    python3 -c 'import collections, json, sys
g = [json.loads (line) for line in open (sys.argv[1])]
for r in g:
    r["b"] = json.loads (r["body"])
    r["id"] = r["headers"].get ("webhook-id")
ok = [r for r in g if r["status"] < 300]
docs = [r["b"]["data"]["document"] for r in ok]
distinct = {r["id"]: r["b"]["data"]["document"] for r in ok}
repeats = len (ok) - len (distinct)
print (eval (sys.argv[2]))' "$work/$1.d/got" "$2"
}
got_is () { [ "$(got "$1" "$2")" = "$3" ]; }

# sends NAME [LINE]...: the daemon of NAME sends webhooks, from its next start on.
sends ()
{
    local name=$1
    shift
    printf '%s\n' "hooks = hooks" "hooks-allow = 127.0.0.0/8" "hooks-lease = $lease" "$@" >"$work/$name/saker.conf"
}

# sender NAME [BY]: a member that sends, running.
sender ()
{
    if [ $# = 1 ]; then
        on "$1" init studio --as "$1" >/dev/null || not_ok "init"
    else
        on "$2" invite | on "$1" join - --as "$1" >/dev/null || not_ok "join of $1"
    fi
    sends "$1"
    start "$1"
}

# owner NAME HOOK: who sends, as NAME sees it.
owner () { on "$1" hooks show "$2" --json | json "j['sends']"; }
has_owner () { [ "$(owner "$1" "$2")" != None ]; }

# write NAME COUNT: so many documents of shots, each of them new; all_came: to the receiver farm.
written=0
write ()
{
    local i
    for ((i = 0; i < $2; i++)); do
        written=$((written + 1))
        on "$1" set "shots/$1-$written" "{\"n\": $written}" || not_ok "write at $1"
    done
}
all_came () { got_is farm "len (distinct)" "$written"; }

# calm: no daemon of a sanitized build complained. After they have ended.
calm ()
{
    if grep -qE "Sanitizer|runtime error" "$work"/*.log; then not_ok "a daemon complains: $(grep -hE "Sanitizer|runtime error" "$work"/*.log | head -3)"; else ok; fi
}

# status_of URL [FILE [HEADER]...]: of a GET, or of a POST of the file.
status_of ()
{
    python3 -c 'import http.client, sys, urllib.parse
url = urllib.parse.urlsplit (sys.argv[1])
c = http.client.HTTPConnection (url.netloc, timeout = 30)
body = open (sys.argv[2], "rb").read () if len (sys.argv) > 2 else None
try:
    c.request ("POST" if body is not None else "GET", url.path, body, dict (h.split (": ", 1) for h in sys.argv[3:]))
except BrokenPipeError:
    pass # it was answered before all was sent
print (c.getresponse ().status)' "$@"
}
