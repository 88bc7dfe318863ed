#!/usr/bin/env bash
# A disk that fails: EIO, a full disk and short writes at the n-th call. Writes are refused in plain words or
# done, what is there can be read, nothing acknowledged is lost, and when the disk works again so does the
# daemon, without a restart.
# shellcheck source=tests/crash/lib.sh
. "${srcdir:-.}/tests/crash/lib.sh"

found anna
end anna
cp -pR "$work/anna" "$work/start"
for ((n = 1; n <= ${STEPS:-10}; n++)); do
    for how in write:$((n * 2)):EIO write:$((n * 2)):ENOSPC:40 write:$((n * 2)):short sync:$n:EIO sync:$n:EIO:5; do
        rm -rf "$work/anna"
        cp -pR "$work/start" "$work/anna"
        : >"$work/acks"
        if ! shimmed anna "SHIM_FAIL=$how"; then
            # it says why, and the next start works
            end anna
            if grep -q . "$work/anna.log"; then ok; else not_ok "$how: no word about it"; fi
            shimmed anna || not_ok "$how: it does not start again"
        fi
        "$loader" write "$work/anna" 1 12 >"$work/acks" || not_ok "$how: $(tail -n 1 "$work/acks")"
        if "$loader" check "$work/anna" 12 >"$work/log"; then ok; else not_ok "$how: $(cat "$work/log")"; fi
        end anna
        start anna
        if "$loader" check "$work/anna" 12 >"$work/log"; then ok; else not_ok "$how, started again: $(cat "$work/log")"; fi
        end anna
    done
done
finish
