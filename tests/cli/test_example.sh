#!/usr/bin/env bash
# The example program of the documentation compiles as a user would compile it, and runs.
source "${srcdir:-.}/tests/cli/lib.sh"

if "${CC:-cc}" -Wall -Wextra -Werror ${SANITIZE:-} -I "$top/include" "$top/tests/example/example.c" \
    -L "$build/.libs" -lsaker -o "$work/example" 2>"$work/compile.log"; then ok; else
    cat "$work/compile.log"
    not_ok "the example does not compile"
    finish
fi
"$saker" init film --as anna --store "$work/anna" >/dev/null
start anna
run ()
{
    "$work/example" "$work/anna" >"$work/out" 2>"$work/err"
}
if run; then ok; else not_ok "it fails: $(cat "$work/err")"; fi
for line in "written: change 1 of this peer" "  sq010/title = Dawn (anna)" "  sq010/takes = 1 (anna)" \
    "  sq010/tags = exterior (anna)" "  anna touched shots/sq010" "1 event; every member has stored it"; do
    if grep -qxF -- "$line" "$work/out"; then ok; else not_ok "no line '$line'"; fi
done
run
if grep -qxF "  sq010/takes = 2 (anna)" "$work/out"; then ok; else not_ok "the second take does not count"; fi
stop anna
run
status=$?
if [ "$status" = 13 ] && grep -q "sakerd --store" "$work/err"; then ok; else
    not_ok "without a daemon: exit status $status: $(cat "$work/err")"
fi
finish
