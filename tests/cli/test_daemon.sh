#!/usr/bin/env bash
# sakerd as a process: readiness, signals, config, and what it refuses to start on.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

# daemon NAME OPTION...: starts one that is expected to end by itself.
daemon ()
{
    local name=$1
    shift
    timeout 60 "$sakerd" --store "$work/$name" --listen tcp://127.0.0.1:0 --no-beacon "$@"
}

# ---- founding and starting

refuses "no store" 3 "saker init" daemon none
works "init" on a init studio --as anna
refuses "init again" 4 "" on a init studio --as anna
same "the store is private" "$(stat -c %a "$work/a")" 700
start a
same "status knows the device" "$(on a status --json | grep -c anna)" 1
refuses "open already" 9 "" daemon a
refuses "init on an open store" 4 "" on a init other
refuses "port in use" 9 "${addresses[a]##*:}" bash -c "
    '$saker' --store '$work/b' init other --as bob >/dev/null
    exec timeout 60 '$sakerd' --store '$work/b' --listen '${addresses[a]}' --no-beacon"

# ---- which store

works "\$SAKER_STORE" env SAKER_STORE="$work/a" "$saker" status
works "--store goes before it" env SAKER_STORE="$work/none" "$saker" status --store "$work/a"
mkdir "$work/home"
works "the store in the home folder" env HOME="$work/home" "$saker" init studio
works "is ~/.saker" test -d "$work/home/.saker"
refuses "no daemon on it" 13 "sakerd --store $work/home/.saker" env HOME="$work/home" "$saker" status
refuses "no home" 2 "which store?" env -u HOME "$saker" status

# ---- colours on a terminal

terminal () { TERM=xterm script -qec "$*" /dev/null </dev/null; }
if ! terminal true >/dev/null 2>&1; then skip "colours on a terminal: none can be made here"
elif terminal "'$saker' --store '$work/a' peers" | grep -q $'\033'; then ok; else not_ok "no colours on a terminal"; fi
if NO_COLOR=1 terminal "'$saker' --store '$work/a' peers" | grep -q $'\033'; then not_ok "colours with NO_COLOR"; else ok; fi
if on a peers | grep -q $'\033'; then not_ok "colours in a pipe"; else ok; fi

# ---- signals

same "SIGHUP" "$(kill -HUP "${pids[a]}" && on a status --json | grep -c anna)" 1
for signal in TERM INT; do
    on "s$signal" init studio >/dev/null
    start "s$signal"
    pid=${pids[s$signal]}
    # the status of a process substitution can be had while it is the last one
    kill "-$signal" "$pid"
    wait "$pid"
    same "exit status after SIG$signal" $? 0
    unset "pids[s$signal]"
done
stop a
start a
stop a

# ---- readiness, as systemd wants to hear it

notified () # SOCKET: what a service manager hears from start to stop
{
    python3 - "$1" "$sakerd" "$work/a" <<'P'
import os, signal, socket, subprocess, sys
name, program, store = sys.argv[1:]
listener = socket.socket (socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind (name.replace ("@", "\0", 1))
listener.settimeout (60)
daemon = subprocess.Popen ([program, "--store", store, "--listen", "tcp://127.0.0.1:0", "--no-beacon"],
                           env = {**os.environ, "NOTIFY_SOCKET": name},
                           stdout = subprocess.DEVNULL, stderr = subprocess.DEVNULL)
try:
    heard = [listener.recv (200).decode ()]
    daemon.send_signal (signal.SIGHUP)
    heard += [listener.recv (200).decode ().split ("\n")[0], listener.recv (200).decode ()]
    daemon.send_signal (signal.SIGTERM)
    heard += [listener.recv (200).decode ()]
    print (heard, daemon.wait (60))
finally:
    daemon.kill ()
P
}
heard="['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'] 0"
same "a socket with a path" "$(notified "$work/notify")" "$heard"
same "an abstract socket" "$(notified "@saker-test-$$")" "$heard"

# ---- the journal

journal=$(python3 - "$sakerd" "$work/none" <<'P'
import os, socket, subprocess, sys
ours, theirs = socket.socketpair ()
status = os.fstat (theirs.fileno ())
daemon = subprocess.run ([sys.argv[1], "--store", sys.argv[2]], stderr = theirs,
                         env = {**os.environ, "JOURNAL_STREAM": "%d:%d" % (status.st_dev, status.st_ino)})
theirs.close ()
print (ours.recv (4096).decode ()[:3])
P
)
same "priorities for the journal" "$journal" "<3>"

# ---- the config

config=$work/saker.conf
cat >"$config" <<'C'
# good
listen = tcp://127.0.0.1:0
beacon = no
log-level = debug
C
works "a good config" "$sakerd" --check-config --config "$config"
cat >"$config" <<'C'
listen = nonsense
becon = no

beacon = perhaps
seed = tcp://192.0.2.1:5677
log-level = loud
C
refuses "a wrong config" 1 "$config:1: " "$sakerd" --check-config --config "$config"
same "every wrong line" "$(sed -n "s|^$config:\([0-9]*\): .*|\1|p" "$work/err" | tr '\n' ' ')" "1 2 4 6 "
refuses "an unknown key, with what was meant" 1 "did you mean 'beacon'" "$sakerd" --check-config --config "$config"
refuses "a daemon with a wrong config" 1 "$config:1" daemon a --config "$config"
refuses "no config" 3 "none" "$sakerd" --check-config --config "$work/none"
refuses "a wrong address on the command line" 1 "seed" daemon a --seed nonsense
printf 'listen = nonsense\n' >"$work/a/saker.conf"
refuses "the config of the store is read" 1 "saker.conf:1" daemon a
printf 'log-level = debug\nlisten = tcp://127.0.0.1:1\n' >"$work/a/saker.conf"
start a # the command line goes before the file
stop a

# ---- what a store can be

mkdir -m 700 "$work/e"
refuses "a folder that is no store" 3 "is not a store" daemon e
chmod 755 "$work/a"
refuses "a store that others can look into" 1 "chmod 700 $work/a" daemon a
chmod 700 "$work/a"
chmod 644 "$work/a/device.key"
refuses "a key that others can read" 5 "device.key" daemon a
finish
