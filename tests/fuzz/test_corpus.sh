#!/usr/bin/env bash
# Each fuzz target takes its corpus, and mutations of it, without a failure.
set -u
top=$(cd "${srcdir:-.}" && pwd)
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for folder in "$top"/tests/fuzz/corpus/*/; do
    name=$(basename "$folder")
    if tests/fuzz/replay_"$name" "$folder" "${MUTATIONS:-50}" >"$log" 2>&1; then
        passed=$((passed + $(tail -n 1 "$log" | cut -d' ' -f1)))
    else
        failed=$((failed + 1))
        echo "not ok: $name"
        tail -n 30 "$log"
    fi
done
[ "$passed" -gt 0 ] || { echo "no corpus"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
