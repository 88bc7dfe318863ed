#!/usr/bin/env bash
# What saker doctor finds: each situation is made, and must be told by its code, with a next step; and it does not say
# OK as long as anything is stuck. What needs networks and disks of its own is in tests/net/test_doctor_spaces.sh.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
# codes NAME [OPTION]...: what is found, but for notes, sorted; grade NAME CODE: how grave; finds WHAT STATUS CODE WORDS NAME.
codes () { on "$1" doctor --json "${@:2}" 2>/dev/null | json "' '.join (sorted (f['code'] for f in j['findings'] if f['severity'] != 'note'))"; }
grade () { on "$1" doctor --json 2>/dev/null | json "' '.join (sorted (set (f['severity'] for f in j['findings'] if f['code'] == '$2')))"; }
graded () { [ "$(grade "$1" "$2")" = "$3" ]; }
finds ()
{
    local what=$1 wanted=$2 code=$3 words=$4 status
    shift 4
    on "$1" doctor "${@:2}" >"$work/out" 2>"$work/err"
    status=$?
    if [ "$status" = "$wanted" ] && grep -A1 "\[$code\]$" "$work/out" | tr '\n' ' ' | grep -qE -- "$words" && ! grep -A1 "^[a-z]*: .*\]$" "$work/out" | grep -q '^    next: $' && ! grep -q '^OK' "$work/out"; then ok; else
        not_ok "$what: exit status $status: $(cat "$work/out" "$work/err")"
    fi
}
is_fine () { on "$1" doctor | grep -q '^OK: nothing is wrong or stuck'; }

# ---- nothing at all

refuses "a word too many" 2 "one word too many" "$saker" doctor x
"$saker" doctor --store "$work/none" >"$work/out" 2>"$work/err"
same "no store" "$? $(grep -c '\[store.missing\]' "$work/out")" "3 1"
found anna
admit bob anna
admit carol anna
works "written" on anna set shots/a /n 1
works "everywhere" on anna wait --all --timeout 60s
hears_clocks () { on anna doctor | grep -q 'the clocks: of this machine and 2 others'; }
until_true "beats of both came" hears_clocks
works "fine" on anna doctor
for words in "^looked at:" "the key file" "the disk of the store: .* free" "the links: 2 of 2 up" "the clocks: of this machine and 2 others" "^OK: .*; 0 notes$"; do
    if grep -q "$words" "$work/out"; then ok; else not_ok "doctor lacks $words: $(cat "$work/out")"; fi
done
same "doctor --json" "$(on anna doctor --json | json "j['ok'], j['errors'], j['warnings'], len (j['looked']) > 10")" "(True, 0, 0, True)"
works "deep" on anna doctor --deep
if grep -q 'every document of 1 collection$' "$work/out"; then ok; else not_ok "deep: $(cat "$work/out")"; fi

# ---- files

chmod 755 "$work/anna"
finds "an open store" 5 store.mode "mode 755.*chmod 700" anna
chmod 700 "$work/anna"
chmod 640 "$work/anna/device.key"
finds "an open key" 5 key.mode "mode 640.*chmod 600" anna
chmod 600 "$work/anna/device.key"
printf 'histroy = 3d\nlisten = nowhere\n' >"$work/anna/saker.conf"
finds "a wrong config" 1 config.wrong "line 1: .*did you mean 'history'.*sakerd --check-config" anna
same "both lines" "$(codes anna)" "config.wrong config.wrong"
printf 'history = 3d\n' >"$work/anna/saker.conf"
chmod 666 "$work/anna/saker.conf"
same "a config that others may change" "$(codes anna)" config.mode
rm "$work/anna/saker.conf"
mkdir "$work/empty" && chmod 700 "$work/empty"
finds "no key" 3 key.missing "saker restore FILE" empty

# ---- no daemon, ports

