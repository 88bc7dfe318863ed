#!/usr/bin/env bash
# Rights given and taken: real daemons, some of them away while it happens.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

patience_s=60
carol_holds_nothing () { local plan; plan=$(on anna gc --plan) && [[ $plan != *carol* ]]; }
refuses_write () { on "$1" set "$2" /n 0 >/dev/null 2>&1; [ $? = 5 ]; }

found anna
admit bob anna
admit carol anna
works "bob writes" on bob set shots/a /n 1
works "all have it" on bob wait --all --timeout 60s

# ---- what cannot be done

refuses "only an admin" 5 "only admin may" on bob revoke carol
refuses "not oneself" 2 "its own rights" on anna revoke anna
refuses "nobody of that name" 3 "no member called dora" on anna revoke dora
refuses "no such role" 2 "none, relay, read, write or admin" on anna role bob king
refuses "it has it" 4 "already" on anna role bob write
works "carol becomes admin" on anna role carol admin
until_true "carol knows" role_is carol carol admin
refuses "not the founder" 5 "founded the mesh" on carol revoke anna
works "carol writes again" on anna role carol write
works "what a revocation means" on anna revoke bob --explain
if grep -q "cannot read what is written from now on" "$work/out" && grep -q "Not undone" "$work/out"; then ok; else not_ok "--explain: $(cat "$work/out")"; fi
until_true "bob is as before" role_is anna bob write

# ---- keys

same "one key" "$(on anna keys --json | wc -l)" 2 # made at first, and when carol was no admin any more
works "new keys" on anna keys --rotate
same "three keys, one seals" "$(on anna keys --json | python3 -c 'import json, sys
keys = [json.loads (line) for line in sys.stdin]
print (len (keys), [k["generation"] for k in keys if k["seals"]])')" "3 [2]"
refuses "bob makes none" 5 "only admin may" on bob keys --rotate
works "written with the new key" on anna set shots/b /n 2
until_true "and read" shows bob shots/b '{"n":2}'

# ---- bob writes on, with carol; anna, who is away from both, revokes him

stop anna
works "bob writes while anna is away" on bob set shots/c /n 3
works "carol writes upon it" on carol set shots/c /m 4
until_true "carol has it" shows carol shots/c '{"m":4,"n":3}'
stop bob carol
start anna
works "revoke" on anna revoke bob
refuses "he is revoked" 4 "revoked already" on anna revoke bob
start carol --seed "${addresses[anna]}"
until_true "what bob wrote is taken back at carol's" shows carol shots/c '{"m":4}'
until_true "what he wrote before stands" shows carol shots/a '{"n":1}'
works "all have all" on anna wait --all --timeout 60s
works "all have the same" on anna verify --timeout 60s

# ---- bob is back, and knocks

start bob --seed "${addresses[anna]}" --seed "${addresses[carol]}"
works "anna writes" on anna set shots/d /n 5
until_true "carol has it" shows carol shots/d '{"n":5}'
until_true "he is refused at the door" link_is bob anna silent
if lacks bob shots/d; then ok; else not_ok "bob has what was written after he was revoked"; fi
works "bob goes on alone" on bob set shots/e /n 6
if lacks anna shots/e && lacks carol shots/e; then ok; else not_ok "what bob writes gets in"; fi

# ---- a right of one collection, and one that comes back

works "carol only reads the notes" on anna role carol read --collection notes
until_true "she may not write them" refuses_write carol notes/x
works "but the shots" on carol set shots/f /n 7
works "she may again" on anna role carol write --collection notes
until_true "she writes them" on carol set notes/x /n 8
until_true "anna has it" shows anna notes/x '{"n":8}'
works "carol only reads" on anna role carol read
until_true "she may not write" refuses_write carol shots/f
works "carol writes" on anna role carol write
until_true "she writes" on carol set shots/f /n 9
until_true "anna has it" shows anna shots/f '{"n":9}'
works "all have the same in the end" on anna verify --timeout 60s
until_true "carol, who got a right back, does not hold the log" carol_holds_nothing

# ---- links of who is connected are closed

admit dora anna
works "dora is there" on anna wait --all --timeout 60s
until_true "linked" link_is dora anna up
until_true "linked" link_is dora carol up
works "revoke her" on anna revoke dora
until_true "anna's link is silent for her" link_is dora anna silent
until_true "carol's too" link_is dora carol silent
for command in peers links; do
    works "$command" on anna $command
    if grep -q '^dora' "$work/out" || ! grep -q '^carol' "$work/out"; then not_ok "$command lists who was revoked: $(cat "$work/out")"; else ok; fi
    works "$command --all" on anna $command --all
    if grep -q '^dora .* revoked$' "$work/out"; then ok; else not_ok "$command --all: $(cat "$work/out")"; fi
done
same "in JSON it is named so" "$(on anna peers --json | json "[p['link'] for p in j if p['name'] == 'dora']") $(on anna links --json | json "[l['state'] for l in j if l['name'] == 'dora']")" "['revoked'] ['revoked']"
works "top leaves it out" on anna top --once
if grep -q dora "$work/out"; then not_ok "top: $(cat "$work/out")"; else ok; fi
same "it is no member that is away" "$(status anna "j['links']['silent'] + j['links']['left'] + j['links']['up']")" "$(on anna peers | grep -cE '(silent|left|up)$')"
works "anna writes" on anna set shots/g /n 10
until_true "carol has it" shows carol shots/g '{"n":10}'
if lacks dora shots/g; then ok; else not_ok "dora reads on"; fi

# ---- who may only read, but write in one collection

on anna invite --role read | on eve join - --as eve >/dev/null || not_ok "join"
start eve --seed "${addresses[anna]}"
until_true "eve is there" link_is anna eve up
refuses "she may only read" 5 "may only read" on eve set notes/a /n 1
works "she may write notes" on anna role eve write --collection notes
writes () { on eve set notes/a /n 1; }
until_true "she does" writes
until_true "anna has it" has_n anna notes/a 1
refuses "but nothing else" 5 "may only read" on eve set shots/a /n 1
works "that is taken" on anna role eve read --collection notes
cannot () { ! on eve set notes/a /n 2; }
until_true "and ends" cannot
stop anna bob carol dora eve
finish
