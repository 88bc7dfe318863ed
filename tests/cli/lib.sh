# shellcheck shell=bash disable=SC2034
# What the tests of the tools share: a folder of their own, daemons on 127.0.0.1 at free ports, counting.
# A test sources this file from the build folder and ends with `finish`. Whatever happens, its
# daemons are stopped by their process ids and its folder is removed.

set -u
export LC_ALL=C.UTF-8
unset SAKER_STORE NO_COLOR NOTIFY_SOCKET JOURNAL_STREAM
top=$(cd "${srcdir:-.}" && pwd)
build=${SAKER_BUILD:-$PWD}
export LD_LIBRARY_PATH="$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
saker=$build/.libs/saker
sakerd=$build/.libs/sakerd
ready_s=60    # the longest that a daemon may take on a busy machine
patience_s=30 # so long until_true tries

work=$(mktemp -d "${TMPDIR:-/tmp}/saker-cli-XXXXXX")
declare -A pids=() pipes=() addresses=()
passed=0 failed=0 skipped=0

# terminal WORD...: of a tmux of this test's own.
terminal () { tmux -f /dev/null -S "$work/terminal" "$@"; }

end_processes ()
{
    local name
    if [ -S "$work/terminal" ]; then terminal kill-server 2>/dev/null; fi
    for name in "${!pids[@]}"; do
        kill -KILL "${pids[$name]}" 2>/dev/null
    done
}
clean_up ()
{
    end_processes
    cd / && rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

ok () { passed=$((passed + 1)); }
not_ok ()
{
    failed=$((failed + 1))
    echo "not ok: $*"
}
skip ()
{
    skipped=$((skipped + 1))
    echo "skipped: $*"
}

finish ()
{
    local log
    if [ "$failed" -gt 0 ]; then
        for log in "$work"/*.log; do
            [ -s "$log" ] && { echo "---- ${log##*/}"; tail -n 20 "$log"; }
        done
    fi
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -gt 0 ] && exit 1
    [ "$passed" -gt 0 ] && exit 0
    exit 77
}

# launch NAME COMMAND...: the command is, in the end, a sakerd; waits until it can be reached.
launch ()
{
    local name=$1 line fd
    shift
    exec {fd}< <(exec "$@" 2>>"$work/$name.log")
    pids[$name]=$!
    pipes[$name]=$fd
    if ! read -r -t "$ready_s" -u "$fd" line || [[ $line != "sakerd: ready"* ]]; then
        not_ok "the daemon of $name does not start"
        finish
    fi
    addresses[$name]=${line#sakerd: ready on }
}

# start NAME [OPTION]...: a daemon on the store NAME.
start ()
{
    local name=$1
    shift
    launch "$name" "$sakerd" --store "$work/$name" --listen tcp://127.0.0.1:0 --no-beacon "$@"
}

# stop NAME...: ends daemons and waits until they are gone.
stop ()
{
    local name fd
    for name in "$@"; do
        kill -TERM "${pids[$name]}" 2>/dev/null
        fd=${pipes[$name]}
        # its stdout is closed when it has ended
        if read -r -t "$ready_s" -u "$fd" _ || [ $? -gt 128 ]; then
            not_ok "the daemon of $name does not stop"
            kill -KILL "${pids[$name]}" 2>/dev/null
        fi
        exec {fd}<&-
        unset "pids[$name]" "pipes[$name]"
    done
}

# on NAME WORD...: the tool, on a store.
on ()
{
    local name=$1
    shift
    "$saker" --store "$work/$name" "$@"
}

# found NAME: a mesh of one, running.
found ()
{
    on "$1" init studio --as "$1" >/dev/null || not_ok "init"
    start "$1"
}

# admit NAME BY: NAME joins by a ticket of BY, and runs.
admit ()
{
    on "$2" invite | on "$1" join - --as "$1" >/dev/null || not_ok "join of $1"
    start "$1"
}

# works WHAT COMMAND...: exit status 0.
works ()
{
    local what=$1 status
    shift
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    if [ "$status" = 0 ]; then ok; else
        not_ok "$what: exit status $status: $(head -c 400 "$work/err")"
    fi
}

# prints WHAT WANTED COMMAND...: exit status 0 and exactly this output.
prints ()
{
    local what=$1 wanted=$2 got status
    shift 2
    got=$("$@" 2>"$work/err")
    status=$?
    if [ "$status" = 0 ] && [ "$got" = "$wanted" ]; then ok; else
        not_ok "$what: exit status $status: \"${got:0:400}\", not \"${wanted:0:400}\" $(head -c 400 "$work/err")"
    fi
}

# refuses WHAT STATUS WORDS COMMAND...: this exit status, and a sentence with these words on stderr.
refuses ()
{
    local what=$1 wanted=$2 words=$3 status
    shift 3
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    if [ "$status" = "$wanted" ] && grep -qF -- "$words" "$work/err"; then ok; else
        not_ok "$what: exit status $status, not $wanted; stderr: $(head -c 400 "$work/err")"
    fi
}

# until_true WHAT COMMAND...: tries again until it succeeds.
until_true ()
{
    local what=$1 i
    shift
    for ((i = 0; i < 10 * patience_s; i++)); do
        if "$@" >"$work/out" 2>"$work/err"; then ok; return; fi
        sleep 0.1
    done
    not_ok "$what: not within $patience_s s: $(head -c 300 "$work/err")"
}

# status NAME EXPRESSION: a part of a daemon's status, as json does.
status () { on "$1" status --json | json "$2"; }

# keep_nothing NAME: from now on the log goes as soon as all members have stored it.
keep_nothing ()
{
    printf 'history = 0\n' >"$work/$1/saker.conf"
    kill -HUP "${pids[$1]}"
}

# Of one peer: a document, whole, and none; what is at its /n; whether a device runs twice; the changes in each
# log; whether they are empty; the link to another member, and its role; places with rivals.
shows () { [ "$(on "$1" get "$2" --raw 2>/dev/null)" = "$3" ]; }
lacks () { ! on "$1" get "$2" >/dev/null 2>&1; }
link_is () { [ "$(on "$1" peers --json | json "[p['link'] for p in j if p['name'] == '$2'][0]")" = "$3" ]; }
role_is () { [ "$(on "$1" peers --json | json "[p['role'] for p in j if p['name'] == '$2'][0]")" = "$3" ]; }
has_n () { [ "$(on "$1" get "$2" /n 2>/dev/null)" = "$3" ]; }
runs_twice () { on "$1" status --json | json "j['twin']['what']" 2>/dev/null | grep -q "device $2 runs twice"; }
log_is () { [ "$(on "$1" gc --plan --json | json "[l['changes'] for l in j['logs']]")" = "$2" ]; }
log_is_empty () { [ "$(on "$1" status --json | json "j['log']['bytes']")" = 0 ]; }
rivals () { on "$1" conflicts shots --json | python3 -c 'import json, sys; print (sum (1 for line in sys.stdin))'; }

# same WHAT GOT WANTED
same ()
{
    if [ "$2" = "$3" ]; then ok; else not_ok "$1: \"${2:0:400}\", not \"${3:0:400}\""; fi
}

# json EXPRESSION: a part of the JSON on stdin, by a Python expression on `j`.
json ()
{
    python3 -c 'import json, sys
j = json.load (sys.stdin)
print (eval (sys.argv[1]))' "$1"
}

# json_lines: every line on stdin is JSON.
json_lines ()
{
    python3 -c 'import json, sys
for line in sys.stdin:
    json.loads (line)'
}