stop anna
finds "no daemon" 13 daemon.down "sakerd --store $work/anna" anna
exec {taken}< <(exec python3 -u -c 'import socket, time
s = socket.socket ()
s.bind (("127.0.0.1", 0))
s.listen ()
print (s.getsockname ()[1])
time.sleep (600)')
pids[taken]=$!
read -r -t 20 -u "$taken" port
printf 'listen = tcp://127.0.0.1:%s\n' "$port" >"$work/anna/saker.conf"
on anna doctor >"$work/out" 2>"$work/err"
if grep -A1 '\[port.taken\]$' "$work/out" | grep -q "ss -ltnp sport = :$port"; then ok; else not_ok "a port in use: $(cat "$work/out")"; fi
printf 'listen = tcp://192.0.2.1:5677\n' >"$work/anna/saker.conf"
if [[ " $(codes anna) " == *" port.address "* ]]; then ok; else not_ok "no address of this machine: $(codes anna)"; fi
printf 'beacon = no\nseed = tcp://127.0.0.1:%s\n' "$port" >"$work/anna/saker.conf"
kill "${pids[taken]}"
if [[ " $(codes anna) " == *" seed.silent "* ]]; then ok; else not_ok "a seed that refuses: $(codes anna)"; fi
rm "$work/anna/saker.conf"

# ---- seeds

found dora # of another mesh
start anna --seed "tcp://127.0.0.1:$port" --seed "${addresses[dora]}" --seed "${addresses[bob]}"
until_true "linked again" link_is anna bob up
until_true "and to carol" link_is anna carol up
finds "a seed that refuses" 13 seed.silent "seed tcp://127.0.0.1:$port does not work: the machine is there.*saker dial" anna
same "the others are no trouble" "$(codes anna)" "seed.silent"
stop anna carol bob
own=tcp://127.0.0.1:$port # nobody has it any more
launch anna "$sakerd" --store "$work/anna" --listen "$own" --no-beacon --seed "$own" --seed "${addresses[dora]}"
until_true "a seed of another mesh" graded anna seed.stranger error
same "itself is none" "$(codes anna | grep -o seed.stranger | wc -l)" 1
finds "linked to nobody" 5 link.none "none of the 2 other" anna
stop anna dora
start anna
start bob --seed "${addresses[anna]}"
start carol --seed "${addresses[anna]}"
until_true "all is well again" is_fine anna

# ---- links

stop carol
until_true "carol is away, and has all" graded anna link.away note
works "a write that carol lacks" on anna set shots/b /n 1
finds "carol is away" 13 link.silent "carol was stopped, heard last .* lacks 1 change .*saker dial tcp" anna
stop anna bob
start anna
start bob --seed "${addresses[anna]}"
until_true "not heard at all" graded anna link.unheard warning
until_true "bob is there" link_is anna bob up
kill -STOP "${pids[bob]}"
works "a write that bob does not take" on anna set shots/b /n 2
on anna doctor >"$work/out" 2>/dev/null
kill -CONT "${pids[bob]}"
if grep -q '^warning: bob .*\[\(changes.behind\|link.silent\)\]$' "$work/out"; then ok; else not_ok "bob takes nothing: $(cat "$work/out")"; fi
start carol --seed "${addresses[anna]}"
until_true "all is well again" is_fine anna

# ---- what holds back the cut

stop carol
keep_nothing anna
works "a write that carol lacks" on anna set shots/b /n 3
cut_is_held () { on anna doctor | grep -A1 'carol holds back the cut of shots.*\[cut.held\]$' | grep -q 'saker fence carol'; }
until_true "carol holds the cut" cut_is_held
works "fence her" on anna fence carol
until_true "a member that is fenced is a note" graded anna member.fenced note
until_true "and nothing is stuck" is_fine anna
start carol --seed "${addresses[anna]}"
until_true "she is back" link_is anna carol up
works "all have all" on anna wait --all --timeout 60s
until_true "all is well again" is_fine anna

# ---- clocks

faker=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
if [ -z "$faker" ]; then
    skip "no libfaketime (package faketime)"
else
    stop bob
    launch bob env LD_PRELOAD="$faker" FAKETIME=+10m FAKETIME_DONT_FAKE_MONOTONIC=1 "$sakerd" --store "$work/bob" --listen tcp://127.0.0.1:0 --no-beacon --seed "${addresses[anna]}"
    until_true "bob is there" link_is anna bob up
    until_true "carol hears him" link_is carol bob up
    until_true "bob's clock is wrong" graded anna clock.peer error
    finds "bob's clock" 18 clock.peer "clock of bob is (10|9) min ahead of" anna
    until_true "bob's own clock is" graded bob clock.own error
    works "a change from the future" on bob set shots/f /n 1
    works "everywhere" on bob wait --all --timeout 60s
    until_true "is told" graded anna clock.future note
    stop bob
    start bob --seed "${addresses[anna]}"
    until_true "its clock is right again" graded anna clock.peer ""
fi

# ---- rivals, names

until_true "bob is there" link_is anna bob up
kill -STOP "${pids[bob]}"
works "anna" on anna set shots/r /n 1
kill -CONT "${pids[bob]}"
works "all have it" on anna wait --all --timeout 60s
stop anna
works "bob alone" on bob set shots/r /n 2
stop bob carol
start anna
works "anna alone" on anna set shots/r /n 3
start bob --seed "${addresses[anna]}"
start carol --seed "${addresses[anna]}"
until_true "a conflict is a note" graded anna data.conflicts note
works "another bob" bash -c "'$saker' --store '$work/anna' invite | '$saker' --store '$work/bob2' join - --as bob"
start bob2
until_true "two of one name" graded anna identity.names note
works "one goes" on anna revoke "$(on bob2 status --json | json "j['device']['id']")"
stop bob2
# whether a device hears that it was revoked before it is shut out is a matter of luck
knows=
for gone in gone1 gone2 gone3 gone4 gone5; do
    admit "$gone" anna
    until_true "$gone is there" link_is "$gone" anna up
    works "$gone is revoked" on anna revoke "$gone"
    for ((i = 0; i < 20; i++)); do
        if [ "$(status "$gone" "j['device']['role']")" = none ]; then knows=$gone; break 2; fi
        sleep 0.1
    done
    stop "$gone"
done
if [ "$knows" ]; then
    finds "revoked" 5 device.revoked "was revoked.*saker role $knows write" "$knows"
    stop "$knows"
else
    skip "no device heard that it was revoked"
fi

# ---- another version, a device that runs twice, a fork

if echo 'const char *saker_version (void); const char *saker_version (void) { return "9.9.9"; }' \
    | ${CC:-gcc} -shared -fPIC -xc -o "$work/version.so" - 2>/dev/null && [[ "$(LD_PRELOAD=$work/version.so "$saker" --version 2>&1)" == *9.9.9 ]]; then
    LD_PRELOAD=$work/version.so on anna doctor >"$work/out" 2>"$work/err"
    same "another version" "$? $(grep -c 'version 0.1.0, this program of 9.9.9 \[version.daemon\]' "$work/out")" "11 1"
    echo 'int saker_verify (void); int saker_verify (void) { return 12; }' | ${CC:-gcc} -shared -fPIC -xc -o "$work/verify.so" -
    LD_PRELOAD=$work/verify.so on anna doctor >"$work/out" 2>"$work/err"
    if grep -A1 'the members could not be compared: .*\[data.unverified\]$' "$work/out" | grep -q 'next: try again: saker verify'; then ok; else not_ok "no verdict: $(cat "$work/out")"; fi
else
    skip "nothing can be loaded before the library"
fi
stop bob
cp -r "$work/bob" "$work/copy"
start bob --seed "${addresses[anna]}"
start copy --seed "${addresses[anna]}"
until_true "bob runs twice" graded bob identity.twin error
until_true "so does the copy" graded copy identity.twin error
until_true "which others know, too" graded anna member.doubled warning
until_true "and himself" graded copy identity.doubled warning
stop copy bob
rm -rf "$work/copy"
works "he is fenced, which ends both" on anna fence "$(on anna links --json | json "[l['id'] for l in j if l['name'] == 'bob' and l['role'] == 'write'][0]")"
start bob --seed "${addresses[anna]}"
bob_is_up () { on anna links --json | json "[l['state'] for l in j if l['name'] == 'bob' and l['role'] == 'write' and not l['fenced']][0]" | grep -q up; }
until_true "bob is back" bob_is_up
stop anna
cp -r "$work/anna" "$work/old"
start anna --seed "${addresses[bob]}"
works "a write" on anna set shots/w /n 1
works "which others have" on anna wait --all --timeout 60s
stop anna bob carol
cat "$work/old/data.mdb" >"$work/anna/data.mdb"
rm "$work"/anna/boot-*
cp "$work"/old/boot-* "$work/anna/"
start anna
works "another write in its place" on anna set shots/w /n 2
start bob --seed "${addresses[anna]}"
until_true "a fork" graded anna identity.forked warning
stop anna bob

# ---- a damaged record

found eve
for ((i = 0; i < 20; i++)); do on eve set "shots/d$i" /text '"0123456789abcdefghijklmnopqrstuvwxyz, again and again: 0123456789abcdefghijklmnopqrstuvwxyz"' >/dev/null; done
works "a store without history" keep_nothing eve
until_true "its log is empty" log_is_empty eve
stop eve
python3 - "$work/eve/data.mdb" <<'P'
import sys
with open (sys.argv[1], 'r+b') as f:
    data = f.read ()
    at = -1
    while (at := data.find (b'again and again', at + 1)) >= 0: # in old pages, too
        f.seek (at)
        f.write (b'X')
P
start eve
finds "a damaged record" 10 data.unreadable "shots cannot be read to its end" eve --deep
finds "and it is counted" 10 store.damaged "record.*damaged.*saker restore" eve
stop eve
finish
