#!/usr/bin/env bash
# The semantics table in the docs is what its tests print; every finding of saker doctor is in docs/tools.md, and no other.
set -u
top=${srcdir:-.}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wanted=$(tests/model/test_semantics --print)
shown=$(grep '^|' "$top/docs/semantics.md")
if [ -n "$wanted" ] && [ "$wanted" = "$shown" ]; then
    passed=$((passed + 1))
else
    diff <(echo "$shown") <(echo "$wanted")
    echo "not ok: docs/semantics.md is not what tests/model/test_semantics --print prints"
    failed=$((failed + 1))
fi

areas='store|key|disk|config|interface|port|seed|daemon|data|version|device|identity|clock|refused|door|link|member|beacon|changes|cut|carried'
made=$(cat "$top"/tools/doctor*.c "$top/tools/cmd_doctor.c" | grep -oE "\"($areas)\.[a-z]+\"" | tr -d '"' | sort -u)
listed=$(sed '/^## saker store check/,$d' "$top/docs/tools.md" | sed -n 's/^| `\([a-z]*\.[a-z]*\)` .*/\1/p' | sort -u)
if [ "$(wc -l <<<"$made")" -gt 50 ] && [ "$made" = "$listed" ]; then
    passed=$((passed + 1))
else
    diff <(echo "$listed") <(echo "$made")
    echo "not ok: docs/tools.md does not list the findings of saker doctor"
    failed=$((failed + 1))
fi

# a test provokes each of them: tested FOLDER CODES
tested ()
{
    local code untested=
    while read -r code; do
        grep -rqF "$code" "$1" --include='test_*.sh' || untested+=" $code"
    done <<<"$2"
    [ -z "$untested" ] || { echo "in no test of $1:$untested"; return 1; }
}
if tested "$top/tests/cli" "never.found" >/dev/null; then echo "not ok: not noticed: a finding in no test"; failed=$((failed + 1)); else passed=$((passed + 1)); fi
mkdir "$work/tests" && cp "$top"/tests/cli/test_*.sh "$top"/tests/net/test_*.sh "$work/tests"
if tested "$work/tests" "$made"; then passed=$((passed + 1)); else echo "not ok: a finding of saker doctor is in no test"; failed=$((failed + 1)); fi

made=$(grep -ohE '"(record|pages|journal|key|data|log|index|receipt)\.[a-z]+"' "$top"/peer/checkup.c "$top"/peer/comparing.c "$top"/tools/cmd_store.c | tr -d '"' | sort -u)
listed=$(sed -n '/^## saker store check/,$s/^| \(`.*`\) | .*/\1/p' "$top/docs/tools.md" | grep -oE '[a-z]+\.[a-z]+' | sort -u)
if [ "$(wc -l <<<"$made")" -gt 15 ] && [ "$made" = "$listed" ]; then
    passed=$((passed + 1))
else
    diff <(echo "$listed") <(echo "$made")
    echo "not ok: docs/tools.md does not list the findings of saker store check"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
