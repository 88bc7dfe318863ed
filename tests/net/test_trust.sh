#!/usr/bin/env bash
# Who is trusted, on networks of their own: a member that is revoked beyond a partition, one that is fenced and comes
# back, one that is restored elsewhere from a backup, and one whose store runs twice.
# shellcheck source=tests/net/lib.sh
. "${srcdir:-.}/tests/net/lib.sh"
need_spaces

# anna and carol are on the near side of the cable between the bridges, bob and dave on the far side
space switch anna bob carol dave elsewhere
bridge switch near
bridge switch far
trunk switch near m1 far m2
cable anna eth0 10.75.0.1 switch near p1
cable carol eth0 10.75.0.3 switch near p3
cable bob eth0 10.75.0.2 switch far p2
cable dave eth0 10.75.0.4 switch far p4
cable elsewhere eth0 10.75.0.5 switch far p5

has () { [ "$(on "$1" get "$2" "$3" 2>/dev/null)" = "$4" ]; }
all_verify () { for name in "$@"; do works "$name verifies" on "$name" verify --timeout 60s; done; }

# connections SPACE OTHER: the ports of the connections that the one holds with the other.
connections () { within "$1" ss -Htn state established "dst ${hosts[$2]}" | awk '{ print $3, $4 }' | sort; }

# closes NAME DEVICE CONNECTIONS: 5 s after its roster says that the device is out, none of these is left.
closes ()
{
    local end=$((SECONDS + 60)) heard
    while heard=${EPOCHREALTIME/./} && ! role_is "$1" "$2" none; do
        if [ "$SECONDS" -ge "$end" ]; then not_ok "$1 does not hear that $2 is out"; return; fi
    done
    while [ "$(comm -12 <(echo "$3") <(connections "$1" "$2"))" ]; do
        if [ $((${EPOCHREALTIME/./} - heard)) -gt 5000000 ]; then
            not_ok "$1 is still connected with $2, 5 s after it heard"
            return
        fi
    done
    ok
}

on anna init studio --as anna >/dev/null || not_ok "init"
start_at anna anna
for name in bob carol dave; do
    join "$name" "$name" anna
    start_at "$name" "$name"
done
for name in anna bob carol dave; do soon "$name finds all" 60 knows "$name" "j['links']['up'] == 3"; done
works "dave writes" on dave set shots/a '{"title": "Harbour", "frames": 100}'
works "dave counts" on dave incr shots/a /takes 10
works "all have it" on dave wait --all --timeout 60s
for name in anna carol; do works "a cursor" on "$name" watch --from split --count 0; done

# ---- the network splits; dave writes on the far side, and is revoked on the near side

pass=(--passphrase-file "$work/pass")
(umask 077 && echo 'correct horse battery' >"$work/pass")
declare -A held=() refused=()
for name in anna carol; do held[$name]=$(connections "$name" dave); done
if [ "${held[anna]}" ] && [ "${held[carol]}" ]; then ok; else not_ok "nobody is connected with dave"; fi
plug switch m1 down
works "a new document" on dave set shots/late /n 1
works "a new title" on dave set shots/a /title '"Sunk"'
works "a deletion" on dave delete shots/a /frames
works "a count" on dave incr shots/a /takes 1000
for ((i = 0; i < 200; i++)); do printf '{"id": "d%d", "n": %d}\n' "$i" "$i"; done >"$work/lines"
works "many" on dave import props "$work/lines" --key id
works "bob has it" on dave wait --on bob --timeout 60s
works "bob counts, too" on bob incr shots/a /takes 5
refuses "anna has nothing of it" 12 "anna" on dave wait --on anna --timeout 300ms
works "dave is revoked" on anna revoke dave
closes anna dave "${held[anna]}"
closes carol dave "${held[carol]}"
works "the near side goes on" on anna incr shots/a /takes 3
works "dave does not know, and writes" on dave set shots/later /n 1
works "bob has that, too" on dave wait --on bob --timeout 60s
if has bob shots/later /n 1 && has bob shots/a /takes 1015; then ok; else not_ok "bob lacks what dave wrote"; fi
works "a backup of dave, who has not heard" on dave backup "$work/unaware" "${pass[@]}"

# ---- it heals: bob, who has it all, is linked with both sides

held[bob]=$(connections bob dave)
if [ "${held[bob]}" ]; then ok; else not_ok "bob has no connection with dave any more"; fi
plug switch m1 up
closes bob dave "${held[bob]}"
for what in shots/late shots/later props/d0 props/d199; do soon "$what goes at bob" 60 lacks bob "$what"; done
for name in bob anna carol; do # the links are made anew
    soon "what dave overwrote, deleted, counted, at $name" 60 shows "$name" shots/a '{"frames":100,"takes":18,"title":"Harbour"}'
done
soon "dave hears nobody" 60 knows dave "j['links']['up'] == 0"
all_verify anna bob carol
equal "shots" shots anna bob carol

# ---- he reads nothing more, and does not come back through others

for name in bob carol; do refused[$name]=$(status "$name" "j['door']['refused']"); done
stop dave
rm -rf "$work/dave" # he may have heard meanwhile
works "dave is as he was" on dave restore "$work/unaware" "${pass[@]}"
start_at dave dave --seed "${addresses[bob]}" --seed "${addresses[carol]}"
works "dave writes" on dave set shots/alone /n 1
works "anna writes" on anna set shots/after /n 1
for name in bob carol; do
    soon "dave knocks at $name's" 60 knows "$name" "j['door']['refused'] > ${refused[$name]} + 2"
