#!/usr/bin/env bash
# Cables are pulled in the middle of a client's writes, and clients and the daemon are killed: each write is there
# once. make pulls CUTS=n is the long run.
# shellcheck source=tests/gateway/lib.sh
. "${srcdir:-.}/tests/gateway/lib.sh"
exec timeout 900 python3 "${srcdir:-.}/tests/relay/pulls.py" "$build/.libs/saker" "$build/.libs/sakerd" \
    "$build/tests/relay/queuer" "${CUTS:-1000}"
