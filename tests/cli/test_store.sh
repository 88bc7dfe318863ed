#!/usr/bin/env bash
# saker store check and dump: a store in use is refused, a sound one is called so and not touched, and a record of each kind
# that is damaged, gone, or wrong under a right checksum is found, with the next step.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
spoil=$build/tests/crash/spoil

# ---- a store with something of each kind

rivals_are () { [ "$(rivals "$1")" = "$2" ]; }

found anna
admit bob anna
stop bob
works "one title" on anna set shots/r /title '"Dawn"'
stop anna
start bob
works "another title" on bob set shots/r /title '"Dusk"'
start anna --seed "${addresses[bob]}"
works "documents" on anna import languages /usr/share/iso-codes/json/iso_3166-1.json --at /3166-1 --key alpha_3
works "a counter" on anna incr shots/r /takes
works "a set" on anna add shots/r /tags '"night"'
works "text with marks" on anna set shots/q /note '"a \"b\" \\ \n ü"'
works "a cursor" on anna watch --from cursor --count 0
until_true "a conflict" rivals_are anna 1
works "all have it" on anna wait --all --timeout 60s
refuses "a daemon runs on it" 9 "is open in process ${pids[anna]} (sakerd): go through it" on anna store check
refuses "the same for dump" 9 "is open in process ${pids[anna]}" on anna store dump
stop anna bob

# ---- sound, and not touched

state () { (cd "$work/${1:-anna}" && find . -printf '%p %i %m %s %T@ %C@\n' | sort && find . -type f -exec sha256sum {} +); }
before=$(state)
works "check" on anna store check
if grep -q '^OK: every record of .* is sound' "$work/out"; then ok; else not_ok "check: $(cat "$work/out")"; fi
prints "as JSON" '{"findings":0}' "$saker" store check "$work/anna" --json
works "dump" on anna store dump
same "nothing of it is touched" "$(state)" "$before"
if json_lines <"$work/out"; then ok; else not_ok "the dump is no JSON"; fi
# kinds KIND: how many lines of it
kinds () { grep -c "^{\"kind\":\"$1\"" "$work/out"; }
same "collections" "$(kinds collection)" 3
same "statements" "$(kinds statement)" 6
same "values of countries" "$(grep -c '^{"kind":"value","collection":"languages"' "$work/out")" "$(python3 -c 'import json
print (sum (len (c) for c in json.load (open ("/usr/share/iso-codes/json/iso_3166-1.json"))["3166-1"]))')"
same "changes" "$(kinds change)" "$(python3 -c 'import json, sys
print (sum (json.loads (line)["changes"] for line in open (sys.argv[1]) if line.startswith ("{\"kind\":\"collection\"")))' "$work/out")"
same "nothing is damaged" "$(kinds damaged)" 0
works "one document" on anna store dump --collection shots --document r
same "its values, rivals too" "$(python3 -c 'import json, sys
lines = [json.loads (line) for line in open (sys.argv[1])]
print (sorted ((l["path"], l["cell"], l["value"], l["rival"]) for l in lines if l["kind"] == "value" and l["cell"] != "register"),
       sorted ((l["value"], l["path"]) for l in lines if l["kind"] == "value" and l["cell"] == "register"),
       sum (1 for l in lines if l["kind"] == "change"))' "$work/out")" \
    "[('/tags', 'member', 'night', False), ('/takes', 'counter', 1, False)] [('Dawn', '/title'), ('Dusk', '/title')] 4"
works "another" on anna store dump --collection shots --document q
same "its text" "$(head -n 1 "$work/out" | json "j['value']")" $'a "b" \\ \n ü'
refuses "no such collection" 3 "no collection called nothing" on anna store dump --collection nothing
refuses "no such document" 3 "no document called nothing in shots" on anna store dump --collection shots --document nothing
refuses "a document of what" 2 "--document needs --collection" on anna store dump --document r
refuses "no store" 3 "" "$saker" store check "$work/none"
refuses "what else" 2 "it is check or dump" on anna store repair
key=$(xxd -p "$work/anna/device.key" 2>/dev/null | tr -d '\n' | tail -c 64)
works "all of it" on anna store dump
if [ -n "$key" ] && grep -q "$key" "$work/out"; then not_ok "the key is in the dump"; else ok; fi

# ---- damage

# finds WHAT CODE WORDS TABLE NUMBER HOW [OFFSET]: in a copy of the store that is spoilt so.
finds ()
{
    local what=$1 code=$2 words=$3
    shift 3
    rm -rf "$work/copy"
    cp -r "$work/anna" "$work/copy"
    if ! "$spoil" "$work/copy" "$@" 2>"$work/err"; then not_ok "$what: $(cat "$work/err")"; return; fi
    "$saker" store check "$work/copy" >"$work/found" 2>"$work/err"
    same "$what: exit status" $? 10
    if grep -E "\[$code\]$" "$work/found" | grep -qF -- "$words"; then ok; else not_ok "$what: $(head -n 4 "$work/found" "$work/err")"; fi
    if [ "$(grep -c '^    next: ..' "$work/found")" = "$(grep -c '^error: ' "$work/found")" ]; then ok; else not_ok "$what: no next step"; fi
}
for table in writers writer-ids collections ticks documents document-ids cells log positions cursors conflicts history; do
    finds "bits of $table" record.damaged "table $table, key" "$table" 0 bits
