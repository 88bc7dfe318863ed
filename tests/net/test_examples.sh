#!/usr/bin/env bash
# Every example of the help texts and of the man pages is run as it stands, in a mesh of three daemons: in a network of
# their own with the addresses of the examples, and with folders of their own for /mnt, /srv and /var/log. What an example
# needs stands behind it: "# on a terminal", "# until Ctrl-C", "# needs Graphviz". Other words there are refused.
# The one date in the examples, 2026-11-29T12:00:00Z, becomes one at which the documents were there.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
if [ -z "${SAKER_EXAMPLES:-}" ]; then
    need_spaces
    if ! unshare --net --mount true 2>/dev/null; then skip "mounts of one's own cannot be made here"; finish; fi
    rm -rf "$work"
    exec env SAKER_EXAMPLES=1 unshare --net --mount --propagation private bash "$0"
fi
faker=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
if [ -z "$faker" ]; then skip "no libfaketime (package faketime)"; finish; fi

patience_s=30
mkdir "$work/bin" "$work/here" "$work/home"
export HOME=$work/home
cd "$work/here" || exit 1
# installed programs, without libtool's wrappers; a daemon of an example listens where no other does
ln -s "$saker" "$sakerd" "$work/bin"
export PATH=$work/bin:$PATH
# another machine is another store
printf '#!/bin/sh\nSAKER_STORE=%s/$1\nexport SAKER_STORE\nshift\nexec "$@"\n' "$work" >"$work/bin/ssh"
chmod +x "$work/bin/ssh"
for folder in /mnt /srv /var/log; do works "$folder" mount -t tmpfs none "$folder"; done
mkdir /mnt/usb
works "loopback" ip link set lo up
works "the network" ip link add eth0 type veth peer name eth1
works "an address" ip address add 192.168.1.20/24 dev eth0
works "its end" ip link set eth1 up
works "it is up" ip link set eth0 up

# examples COMMAND: of its help. page_examples FILE: of a man page.
examples () { "$saker" "$1" --help | sed -n '/^example:/,$s/^  //p'; }
page_examples () { sed -n '/^\.SH EXAMPLE/,$p' "$1" | sed -n '/^\.EX/,/^\.EE/s/^    //p' | sed 's/\\-/-/g'; }

# until_ctrl_c WHAT COMMAND: it says something, or listens, and goes on until it is interrupted.
until_ctrl_c ()
{
    local what=$1 fd pid line end
    # whoever runs this in the background may ignore the signal, and a child keeps that
    exec {fd}< <(exec env --default-signal=INT bash -c "exec $2" 2>&1)
    pid=$!
    pids[example]=$pid
    read -r -t "$ready_s" -u "$fd" line || not_ok "$what says nothing"
    case $command in
    sakerd*)
        until [[ $line == "sakerd: "* ]] || ! read -r -t "$ready_s" -u "$fd" line; do :; done
        if [[ $line == "sakerd: ready on "* ]]; then ok; else not_ok "$what: $line"; fi
        ;;
    *) if kill -0 "$pid" 2>/dev/null; then ok; else not_ok "$what ended by itself: $line"; fi ;;
    esac
    kill -INT "$pid" 2>/dev/null
    end=$((SECONDS + ready_s))
    while read -r -t "$ready_s" -u "$fd" line && [ "$SECONDS" -lt "$end" ]; do :; done
    if kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -ge "$end" ]; then not_ok "$what does not end"; kill -KILL "$pid"; fi
    exec {fd}<&-
    unset "pids[example]"
}

# on_terminal WHAT COMMAND: with the keys that it asks for.
on_terminal ()
{
    local what=$1
    rm -f "$work/status"
    cat >"$work/terminal.sh" <<END
$2
echo "\$?" >"$work/status"
END
    terminal new-session -d -x 100 -y 30 "bash '$work/terminal.sh'" || { not_ok "tmux"; return; }
    case $2 in
    "saker backup"*)
        until_true "$what asks" asks_for "assphrase"
        terminal send-keys 'a long secret' Enter
        until_true "$what asks again" asks_for "gain"
        terminal send-keys 'a long secret' Enter
        ;;
    "saker restore"*)
        until_true "$what asks" asks_for "assphrase"
        terminal send-keys 'a long secret' Enter
        ;;
    "saker top"*)
        until_true "$what shows bob" asks_for "^bob +up"
        terminal send-keys q
        ;;
    *) not_ok "nobody knows what to type for: $2" ;;
    esac
    until_true "$what ends" [ -s "$work/status" ]
    same "$what" "$(cat "$work/status")" 0
}
asks_for () { terminal capture-pane -p | grep -qE -- "$1"; }

# One example.
run ()
{
    local line=$1 command needs=
    command=${line%%  \# *}
    [ "$command" = "$line" ] || needs=${line##*  \# }
    command=${command//2026-11-29T12:00:00Z/$then}
    seen=$((seen + 1))
    case $command in "saker conflicts merge"*) two_titles ;; esac # the one before has settled it
    case $needs in
    "") works "$command" bash -c "$command" </dev/null ;;
    "on a terminal")
        if command -v tmux >/dev/null; then on_terminal "$command" "$command"; else skip "no tmux: $command"; fi
        ;;
    "until Ctrl-C") until_ctrl_c "$command" "$command" ;;
    "needs Graphviz")
        if command -v dot >/dev/null; then works "$command" bash -c "$command" </dev/null; else skip "no dot (package graphviz): $command"; fi
        ;;
    *) not_ok "$command: what is \"$needs\"?" ;;
    esac
}
run_all ()
{
    local line
    while IFS= read -r line <&3; do run "$line"; done 3<<<"$1"
}

