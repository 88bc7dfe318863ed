#!/usr/bin/env bash
# import and export: real documents, everything that can be wrong with a file, equal bytes for equal data.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

found a
a () { on a "$@"; }
file=$work/in.json
json=/usr/share/iso-codes/json

# ---- the three forms

printf '[{"id": "x", "n": 1}, {"id": "y", "n": 2}]' >"$file"
prints "an array" 'imported 2 documents into arrays (2 written, 0 unchanged)' a import arrays "$file" --key id
prints "the key stays in the document" '{"id":"x","n":1}' a get arrays/x
printf '{"id": "x", "n": 1}\n\n{"id": 7, "n": 2}' >"$file"
prints "lines" 'imported 2 documents into lines (2 written, 0 unchanged)' a import lines "$file" --key id
prints "an integer as id" '{"id":7,"n":2}' a get lines/7
printf '{"a": {"b/c": [0, [{"id": "x"}]]}}' >"$file"
prints "an array inside" 'imported 1 document into inside (1 written, 0 unchanged)' a import inside "$file" --at '/a/b~1c/1' --key id
prints "from stdin" 'imported 1 document into stdin (1 written, 0 unchanged)' a import stdin - --key id <<<'{"id": "x"}'
prints "nothing" 'imported 0 documents into none (0 written, 0 unchanged)' a import none - --key id </dev/null

# ---- again

printf '{"id": "x", "n": 1}\n{"id": "z", "n": 3}\n{"id": 7, "n": 4}' >"$file"
same "import --json" \
    "$(a import lines "$file" --key id --json | json "j['documents'], j['written'], j['unchanged'], j['skipped'], j['problems']")" \
    "(3, 2, 1, 0, [])"
prints "changed" '{"id":7,"n":4}' a get lines/7
prints "the others stay" $'7\nx\nz' a ls lines

# ---- what is wrong is named, and nothing is imported

printf '{"id": "x"}\n{"id": "y", "n": }\n' >"$file"
refuses "malformed line" 1 "$file:2:18: " a import bad "$file" --key id
printf '[{"id": "x"},\n {"id" "y"}]' >"$file"
refuses "malformed array" 1 "$file:2:8: " a import bad "$file" --key id
printf '[{"id": "x"},\n {"id": "y"}' >"$file"
refuses "an array that is cut off" 1 "$file:2:" a import bad "$file" --key id
printf '{"id": "x"}\n{"id": "y", "n": [1]}\n' >"$file"
refuses "an array in a document" 1 "$file:2:1: document y: an array at /n: lists come" a import bad "$file" --key id
printf '{"id": "x"}\n{"id": "y", "n": 9223372036854775808}\n' >"$file"
refuses "an integer over 64 bits" 1 "$file:2:18: the integer 9223372036854775808 does not fit" a import bad "$file" --key id
printf '{"id": "x"}\n{"id": "y", "n": 1, "n": 2}\n' >"$file"
refuses "a key twice" 1 "$file:2:21: duplicate object key" a import bad "$file" --key id
printf '{"id": "x"}\n{"no": "y"}\n' >"$file"
refuses "no key" 1 "$file:2:1: no key \"id\"" a import bad "$file" --key id
printf '{"id": "x"}\n{"id": ""}\n' >"$file"
refuses "an empty key" 1 "$file:2:1: \"id\" cannot name a document" a import bad "$file" --key id
printf '{"id": "x"}\n5\n' >"$file"
refuses "no object" 1 "$file:2:1: not an object" a import bad "$file" --key id
printf '{"id": "x"}\n{"id": "y"}\n{"id": "x"}\n' >"$file"
refuses "a document twice" 1 "$file:3:1: the document \"x\" is in the file twice, first in line 1" a import bad "$file" --key id
printf '{"id": "x"}\n' >"$file"
refuses "no --key" 1 "$file:1:1: no \"id\" and \"data\"" a import bad "$file"
refuses "nothing at --at" 1 "nothing at /a" a import bad "$file" --at /a --key id
printf '{"a": 1}\n' >"$file"
refuses "no array at --at" 1 "there is no array at /a" a import bad "$file" --at /a --key id
refuses "a bad pointer" 2 "is no JSON Pointer" a import bad "$file" --at a --key id
refuses "no file" 3 "cannot open $work/none" a import bad "$work/none" --key id
refuses "nothing was imported" 3 "" a ls bad

# ---- --keep-going

