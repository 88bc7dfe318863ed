#!/usr/bin/env bash
# A backup while a writer runs, a restore elsewhere, both machines at once, and what is no backup.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

writer=0
end_writer () { if [ "$writer" != 0 ]; then kill -KILL "$writer" 2>/dev/null; wait "$writer" 2>/dev/null; writer=0; fi; }
trap 'end_writer; clean_up' EXIT

umask 077
echo 'correct horse battery' >"$work/pass"
echo 'another horse battery' >"$work/wrong"
pass=(--passphrase-file "$work/pass")
found anna
admit bob anna
works "bob is there" on anna wait --all --timeout 20s
works "a document" on anna set shots/sc010 '{"title": "Harbour", "frames": 240}'
works "a cursor" on anna watch --from test --count 0
old_writer=$(status anna "j['writer']")

# ---- while a writer runs: what was acknowledged before the backup is in it

(
    i=0
    while :; do
        i=$((i + 1))
        on anna set shots/many "/k$i" "$i" >/dev/null 2>&1 && echo "$i" >>"$work/acked"
    done
) &
writer=$!
until_true "some writes" test -s "$work/acked"
sleep 0.3
before=$(tail -n 1 "$work/acked")
works "backup" on anna backup "$work/one" "${pass[@]}"
end_writer
same "readable by its owner only" "$(stat -c %a "$work/one")" 600
if [ -e "$work/one.part" ]; then not_ok "a part is left"; else ok; fi
if grep -aqF Harbour "$work/one"; then not_ok "it is in the clear"; else ok; fi
refuses "the same name again" 4 "is there already" on anna backup "$work/one" "${pass[@]}"
chmod 644 "$work/pass"
refuses "a passphrase that others may read" 5 "chmod 600" on anna backup "$work/two" "${pass[@]}"
chmod 600 "$work/pass"
printf 'short\n' >"$work/short"
refuses "a short passphrase" 1 "8 to" on anna backup "$work/two" --passphrase-file "$work/short"
refuses "no terminal" 2 "--passphrase-file" setsid "$saker" --store "$work/anna" backup "$work/two"
same "backup --json" "$(on anna backup "$work/two" "${pass[@]}" --json | json "sorted (j)")" "['bytes', 'file']"
if pgrep -f 'correct horse' >/dev/null || grep -qF 'correct horse' "$work"/*.log; then not_ok "the passphrase is seen"; else ok; fi

# ---- places where no restore goes

refuses "onto the running daemon" 9 "a daemon runs on it" on anna restore "$work/one" "${pass[@]}"
mkdir "$work/full"; touch "$work/full/x"
refuses "into a folder that holds something" 4 "not empty" on full restore "$work/one" "${pass[@]}"
refuses "with another passphrase" 14 "passphrase" on fresh restore "$work/one" --passphrase-file "$work/wrong"
head -c $(($(stat -c %s "$work/one") - 9)) "$work/one" >"$work/cut"
refuses "a backup that is cut" 10 "cut off" on fresh restore "$work/cut" "${pass[@]}"
python3 -c 'import sys
data = bytearray (open (sys.argv[1], "rb").read ())
data[len (data) // 2] ^= 4
open (sys.argv[2], "wb").write (data)' "$work/one" "$work/altered"
refuses "a backup that was altered" 14 "altered" on fresh restore "$work/altered" "${pass[@]}"
refuses "what is no backup" 1 "is not a backup" on fresh restore "$work/pass" "${pass[@]}"
if [ -e "$work/fresh" ] || [ -e "$work/.fresh.restoring" ]; then not_ok "something is left"; else ok; fi

# ---- killed in the middle: no file of that name; the next one goes through

for delay in 0.02 0.2 0.6 1.0; do
    "$saker" --store "$work/anna" backup "$work/killed" "${pass[@]}" >/dev/null 2>&1 &
    killed=$!
    sleep "$delay"
    kill -KILL "$killed" 2>/dev/null
    wait "$killed" 2>/dev/null
    if [ -e "$work/killed" ]; then # it was quicker: then it is whole
        works "a backup that ended before the kill" on whole restore "$work/killed" "${pass[@]}"
        rm -rf "$work/killed" "$work/whole"
    fi
done
for delay in 0.3 0.8 1.2; do
    "$saker" --store "$work/fresh" restore "$work/one" "${pass[@]}" >/dev/null 2>&1 &
    killed=$!
    sleep "$delay"
    kill -KILL "$killed" 2>/dev/null
    wait "$killed" 2>/dev/null
    if [ -e "$work/fresh" ]; then # as a whole or not at all
        start fresh
        prints "a restore that ended before the kill" '"Harbour"' on fresh get shots/sc010 /title
        stop fresh
        rm -rf "$work/fresh"
    fi
done
until_true "a backup after a kill" on anna backup "$work/killed" "${pass[@]}"
if [ -e "$work/killed.part" ]; then not_ok "the part of a killed one is left"; else ok; fi

# ---- restored elsewhere, while the first machine is off

works "what came after the backup" on anna set shots/late /n 7
works "is at bob's" on anna wait --on bob --timeout 20s
stop anna
works "restore" on fresh restore "$work/one" "${pass[@]}"
if grep -q 'new incarnation' "$work/out" && grep -q "next: stop anna" "$work/out"; then ok; else not_ok "it does not say what comes next"; fi
if [ -e "$work/.fresh.restoring" ]; then not_ok "the folder beside it is left"; else ok; fi
start fresh --seed "${addresses[bob]}"
same "why it is a new writer" "$(status fresh "j['incarnation']['why'], j['incarnation']['count'] >= 2")" "('restored', True)"
if [ "$(status fresh "j['writer']")" != "$old_writer" ]; then ok; else not_ok "it is the same writer"; fi
same "every write that was acknowledged before" \
    "$(on fresh get shots/many --json | json "all (str (j['data'].get ('k%d' % i)) == str (i) for i in range (1, $before + 1))")" True
until_true "what came after the backup comes back" on fresh get shots/late /n
works "write as the new one" on fresh set shots/new /n 8
works "and it is at bob's" on fresh wait --on bob --timeout 20s
prints "it reads there" 8 on bob get shots/new /n
works "all are equal" on bob verify --timeout 20s
refuses "a cursor from before" 19 "is gone" on fresh watch --from test --count 1 --timeout 100ms
same "the settings" "$(ls "$work/fresh" | grep -c '^device.key$')" 1

# ---- the old machine is switched on again: both keep their data, and a person is told

start anna --seed "${addresses[bob]}"
works "the old one writes" on anna set shots/old /n 9
works "the restored one writes" on fresh set shots/restored /n 10
until_true "the old one tells" runs_twice anna anna
until_true "the restored one tells" runs_twice fresh anna
for peer in anna fresh bob; do
    until_true "$peer has what the old one wrote" has_n "$peer" shots/old 9
    until_true "$peer has what the restored one wrote" has_n "$peer" shots/restored 10
done
until_true "all are equal again" on bob verify

finish