# sets_up COMMAND: what its examples speak of is made.
sets_up ()
{
    case $1 in
    restore) export SAKER_STORE=$work/none ;;
    store) export SAKER_STORE=$work/anna ;;
    import) on anna export languages >languages.jsonl ;;
    inbox) echo '{"title": "{/title}"}' >review.json ;;
    watch) (for _ in 1 2 3 4 5 6 7 8; do sleep 0.5; on anna incr shots/watched /n >/dev/null; done) & ;;
    tail) (for _ in 1 2 3 4 5 6 7 8; do sleep 0.5; on anna incr shots/watched /n >/dev/null; done) & ;;
    bundle) rm -f support.json; echo "a line" >/var/log/sakerd.log ;;
    conflicts) two_titles ;;
    remove) on anna add shots/sc010 /tags '"night"' >/dev/null ;;
    delete) on anna set shots/sc010 /frames 250 ;;
    subscribe | carry) export SAKER_STORE=$work/carol ;; # anna is an admin
    unsubscribe)
        on carol subscribe --all >/dev/null || not_ok "subscribe --all"
        on anna set renders/r1 /n 1 || not_ok "a render"
        until_true "carol has it" on anna wait --on carol
        export SAKER_STORE=$work/carol
        ;;
    seen) on carol carry shots --whole >/dev/null || not_ok "carry --whole" ;;
    queue) a_queue ;;
    *) export SAKER_STORE=$work/anna ;;
    esac
}

# An application's queue, with a batch that was refused.
a_queue ()
{
    mkdir -p ~/tracker
    PYTHONPATH=$top/tools/python SAKER_LIBRARY=$build/.libs/libsaker.so.0 PYTHONDONTWRITEBYTECODE=1 python3 -c '
import saker
with saker.Queue("'"$HOME"'/tracker/queue") as queue:
    with queue.batch("shots") as batch:
        batch.incr("sc010", "title")
    queue.send(timeout=20)
    assert len(queue.refused()) == 1' || not_ok "a queue"
}

# Two titles of one shot, written while the peers were apart.
two_titles ()
{
    stop bob carol
    on anna set shots/sc010 /title '"Harbour, early"' || not_ok "a title"
    stop anna
    start bob --listen tcp://192.168.1.20:5677
    on bob set shots/sc010 /title '"Harbour, late"' || not_ok "another title"
    start anna
    start carol
    until_true "both are there" rivals_are anna 1
    together
}
rivals_are () { [ "$(rivals "$1")" = "$2" ]; }
together ()
{
    until_true "bob is there" link_is anna bob up
    until_true "carol is there" link_is anna carol up
    until_true "all have all" on anna wait --all
}

# ---- a mesh that is four days old

seen=0
then=$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)
export SAKER_STORE=$work/anna
(
    export LD_PRELOAD=$faker FAKETIME=-4d FAKETIME_DONT_FAKE_MONOTONIC=1
    run_all "$(examples init)"
    [ "$failed" = 0 ]
) || not_ok "init"
printf 'hooks = hooks\nbeacon = no\n' >"$work/anna/saker.conf"
launch anna env LD_PRELOAD="$faker" FAKETIME=-4d FAKETIME_DONT_FAKE_MONOTONIC=1 "$sakerd" --store "$work/anna" --listen tcp://127.0.0.1:0
works "a shot" on anna set shots/sc010 '{"title": "Dawn", "frames": 120}'
stop anna
start anna
on anna invite >ticket
export SAKER_STORE=$work/bob
run_all "$(examples join)"
export SAKER_STORE=$work/anna
start bob --listen tcp://192.168.1.20:5677
admit carol anna
works "languages" on anna import languages /usr/share/iso-codes/json/iso_639-3.json --at /639-3 --key alpha_3
together

# ---- the commands, those last that take something away

commands=$("$saker" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
last="role fence keys revoke backup restore store"
for command in $commands; do
    [[ " init join $last " == *" $command "* ]] && continue
    sets_up "$command"
    case $command in
    listen) stop bob ;; # it has the port
    dial) start bob --listen tcp://192.168.1.20:5677 ;;
    esac
    run_all "$(examples "$command")"
    export SAKER_STORE=$work/anna
done
together
on anna invite | on laptop join - --as laptop-7 >/dev/null || not_ok "join of laptop-7"
for command in role fence keys revoke backup; do
    sets_up "$command"
    run_all "$(examples "$command")"
done
stop anna bob
for command in restore store; do
    sets_up "$command"
    [[ " $(tr '\n' ' ' <<<"$commands")" != *" $command "* ]] || run_all "$(examples "$command")"
done

# ---- the pages

stop carol
mkdir /srv/saker && cp -r "$work/carol/." /srv/saker
chmod 700 /srv/saker
run_all "$(page_examples "$build/docs/sakerd.8")"
page_examples "$top/docs/saker.conf.5" >"$work/saker.conf"
works "the example of saker.conf(5)" "$sakerd" --check-config --config "$work/saker.conf"
run_all "$("$saker" --help | sed -n '/^example:/,$s/^  //p')"
if [ "$seen" -ge 70 ]; then ok; else not_ok "only $seen examples were found"; fi

finish
