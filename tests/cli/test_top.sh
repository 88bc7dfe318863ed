#!/usr/bin/env bash
# saker top on a terminal (tmux): what the screen shows with three daemons, after keys, after a resize, and after a
# daemon was killed, another one's and its own.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=${PATIENCE:-60}
screen () { terminal capture-pane -p; }
keys () { terminal send-keys "$@"; }
# sees PATTERN, misses PATTERN: in a line of the screen; row NUMBER PATTERN: in that line, the first being 1.
sees () { screen | grep -qE -- "$1"; }
misses () { ! sees "$1"; }
row () { screen | sed -n "$1p" | grep -qE -- "$2"; }
look () { until_true "the screen shows $1" sees "$1" || screen; }

found anna
admit bob anna
on anna invite | on carol join - --as 'Zoë "日本語" Müller' >/dev/null || not_ok "join"
start carol
works "written" on anna set shots/a /n 1
works "everywhere" on anna wait --all --timeout 60s

# ---- without a terminal

refuses "no terminal" 2 "saker top --once" on anna top </dev/null
refuses "a dumb one" 2 "saker top --once" env TERM=dumb "$saker" --store "$work/anna" top
works "once" on anna top --once
if grep -q '^NAME  *LINK  *RTT  *LAG ' "$work/out" && grep -qE '^bob +up ' "$work/out" && ! grep -q $'\033' "$work/out"; then ok; else not_ok "once: $(cat "$work/out")"; fi
same "as JSON" "$(on anna top --json | json "len (j['members']), j['applied_s'] >= 0, j['status']['device']['name']")" "(3, True, 'anna')"
refuses "another order" 2 "--sort speed: it is name, link" on anna top --sort speed
refuses "too often" 2 "shortest" on anna top --every 1ms
refuses "no store" 13 "make one with" "$saker" --store "$work/none" top --once
if ! command -v tmux >/dev/null; then
    skip "no tmux"
    finish
fi

# ---- three daemons

run="LD_LIBRARY_PATH='$LD_LIBRARY_PATH' '$saker' --store '$work/anna' top --every 200ms 2>'$work/top.err'; echo \"ended: \$?\"; read -r"
terminal new-session -d -x 80 -y 24 "bash -c \"${run//\"/\\\"}\"" || not_ok "tmux"
look '^bob +up '
row_1 () { row 1 '^studio: anna \(admin\), up for .*, by name$'; }
until_true "the title" row_1
look '^links: 2 up, 0 slow, 0 silent, 0 left +pending: 0 +conflicts: 0$'
look '^applied: .*/s +in: .*/s +disk: '
look '^NAME +LINK +RTT +LAG BEHIND AHEAD +IN/s CHG/s +SEEN ROLE$'
look '^anna +self '
look '^Zoë "日本語" .* +up '
look '^q quit .*\(1 of 3\)$'
until_true "something comes in" sees '^bob +up .* [0-9.]+ (B|KiB) +0 .* write$'

# ---- keys

keys Down
look '\(2 of 3\)$'
keys Enter
look '^bob$'
look '^round trip +[0-9]+(\.[0-9]+)? ms'
look '^hears +.*anna'
look '^q back'
keys q
look '\(2 of 3\)$'
keys '?'
look '^keys and columns$'
keys Escape
look '^NAME '
for by in link rtt lag behind rate name; do
    keys s
    look ", by $by$"
done
keys r
look ', by name, reversed$'
keys End
look '\(3 of 3\)$'
keys p
look 'PAUSED$'
keys p r
until_true "on again" misses PAUSED

# ---- a write that bob does not take: he lags; and a resize

kill -STOP "${pids[bob]}"
works "a write" on anna set shots/b /n 1
until_true "bob lags" sees '^bob .* [0-9.]+s +1 +0 '
until_true "his link is slow" sees '^bob +slow '
kill -CONT "${pids[bob]}"
until_true "he catches up" sees '^bob +up .* 0\.0s +0 +0 '
terminal resize-window -x 50 -y 10
look '^NAME +LINK +RTT +LAG BEHIND AHEAD$|^NAME +LINK +RTT +LAG BEHIND$'
until_true "the last line is the last" row 10 '^q quit '
terminal resize-window -x 15 -y 4
look '^too small *$'
terminal resize-window -x 130 -y 30
look '^NAME +LINK .* ROLE +ADDRESS'
look '^bob +up .* write 127.0.0.1:[0-9]+'

# ---- many members: the list scrolls

for ((i = 0; i < 30; i++)); do
    on anna invite | on "m$i" join - --as "m$i" >/dev/null || not_ok "join of m$i"
done
look '\([0-9]+ of 33\)$'
terminal resize-window -x 80 -y 24
keys Home
look '\(1 of 33\)$'
keys End
look '\(33 of 33\)$'
look '^Zoë '
until_true "the first has gone up" misses '^anna +self '
keys PPage NPage Home
until_true "and is back" sees '^anna +self '

# ---- daemons that go away

kill -KILL "${pids[bob]}"
until_true "bob is silent" sees '^bob +silent '
kill -KILL "${pids[anna]}"
until_true "its own daemon is gone" row 1 '^no answer for [0-9]+ s, what follows is old: '
keys s
until_true "keys work" sees ', by link$'
exec {pipes[anna]}<&-
unset "pids[anna]"
start anna
until_true "and is back" row 1 '^studio: anna '
keys End
until_true "carol, too" sees '^Zoë .* up '

# ---- the end

keys q
look '^ended: 0$'
same "nothing on stderr" "$(cat "$work/top.err")" ""
keys Enter
finish
