#!/usr/bin/env bash
# The benchmark runs, row by row, says what it found as JSON, and leaves nothing. Its figures are no test.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
export TMPDIR=$work

rows=$(./saker-bench --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
for row in latency bulk store snapshot compare crowd apply merge growth-documents; do
    if grep -qx "$row" <<<"$rows"; then ok; else not_ok "there is no row $row"; fi
done
if ./saker-bench nonsense 2>"$work/err"; then not_ok "a row that is not there"; else same "exit status" "$?" 2; fi
if grep -q "there is no row nonsense" "$work/err" && grep -q "snapshot" "$work/err"; then ok; else not_ok "$(cat "$work/err")"; fi

mkdir "$work/plots"
if ./saker-bench --json --documents 1000 --plots "$work/plots" memory store snapshot compare growth-documents >"$work/out" 2>"$work/err"; then ok; else not_ok "the rows with a million: $(cat "$work/err")"; fi
if python3 -c '
import json, sys
rows = {}
for line in open (sys.argv[1]):
    figure = json.loads (line)
    rows.setdefault (figure["row"], []).append (figure["value"])
assert set (rows) == {"memory", "store", "snapshot", "compare", "growth-documents"}, rows
assert all (value >= 0 for values in rows.values () for value in values), rows
' "$work/out" 2>"$work/err"; then ok; else not_ok "$(cat "$work/err" "$work/out")"; fi
if python3 -c 'import sys, xml.dom.minidom; assert xml.dom.minidom.parse (sys.argv[1]).getElementsByTagName ("polyline")' "$work/plots/documents.svg"; then ok; else not_ok "the plot is no SVG"; fi
same "what is left" "$(find "$work" -maxdepth 1 -name 'saker-bench-*')" ""

finish
