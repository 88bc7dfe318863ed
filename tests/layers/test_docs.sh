#!/usr/bin/env bash
# The semantics table in the docs is what its tests print.
set -u
wanted=$(tests/model/test_semantics --print)
shown=$(grep '^|' "${srcdir:-.}/docs/semantics.md")
if [ -n "$wanted" ] && [ "$wanted" = "$shown" ]; then
    echo "1 passed, 0 failed, 0 skipped"
else
    diff <(echo "$shown") <(echo "$wanted")
    echo "not ok: docs/semantics.md is not what tests/model/test_semantics --print prints"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
