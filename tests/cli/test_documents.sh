#!/usr/bin/env bash
# Documents on one peer: set, get, delete, incr, add, remove, ls; JSON exact to the bit.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

found a
a () { on a "$@"; }

# ---- set and get

works "set a document" a set shots/sc010 '{"title": "Harbour", "frames": 240, "by": {"name": "Zoë"}}'
prints "get it" '{"by":{"name":"Zoë"},"frames":240,"title":"Harbour"}' a get shots/sc010
prints "get a map in it" '{"name":"Zoë"}' a get shots/sc010 /by
prints "get a leaf" '"Zoë"' a get shots/sc010 /by/name
prints "get a text without quotes" 'Zoë' a get shots/sc010 /by/name --raw
works "set a leaf" a set shots/sc010 /title '"Harbour at night"'
prints "the leaf" '"Harbour at night"' a get shots/sc010 /title
prints "the rest is there" '240' a get shots/sc010 /frames
works "replace the document" a set shots/sc010 '{"title": "Harbour"}'
prints "what is not named is gone" '{"title":"Harbour"}' a get shots/sc010
works "an empty map" a set shots/sc010 /empty '{}'
prints "the empty map" '{"empty":{},"title":"Harbour"}' a get shots/sc010
works "replace the empty map" a set shots/sc010 /empty '{"x": null}'
prints "the map with a key" '{"x":null}' a get shots/sc010 /empty
refuses "a document that is no map" 7 "a document is a map" a set plain/five 5
works "slashes in the id" a set files/a/b/c.txt '{"size": 1}'
prints "the document with slashes" '{"size":1}' a get files/a/b/c.txt
works "a key with / and ~" a set shots/sc011 '{"a/b": {"m~n": 1}}'
prints "its pointer" 1 a get shots/sc011 /a~1b/m~0n
works "JSON from stdin" a set shots/sc012 - <<<'{"x": 1}'
prints "what came from stdin" '{"x":1}' a get shots/sc012
same "get --json" "$(a get shots/sc010 /title --json | json "j['data'], j['collection'], j['document'], j['pointer'], j['rivals']")" \
    "('Harbour', 'shots', 'sc010', '/title', [])"
same "get --who" "$(a get shots/sc010 /title --who | awk 'NR == 2 { print $1, $2, $3, $5 }')" '/title "Harbour" a register'

# ---- exact

exact='{"big":9223372036854775807,"double":0.1,"e":1e+300,"empty":"","neg":-9223372036854775808,"no":false,"none":null,"one":1.0,"text":"Grüße 東京 😀 \u0001\"\\","yes":true,"zero":-0.0}'
works "exact values" a set exact/one "$exact"
prints "exact values again" "$exact" a get exact/one
works "a zero in a text" a set exact/two '{"a": "x\u0000y"}'
prints "the zero" '{"a":"x\u0000y"}' a get exact/two
works "a byte string" a set exact/three '{"a": {"$bytes": "AAEC/w=="}}'
prints "the byte string" '{"a":{"$bytes":"AAEC/w=="}}' a get exact/three
works "keys like marks" a set exact/four '{"$$set": 1, "$ref": 2}'
prints "keys like marks again" '{"$$set":1,"$ref":2}' a get exact/four
same "as they are in the mesh" "$(a get exact/four --json --who | json "[leaf['pointer'] for leaf in j['leaves']]")" "['/\$ref', '/\$set']"
prints "by their pointer" 1 a get exact/four '/$set'

# ---- what is refused

refuses "an integer over 64 bits" 1 "JSON:1:7: the integer 9223372036854775808 does not fit in 64 bits" \
    a set x/y '{"a": 9223372036854775808}'
