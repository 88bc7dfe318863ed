#!/usr/bin/env bash
# carry: a peer has of a collection only the documents of some prefixes; more and less of it, also
# when it is killed in the midst; verify finds what is damaged there; seen: no reads backwards.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

documents () { on "$1" ls shots | tr '\n' ' ' | sed 's/ $//'; }
carries () { [ "$(on "$1" carry shots --json | json "j['parts'][0]['state']")" = "$2" ]; }
lists () { [ "$(documents "$1")" = "$2" ]; }
is_verified () { on "$1" verify shots --timeout 2s >/dev/null 2>&1; }

# killed NAME: as a power cut; waits until it is gone.
killed ()
{
    kill -KILL "${pids[$1]}"
    read -r -t "$ready_s" -u "${pipes[$1]}" _ # its stdout is closed then
    unset "pids[$1]" "pipes[$1]"
}

found anna
admit bob anna
admit carol anna
keep_nothing anna
keep_nothing bob
keep_nothing carol
for shot in a010 a020 b010 b020 c010; do on anna set "shots/$shot" /n 1 >/dev/null || not_ok "set"; done
until_true "all are here" lists bob "a010 a020 b010 b020 c010"

# ---- less of it

works "bob carries less" on bob carry shots a
same "what it says" "$(on bob carry shots --json | json "[(p['collection'], p['whole'], p['prefixes']) for p in j['parts']]")" \
    "[('shots', False, ['a'])]"
prints "at once nothing else is shown" "a010 a020" documents bob
until_true "it is gone" carries bob carried
refuses "a document that is not carried" 21 "saker carry shots PREFIX" on bob get shots/b010
refuses "to write one" 21 "does not carry shots/b010" on bob set shots/b010 /n 2
refuses "a batch with one is refused as a whole" 21 "does not carry shots/b010" \
    on bob import shots - < <(printf '{"id":"a010","data":{"n":5}}\n{"id":"b010","data":{"n":5}}\n')
prints "nothing of it was written" 1 on bob get shots/a010 /n
refuses "its history" 21 "does not carry" on bob log shots/b010
refuses "why is it not here" 21 "not-carried" on bob why shots/b010
until_true "anna knows" eval 'on anna why shots/b010 bob 2>/dev/null | grep -q "^not-carried: bob carries only a part"'
works "one that is carried" on bob set shots/a010 /n 2
works "one that is not, elsewhere" on anna set shots/b010 /n 2
until_true "changes come as everywhere" has_n anna shots/a010 2
until_true "verify there" is_verified bob
until_true "and elsewhere" is_verified anna
works "as text" on anna verify shots
if grep -q 'bob .* same, as far as it carries it: a$' "$work/out"; then ok; else not_ok "verify: $(cat "$work/out")"; fi
same "in the status" "$(status bob "j['collections']['shots']['carries'], j['collections']['shots']['documents']")" "('a', 2)"
until_true "logs are cut as before" log_is_empty anna

refuses "an admin carries all" 5 "carries all of every collection" on anna carry shots a
works "what looks like a pattern" on carol carry lights 'x*'
if grep -q "x\* is no pattern" "$work/err"; then ok; else not_ok "it is not told"; fi
works "all of it again" on carol carry lights --whole
refuses "an empty prefix" 2 "at least one byte" on bob carry shots ""
refuses "both" 2 "no prefixes" on bob carry shots a --whole
refuses "too many prefixes" 2 "one word too many" on bob carry shots $(seq 100 164)
refuses "too long" 1 "is the beginning of a document's id" on bob carry shots "$(printf 'x%.0s' {1..256})"

# ---- more of it: with a snapshot, since the log is cut

works "bob carries another part, too" on bob carry shots shots/a b01
until_true "it comes" carries bob carried
prints "it is there" "a010 a020 b010" documents bob
prints "as it is elsewhere" 2 on bob get shots/b010 /n
until_true "verify" is_verified bob

# ---- two who carry parts have nothing to give each other