done
works "all have what anna wrote" on anna wait --all --timeout 60s
if lacks dave shots/after; then ok; else not_ok "dave reads on"; fi
same "the key that seals" "$(on bob keys --json | grep -c '"generation":1.*"seals":true')" 1
same "dave is linked with nobody" "$(status dave "j['links']['up']")" 0
for name in anna bob carol; do
    if lacks "$name" shots/alone && link_is "$name" dave revoked; then ok; else not_ok "dave is back at $name's"; fi
done
for name in anna carol; do # were a change taken back, the cursor would be gone: exit status 19
    refuses "nothing was taken back at $name" 12 "" on "$name" watch --from split --timeout 3s --json
    same "who wrote what $name took since" "$(python3 -c 'import json, sys
print (sorted ({json.loads (line)["author"] for line in sys.stdin}))' <"$work/out")" "['anna', 'bob']"
done # and he goes on knocking

# ---- bob is cut off, and fenced

printf 'history = 0\n' >"$work/anna/saker.conf"
kill -HUP "${pids[anna]}"
works "something to count" on bob incr shots/b /count 1
works "something to delete" on carol set shots/gone '{"n": 1, "m": {"k": 2}}'
for name in bob carol; do works "all have it" on "$name" wait --all --timeout 60s; done
soon "the log of anna is empty" 60 log_is_empty anna
plug switch p2 down
works "bob writes before anna" on bob set shots/b /n 2
works "anna writes" on anna set shots/b /n 3
works "anna writes" on anna set shots/b /m 30
works "anna deletes" on anna delete shots/gone
works "carol counts" on carol incr shots/b /count 20
works "bob counts" on bob incr shots/b /count 300
for name in anna carol; do works "both have it" on "$name" wait --on anna,carol --timeout 60s; done
if on anna gc --plan | grep -q "bob .*wait for it" && ! log_is_empty anna; then ok; else not_ok "nobody waits for bob"; fi
works "bob is fenced" on anna fence bob
soon "the log of anna is empty without him" 60 log_is_empty anna
works "he knows nothing, and counts" on bob incr shots/b /count 4000
works "he writes after anna" on bob set shots/b /m 20
works "nobody waits for him" on carol wait --all --timeout 60s

# ---- bob is back: what he wrote stands beside, and counts

plug switch p2 up
soon "bob knows that he was fenced" 60 knows bob "j['incarnation'].get ('why') == 'fenced'"
for name in anna bob carol; do
    soon "both rivals are at $name" 60 knows "$name" "j['data']['conflicts'] == 2"
    prints "all is counted at $name" 4321 on "$name" get shots/b /count
    same "all values at $name" "$(on "$name" get shots/b --json |
        json "sorted ([j['data']['n'], j['data']['m']] + [r['value'] for r in j['rivals']])")" "[2, 3, 20, 30]"
    prints "the newer value is the one to see at $name" 3 on "$name" get shots/b /n
    if lacks "$name" shots/gone; then ok; else not_ok "what was deleted is back at $name"; fi
done
all_verify anna bob carol
soon "the log of anna is empty again" 60 log_is_empty anna

# ---- carol: a backup under load, then the disk is lost, and she is restored elsewhere

writer=$(status carol "j['writer']")
load carol
more carol 100
works "backup" on carol backup "$work/backup" "${pass[@]}"
more carol 100
works "what came after it is stored" on carol wait --all --timeout 60s
slay carol
{ kill -KILL "${pids[writer-carol]}"; wait "${pids[writer-carol]}"; } 2>/dev/null
unset "pids[writer-carol]"
rm -rf "$work/carol"
on anna export load | grep carol- >"$work/before"
works "restore" on again restore "$work/backup" "${pass[@]}"
start_at elsewhere again
same "a new incarnation" "$(status again "j['device']['name'], j['incarnation']['why'], j['writer'] != '$writer'")" \
    "('carol', 'restored', True)"
works "she writes" on again set shots/again /n 6
works "all have it" on again wait --all --timeout 60s
all_verify anna bob again
for what in load shots; do equal "$what" "$what" anna bob again; done
on again export load | grep carol- >"$work/after"
same "nothing that others had is lost" "$(comm -23 <(sort "$work/before") <(sort "$work/after"))" ""
prints "each of it counts once" "$(wc -l <"$work/after")" on bob get load/total /count
if [ "$(wc -l <"$work/before")" -ge 200 ]; then ok; else not_ok "what carol waited for was not there"; fi
members () { on "$1" peers --json | json "sorted (p['name'] for p in j if p['role'] != 'none')"; }
same "she is one member" "$(members anna)" "['anna', 'bob', 'carol']"

# ---- bob's store is copied, and runs twice

told () { on "$1" status | grep "device bob runs twice: here at ${addresses[$1]}.* at ${addresses[$2]}: both keep"; }
stop bob
cp -r "$work/bob" "$work/copy"
start_at bob bob
start_at carol copy
works "the first one writes" on bob incr shots/b /count 10000
works "the copy writes" on copy incr shots/b /count 50000
for name in anna bob copy again; do soon "$name has both" 60 has "$name" shots/b /count 64321; done
soon "the first one tells of the copy" 60 told bob copy
soon "the copy tells of the first one" 60 told copy bob
for name in bob copy; do same "one sentence" "$(on "$name" status | grep -c 'runs twice')" 1; done
soon "all verify" 60 on anna verify
equal "shots" shots anna bob copy again
same "still one bob" "$(members anna)" "['anna', 'bob', 'carol']"
stop anna bob copy again dave
finish