done
finds "bits of what it is" record.damaged "table meta" meta 3 bits
finds "whose values" record.damaged "the values of a document (languages/" cells -1 bits
finds "a writer is gone" index.count "table writers has" writers 0 remove
finds "a writer's id is gone" data.unreadable "cannot be put together" writer-ids 0 remove
finds "a collection is gone" data.stray "a collection that is not there" collections -1 remove
finds "a clock is gone" data.unreadable "the clock of a collection" ticks -1 remove
finds "a document's number is gone" "index.documents" "has a number that is not its own" documents -1 remove
finds "a document's id is gone" data.count "where 249 are noted" document-ids -1 remove
finds "values are gone" data.count "has values of" cells -1 remove
finds "a change is gone" log.chain "it is not in the log" log -1 remove
finds "its number is noted" log.count "where its clock has" log -1 remove
finds "a position is gone" log.differs "not where the index of positions has it" positions -1 remove
finds "a conflict is gone" index.conflicts "is not in the index of conflicts" conflicts -1 remove
finds "history is gone" index.history "changes of the log, which has" history -1 remove
finds "a number is a lie" index.documents "has a number that is not its own" documents -1 lie
finds "an id is a lie" index.documents "has a number that is not its own" document-ids -1 lie
finds "a value is a lie" data.differs "does not add up to its fingerprint" cells -1 lie
finds "a fingerprint is a lie" data.differs "does not add up to its fingerprint" collections -1 lie -14
finds "a name is a lie" data.name "is not the one that its id was made of" collections -1 lie 6
finds "a clock is a lie" log.chain "the clock has the hash of" ticks -1 lie 20
finds "a change is a lie" "log\.(chain|differs)" "change" log 8 lie 60
finds "a signature is a lie" log.differs "it is not signed by its writer" log 1 lie 430
finds "a position is a lie" log.differs "not where the index of positions has it" positions -1 lie
finds "history is a lie" index.history "with other documents than it touched" history -1 lie
works "several at once" "$spoil" "$work/copy" cells 3 bits
"$saker" store check "$work/copy" --json >"$work/found" 2>/dev/null
same "as JSON" "$(python3 -c 'import json, sys
print (sorted (set (json.loads (line)["code"] for line in open (sys.argv[1]))))' "$work/found")" "['index.history', 'record.damaged']"
"$saker" store dump "$work/copy" >"$work/out" 2>"$work/err"
same "dump of a damaged store" "$? $(kinds damaged)" "10 1"

# ---- pages of LMDB

rm -rf "$work/copy"
cp -r "$work/anna" "$work/copy"
truncate -s -40960 "$work/copy/data.mdb"
refuses "cut short" 10 "is damaged" "$saker" store check "$work/copy"
# pages WHAT PROGRAM: a copy of the store, of whose file the program, which has it as `data`, made something else.
pages ()
{
    rm -rf "$work/copy"
    cp -r "$work/anna" "$work/copy"
    if python3 -c "import struct, sys
data = bytearray (open (sys.argv[1], 'rb').read ())
$2
open (sys.argv[1], 'wb').write (data)" "$work/copy/data.mdb"; then ok; else not_ok "$1"; fi
    "$saker" store check "$work/copy" >"$work/found" 2>"$work/err"
    same "$1" "$? $(grep -c '\[pages.damaged\]' "$work/found")" "10 1"
}
pages "garbled pages" "for at in range (2 * 4096, len (data), 4096):
    data[at + 10:at + 60] = b'\xff' * 50"
# the root of the tables, by the later of LMDB's two first pages, becomes a branch whose two keys lead to itself
pages "a tree that goes round in circles" "meta = max ((0, 4096), key = lambda at: struct.unpack_from ('<Q', data, at + 144))
root = struct.unpack_from ('<Q', data, meta + 128)[0]
at = root * 4096
struct.pack_into ('<HHHHH', data, at + 10, 1, 20, 4000, 4000, 4000)
struct.pack_into ('<HHHH', data, at + 4000, root & 0xffff, root >> 16, 0, 0)"
rm "$work/copy/data.mdb"
refuses "no data" 3 "is not a store" "$saker" store check "$work/copy"

# ---- writes that are in the journal alone, as a daemon that is killed leaves them

start anna
works "a write" on anna set shots/r /one 1
works "another" on anna set shots/r /two 2
works "a third" on anna set shots/r /three 3
kill -KILL "${pids[anna]}"
stop anna
rm -rf "$work/copy"
cp -r "$work/anna" "$work/copy"
before=$(state copy)
works "check" "$saker" store check "$work/copy"
works "dump" "$saker" store dump "$work/copy" --collection shots --document r
same "what the journal has is looked at" "$(grep -c '^{"kind":"value".*"path":"/\(one\|two\|three\)"' "$work/out")" 3
same "nothing of it is touched" "$(state copy)" "$before"
printf x | dd of="$work/copy/journal" bs=1 seek=100 conv=notrunc status=none
refuses "damaged" 10 "1 finding" "$saker" store check "$work/copy"
same "it is the journal" "$(grep -c '\[journal.damaged\]' "$work/out")" 1
works "dump of the rest" "$saker" store dump "$work/copy" --collection shots --document r
same "without what the journal has" "$(grep -c '^{"kind":"value".*"path":"/\(one\|two\|three\)"' "$work/out")" 0
if timeout 20 "$sakerd" --store "$work/copy" --listen tcp://127.0.0.1:0 --no-beacon 2>"$work/err" >"$work/out"; then
    not_ok "a daemon starts on it"
elif grep -q "a write in its journal is damaged" "$work/err"; then ok; else not_ok "why no daemon starts: $(cat "$work/err")"; fi
start anna
same "all is there after a kill" "$(on anna get shots/r /one)$(on anna get shots/r /two)$(on anna get shots/r /three)" 123

finish