stop anna
works "carol carries less, with no admin there" on carol carry shots c
until_true "and lets go" carries carol carried
works "carol wants all again" on carol carry shots --whole
works "bob wants all" on bob carry shots --whole
prints "reads of what is here go on" 1 on bob get shots/a020 /n
refuses "what is not here yet" 22 "is not here yet" on bob get shots/c010
refuses "why" 22 "fetched" on bob why shots/c010
if on bob why shots/c010 2>/dev/null | grep -q "nobody that is linked is known to have it"; then ok; else not_ok "why: nobody"; fi
until_true "doctor says that it cannot come" eval 'on bob doctor 2>/dev/null | grep -A1 "^warning: more of shots is wanted here .*no admin.s peer is linked.* \[data.fetched\]$" | grep -q "next: start sakerd on an admin.s machine"'
killed bob
start anna
stop carol
start carol --seed "${addresses[anna]}"
start bob --seed "${addresses[anna]}"
until_true "bob has all, after it was killed" lists bob "a010 a020 b010 b020 c010"
until_true "doctor says no more of it" eval '! on bob doctor --json 2>/dev/null | grep -q data.fetched'
until_true "carol, too" lists carol "a010 a020 b010 b020 c010"
until_true "all is equal" is_verified bob

# ---- killed while much of it is being removed

for i in 1 2 3; do
    seq -f '{"id":"big/%05g","data":{"n":1,"m":{"a":1,"b":2}}}' $((i * 3000)) $((i * 3000 + 2999)) |
        on anna import shots - >/dev/null || not_ok "import"
done
until_true "bob has them" eval '[ "$(on bob status --json | json "j[\"collections\"][\"shots\"][\"documents\"]")" = 9005 ]'
works "bob carries less" on bob carry shots a
until_true "it is being removed, or was" eval 'carries bob removing || carries bob carried'
killed bob
start bob --seed "${addresses[anna]}"
prints "after that, too" "a010 a020" documents bob
until_true "it goes on" carries bob carried
same "nothing else is left" "$(status bob "j['collections']['shots']['documents']")" 2
until_true "verify" is_verified bob
until_true "verify by another" is_verified carol

# ---- a client that goes from one to the other sees nothing go backwards

works "a write" on anna set shots/a010 /n 77
token=$(on anna seen shots) || not_ok "seen"
works "bob waits for it" on bob wait --seen "$token" --timeout 20s
prints "and has it" 77 on bob get shots/a010 /n
stop bob
works "another" on anna set shots/a010 /n 78
token=$(on anna seen shots --json | json "j['token']")
stop anna carol
start bob
refuses "what never came" 12 "are not here yet" on bob wait --seen "$token" --timeout 1s
refuses "what is no token" 1 "is no token" on bob wait --seen "${token}x" --timeout 1s
refuses "both ways" 2 "without --on" on bob wait --seen "$token" --on anna

# ---- damage

on bob set shots/a020 /text '"marked-for-damage"' >/dev/null || not_ok "set"
start anna
stop bob
start bob --seed "${addresses[anna]}"
until_true "all is well" eval 'on anna verify shots --timeout 2s 2>/dev/null | grep -q "bob .* same, as far as"'
stop bob
python3 - "$work/bob/data.mdb" <<'PY' || not_ok "no mark in the store"
import sys
data = bytearray (open (sys.argv[1], "rb").read ())
found = data.count (b"marked-for-damage")
at = data.find (b"marked-for-damage")
while at >= 0:
    data[at] ^= 1
    at = data.find (b"marked-for-damage", at)
open (sys.argv[1], "r+b").write (data)
sys.exit (0 if found else 1)
PY
start bob --seed "${addresses[anna]}"
until_true "anna finds it" eval 'on anna verify shots --timeout 3s 2>/dev/null | grep -q "bob .*DATA DIFFERS"'
until_true "bob finds it" eval 'on bob verify shots --timeout 3s 2>/dev/null | grep -q "bob .*DATA DIFFERS"'
finish
