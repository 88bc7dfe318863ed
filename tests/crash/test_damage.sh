#!/usr/bin/env bash
# Damaged stores: refused, reported, or right; never wrong without a word.
# shellcheck source=tests/crash/lib.sh
. "${srcdir:-.}/tests/crash/lib.sh"

found anna
end anna
start anna
"$loader" write "$work/anna" 1 60 >"$work/acks" || not_ok "the client: $(tail -n 1 "$work/acks")"
end anna
if "$images" damage "$work/anna" "$work/image" "${IMAGES:-300}" >"$work/log"; then
    passed=$((passed + $(tail -n 1 "$work/log" | cut -d' ' -f1)))
    [ -z "${IMAGES:-}" ] || tail -n 6 "$work/log"
else
    not_ok "damaged stores"
    tail -n 20 "$work/log"
fi
finish
