#!/usr/bin/env bash
# Power cuts: every write and sync of a real daemon under load is recorded, and every state that a power cut
# could have left is opened again. Then the daemon is killed at each of the first writes and syncs.
# shellcheck source=tests/crash/lib.sh
. "${srcdir:-.}/tests/crash/lib.sh"

found anna
end anna
cp -pR "$work/anna" "$work/start"
shimmed anna SHIM_TRACE="$work/trace" || { not_ok "the daemon does not start"; finish; }
"$loader" write "$work/anna" 1 "${WRITES:-40}" >"$work/acks" || not_ok "the client: $(tail -n 1 "$work/acks")"
end anna
if "$images" replay "$work/start" "$work/trace" "$work/acks" "$work/image" "${IMAGES:-1000}" >"$work/log"; then
    passed=$((passed + $(tail -n 1 "$work/log" | cut -d' ' -f1)))
    [ -z "${IMAGES:-}" ] || tail -n 2 "$work/log"
else
    not_ok "an image"
    tail -n 20 "$work/log"
fi

# kill -9 before, in the middle of, and after a write; before and after a sync
next=1
rm -rf "$work/anna"
cp -pR "$work/start" "$work/anna"
: >"$work/kills"
for ((n = 1; n <= ${KILLS:-12}; n++)); do
    for how in write:$((n * 3)):KILL write:$((n * 3)):TEAR write:$((n * 3)):DONE sync:$n:KILL sync:$n:DONE; do
        shimmed anna "SHIM_FAIL=$how" && "$loader" write "$work/anna" "$next" 1000 >>"$work/kills"
        end anna
        next=$(($(last "$work/kills") + 1))
        start anna
        # what was under way may be there, too: it is asked for again under the same name
        "$loader" write "$work/anna" "$next" 1 >>"$work/kills"
        if "$loader" check "$work/anna" "$(last "$work/kills")" >"$work/log"; then ok; else not_ok "killed at $how: $(cat "$work/log")"; fi
        next=$(($(last "$work/kills") + 1))
        end anna
    done
done
finish