refuses "a double that is too large" 1 "does not fit in a double" a set x/y 1e999
refuses "a key twice" 1 "JSON:1:8: duplicate object key" a set x/y '{"a":1,"a":2}'
refuses "malformed" 1 "JSON:2:6: " a set x/y $'{"a":1,\n "b" 2}'
refuses "no quotes" 1 "a text needs its own quotes, as in '\"hello\"'" a set x/y hello
refuses "an array" 1 'an array at /a/b: lists come in a later version' a set x/y '{"a": {"b": [1]}}'
refuses "an array at the top" 1 'an array at the top' a set x/y '[]'
refuses "bad base64" 1 'needs a text in base64' a set x/y '{"$bytes": "A"}'
deep=$(printf '{"a":%.0s' {1..40})1$(printf '}%.0s' {1..40})
refuses "too deep" 6 "levels" a set x/y "$deep"
refuses "a text that is too large" 6 "" a set x/y - <<<"\"$(head -c 70000 /dev/zero | tr '\0' x)\""
refuses "an id that is too long" 6 "" a set "x/$(head -c 300 /dev/zero | tr '\0' x)" 1
refuses "a pointer with a bad escape" 1 "" a set x/y /a~2 1
refuses "nothing was written" 3 "" a get x/y
refuses "no such document" 3 "" a get shots/none
refuses "no such collection" 3 "" a get none/none
refuses "no such place" 3 "" a get shots/sc010 /none

# ---- delete

works "delete a place" a delete shots/sc010 /empty
prints "it is gone" '{"title":"Harbour"}' a get shots/sc010
works "delete a document" a delete shots/sc010
refuses "the document is gone" 3 "" a get shots/sc010
refuses "delete it again" 3 "nothing is there to delete" a delete shots/sc010

# ---- counters

prints "a counter" 1 a incr stats/day /visits
prints "by five" 6 a incr stats/day /visits 5
prints "down" 4 a incr stats/day /visits -2
prints "with a plus" 7 a incr stats/day /visits +3
prints "the counter in its document" '{"visits":7}' a get stats/day
refuses "no integer" 1 "" a incr stats/day /visits 1.5
refuses "no number" 1 "" a incr stats/day /visits x
same "incr --json" "$(a incr stats/day /visits --json | json "j['changed'], len (j['writer']), j['seq'] > 0")" "(True, 32, True)"
prints "it counted" 8 a get stats/day /visits

# ---- sets

works "add" a add shots/sc020 /tags '"night"'
works "add more" a add shots/sc020 /tags '"day"'
works "add an integer" a add shots/sc020 /tags 10
works "add a smaller one" a add shots/sc020 /tags 9
works "add it again" a add shots/sc020 /tags '"day"'
prints "a set is a sorted array" '{"tags":[9,10,"day","night"]}' a get shots/sc020
works "remove" a remove shots/sc020 /tags '"day"'
prints "removed" '[9,10,"night"]' a get shots/sc020 /tags
refuses "remove it again" 3 "no such member" a remove shots/sc020 /tags '"day"'
refuses "an object as member" 1 "cannot be a member of a set" a add shots/sc020 /tags '{"a": 1}'
works "a set and a counter by their marks" a set shots/sc021 '{"s": {"$set": [2, 1]}, "n": {"$counter": 4}}'
prints "they are a set and a counter" '{"n":4,"s":[1,2]}' a get shots/sc021
prints "that counts" 5 a incr shots/sc021 /n

# ---- ls

prints "ls of a collection" $'sc011\nsc012\nsc020\nsc021' a ls shots
same "ls" "$(a ls)" $'exact\t4\nfiles\t1\nshots\t4\nstats\t1'
same "ls --json" "$(a ls --json | json "j[2]")" "{'collection': 'shots', 'documents': 4}"
same "ls of a collection --json" "$(a ls shots --json | json "j[0]")" "sc011"
refuses "ls of no collection" 3 "" a ls none

# ---- everything is written durably

stop a
start a
prints "after a restart" "$exact" a get exact/one
prints "the counter after a restart" 8 a get stats/day /visits
stop a
finish
