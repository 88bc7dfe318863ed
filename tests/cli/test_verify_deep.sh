#!/usr/bin/env bash
# saker verify --deep: two peers with the same changes and other data. A value is made wrong on one of them under checksums and
# a fingerprint that are right, and the document, its place, and both values are named, from either side.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
spoil=$build/tests/crash/spoil
patience_s=60

found anna
admit bob anna
admit carol anna
works "languages" on anna import languages /usr/share/iso-codes/json/iso_639-3.json --at /639-3 --key alpha_3
works "a shot" on anna set shots/sc010 '{"title": "Dawn", "frames": 120}'
works "everywhere" on anna wait --all --timeout 60s
works "all is the same" on anna verify --deep
same "so it says" "$(on anna verify --deep --json | json "j['same'], j['differences']")" "(True, [])"

# ---- one value

stop bob
works "a value is spoilt" "$spoil" "$work/bob" wrong languages mlg
start bob --seed "${addresses[anna]}"
until_true "bob is there" link_is anna bob up
differs () { on "$1" verify "$2" --deep >"$work/found" 2>"$work/err"; [ $? = 18 ] && grep -q 'DATA DIFFERS at the same clock' "$work/found"; }
until_true "it differs" differs anna languages
same "the values of both" "$(grep -cE '^languages/mlg /name: (this peer has the register "Malagasy"|bob has the register "Malagasx"), of operation [0-9]+ of change [0-9]+ of writer [0-9a-f]{32} at 20' "$work/found")" 2
same "nothing else of it" "$(grep -c '^languages/' "$work/found")" 2
if grep -q '^    next: ' "$work/found" && grep -q 'differ' "$work/err"; then ok; else not_ok "no next step: $(cat "$work/found" "$work/err")"; fi
on bob verify languages --deep --json >"$work/found" 2>/dev/null
same "from the other side" "$(json "sorted ((d['peer'], d['document'], d['path'], d['here'], d['value']) for d in j['differences'])" <"$work/found")" \
    "[('anna', 'mlg', '/name', False, 'Malagasy'), ('anna', 'mlg', '/name', True, 'Malagasx'), ('carol', 'mlg', '/name', False, 'Malagasy'), ('carol', 'mlg', '/name', True, 'Malagasx')]"
same "without --deep" "$(on anna verify languages --json 2>/dev/null | json "'differences' in j, j['same']")" "(False, False)"
on anna doctor >"$work/found" 2>/dev/null
if grep -qE '^error: bob has applied the same changes to languages and holds other data \[data.differs\]$' "$work/found"; then ok; else not_ok "doctor: $(cat "$work/found")"; fi

until_true "carol is there, too" link_is bob carol up
same "nobody is away, and bob's former process is no member" "$(status bob "j['links']['silent'] + j['links']['left']")" 0

# ---- the first, while others write

stop bob
works "the first is spoilt" "$spoil" "$work/bob" wrong languages aaa
start bob --seed "${addresses[anna]}"
until_true "bob is there" link_is anna bob up
(for ((i = 0; i < 20; i++)); do on carol incr languages/zzz-counter /n >/dev/null 2>&1; done) &
writing=$!
names_aaa () { on anna verify languages --deep >"$work/found" 2>/dev/null; grep -q '^languages/aaa /name: bob has' "$work/found"; }
until_true "the first is named" names_aaa
wait "$writing"
same "and no other" "$(grep '^languages/' "$work/found" | grep -vc '^languages/aaa')" 0

# ---- large documents: more than is added up at once

python3 -c '
import json
print (json.dumps ([{"id": f"d{i:03}", "data": {"text": "x" * 55000}} for i in range (400)]))' >"$work/large.json"
works "large documents" on anna import large "$work/large.json"
works "everywhere" on anna wait --all --timeout 60s
works "they are the same" on anna verify large --deep
stop bob
works "the last is spoilt" "$spoil" "$work/bob" wrong large d399
start bob --seed "${addresses[anna]}"
until_true "bob is there" link_is anna bob up
until_true "it differs" differs anna large
same "and is named" "$(grep -c '^large/d399 /text: ' "$work/found")" 2

# ---- who may not read is told nothing

works "a secret" on anna set secret/s '{"t": "abc"}'
works "everywhere" on anna wait --all --timeout 60s
works "carol may not read it" on anna role carol relay --collection secret
until_true "she seals it" on carol wait --timeout 5s
refuses "carol compares nothing" 5 "" on carol get secret/s
finish