printf '{"id": "x"}\n{"id": \n{"no": 1}\n{"id": "x"}\n{"id": "y", "n": [1]}\n{"id": "z"}\n' >"$file"
refuses "--keep-going lists" 1 "skipped: $file:2:" a import going "$file" --key id --keep-going
same "and counts" "$(cat "$work/out")" 'imported 2 documents into going (2 written, 0 unchanged, 4 skipped)'
same "each on a line" "$(grep -c "skipped: $file:" "$work/err")" 4
prints "the good ones are there" $'x\nz' a ls going
printf '[{"id": "p"}, {"id" "q"}, {"id": "r"}' >"$file"
refuses "--keep-going in an array" 1 "1 of the documents skipped" a import going2 "$file" --key id --keep-going
prints "the good ones of the array" $'p\nr' a ls going2

# ---- limits: a document just below, one above; many small ones in a few changes

text () { head -c "$1" /dev/zero | tr '\0' x; }
printf '{"id": "x", "t": "%s"}\n{"id": "y", "t": "%s"}\n' "$(text 60000)" "$(text 61000)" >"$file"
prints "documents near the limit" 'imported 2 documents into large (2 written, 0 unchanged)' a import large "$file" --key id
printf '{"id": "x", "t": "%s"}\n' "$(text 62000)" >"$file"
refuses "a value over the limit" 6 "document x" a import large "$file" --key id
python3 -c 'import json
for i in range (3000): print (json.dumps ({"id": "d%d" % i, "a": i, "b": str (i)}))' >"$file"
same "many in a few changes" "$(a import many "$file" --key id --json | json "j['written'], j['changes'] < 30")" "(3000, True)"
python3 -c 'import json
print (json.dumps ({"id": "wide", **{"k%d" % i: i for i in range (1000)}}))' >"$file"
works "a wide document" a import wide "$file" --key id
python3 -c 'import json
print (json.dumps ({"id": "wider", **{"k%d" % i: i for i in range (1100)}}))' >"$file"
refuses "a document with too many places" 6 "document wider" a import wide "$file" --key id

# ---- export

works "prepare" a set kinds/a '{"n": {"$counter": 4}, "s": {"$set": ["b", "a", 3]}, "b": {"$bytes": "AAE="}, "e": {}, "$$set": 1, "é": {"ü": 0.1}}'
works "prepare" a set kinds/Z '{}'
works "prepare" a set kinds/é '{"x/y": {"~": "\u0000"}}'
want='{"data":{},"id":"Z"}
{"data":{"$$set":1,"b":{"$bytes":"AAE="},"e":{},"n":{"$counter":4},"s":{"$set":[3,"a","b"]},"é":{"ü":0.1}},"id":"a"}
{"data":{"x/y":{"~":"\u0000"}},"id":"é"}'
prints "export" "$want" a export kinds
a export kinds >"$work/kinds"
works "every line is JSON" json_lines <"$work/kinds"
prints "import of an export" 'imported 3 documents into copy (3 written, 0 unchanged)' a import copy "$work/kinds"
prints "export of the import" "$want" a export copy
prints "again: nothing to do" 'imported 3 documents into copy (0 written, 3 unchanged)' a import copy "$work/kinds"
prints "the counter counts on" 5 a incr copy/a /n
refuses "export of nothing" 3 "" a export none

# ---- the languages and regions of Debian's iso-codes

if [ -f "$json/iso_639-3.json" ]; then
    prints "languages" 'imported 7910 documents into languages (7910 written, 0 unchanged)' \
        a import languages $json/iso_639-3.json --at /639-3 --key alpha_3
    prints "regions" 'imported 5127 documents into regions (5127 written, 0 unchanged)' \
        a import regions $json/iso_3166-2.json --at /3166-2 --key code
    prints "French" '{"alpha_2":"fr","alpha_3":"fra","bibliographic":"fre","name":"French","scope":"I","type":"L"}' \
        a get languages/fra
    same "their number" "$(a ls | grep -E 'languages|regions')" $'languages\t7910\nregions\t5127'
    prints "languages again" 'imported 7910 documents into languages (0 written, 7910 unchanged)' \
        a import languages $json/iso_639-3.json --at /639-3 --key alpha_3
    a export languages >"$work/languages"
    same "lines" "$(wc -l <"$work/languages")" 7910
    same "exactly what is in the file" "$(python3 - "$work/languages" $json/iso_639-3.json <<'P'
import json, sys
out = {j["id"]: j["data"] for j in map (json.loads, open (sys.argv[1]))}
print (out == {j["alpha_3"]: j for j in json.load (open (sys.argv[2]))["639-3"]})
P
)" True
    sed 's/.*"id":"//; s/"}$//' "$work/languages" >"$work/ids"
    works "sorted by id" env LC_ALL=C sort -c "$work/ids"
    works "import of that export" a import languages2 "$work/languages"
    if cmp -s <(a export languages2) "$work/languages"; then ok; else not_ok "export, import and export give other bytes"; fi
else
    skip "the package iso-codes is not installed"
fi
stop a
finish
