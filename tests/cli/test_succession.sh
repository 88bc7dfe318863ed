#!/usr/bin/env bash
# A founder's machine is lost and restored from a backup: nobody needs to do anything for the log to be cut again.
# Then the old machine turns up after all: nothing of either is lost.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

holders () { on "$1" gc --plan --json | json "sorted ({h['why'] for l in j['logs'] for h in l['holders']})"; }

umask 077
echo 'correct horse battery' >"$work/pass"
found anna
admit bob anna
for peer in anna bob; do keep_nothing "$peer"; done
works "before the backup" on anna set shots/a /n 1
works "bob has it" on anna wait --on bob --timeout 20s
works "backup" on anna backup "$work/backup" --passphrase-file "$work/pass"
works "after the backup" on anna set shots/b /n 2
works "bob has it" on anna wait --on bob --timeout 20s
stop anna
works "written while nobody hears" on bob set shots/c /n 3

# ---- restored: what it was holds the log, and is closed by itself

works "restore" on fresh restore "$work/backup" --passphrase-file "$work/pass"
printf 'history = 0\n' >"$work/fresh/saker.conf"
start fresh --seed "${addresses[bob]}"
until_true "what came after the backup comes back" has_n fresh shots/b 2
works "it writes" on fresh set shots/d /n 4
works "bob has it" on fresh wait --on bob --timeout 20s
same "what it was holds the log of bob" "$(holders bob)" "['returned']"
works "as text" on bob gc --plan
if grep -q 'anna was restored or copied, .*closes what it was before' "$work/out"; then ok; else not_ok "plan: $(cat "$work/out")"; fi
patience_s=90 # the old machine has 20 s to show
until_true "the log of bob is cut" log_is bob "[0]"
until_true "and that of the restored one" log_is fresh "[0]"
if grep -q 'this device goes on as one' "$work/fresh.log"; then ok; else not_ok "the log does not say so"; fi
for n in 1 2 3 4; do
    until_true "all is there" has_n fresh "shots/$(echo abcd | cut -c "$n")" "$n"
done
until_true "it is not fenced" link_is bob anna up

# ---- the old machine is there after all, and wrote

stop fresh bob
start anna
works "written by the old machine" on anna set shots/old /n 9
start bob --seed "${addresses[anna]}"
until_true "bob reaches the old machine" link_is bob anna up # else it would reach the other one, and look no further
start fresh --seed "${addresses[bob]}"
for peer in anna bob fresh; do
    until_true "$peer has what the old machine wrote" has_n "$peer" shots/old 9
    until_true "$peer has what the restored one wrote" has_n "$peer" shots/d 4
done
same "the old one is another writer now" "$(status anna "j['incarnation']['why']")" fenced
until_true "it says that it runs twice" runs_twice anna anna
until_true "both do" runs_twice fresh anna
until_true "all have the same" on bob verify --timeout 5s

# ---- the only one that may write is restored below what the readers have cut: they hand it back

stop anna bob fresh
found fiona
on fiona invite --role read | on gus join - --as gus >/dev/null || not_ok "join of gus"
start gus
for peer in fiona gus; do keep_nothing "$peer"; done
works "before the backup" on fiona set shots/a /n 1
works "gus has it" on fiona wait --on gus --timeout 20s
works "backup" on fiona backup "$work/early" --passphrase-file "$work/pass"
works "after the backup" on fiona set shots/b /n 2
until_true "gus has cut it" log_is gus "[0]"
until_true "and reads it" has_n gus shots/b 2
stop fiona
works "restore" on later restore "$work/early" --passphrase-file "$work/pass"
start later --seed "${addresses[gus]}"
until_true "it comes back from who only reads" has_n later shots/b 2
works "and goes on" on later set shots/c /n 3
until_true "at gus's, too" has_n gus shots/c 3

finish
