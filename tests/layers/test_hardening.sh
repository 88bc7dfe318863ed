#!/usr/bin/env bash
# The built programs have what configure promises: PIE, full RELRO, no executable stack, no library path
# but that of the installed library, stack protector, fortified calls. Each check is first seen to fail on a program
# that lacks just that.
set -u
passed=0 failed=0
CC=${CC:-gcc}
libdir=${libdir:-/usr/local/lib}
ok () { passed=$((passed + 1)); }
not_ok () { failed=$((failed + 1)); echo "not ok: $*"; }
if readelf -Ws .libs/libsaker.so 2>/dev/null | grep -qE '__(asan|tsan)_|gcov'; then
    echo "skipped: hardening: a build for debugging"
    echo "0 passed, 0 failed, 1 skipped"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

position_independent () { readelf -hW "$1" | grep -q 'Type: *DYN'; }
relocations_read_only () { readelf -lW "$1" | grep -q GNU_RELRO; }
bound_at_start () { readelf -dW "$1" | grep -qE '\(BIND_NOW\)|\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW'; }
stack_not_executable () { readelf -lW "$1" | grep GNU_STACK | grep -q 'RW '; }
# libtool names the folder that the library is installed in, where the linker would not look by itself
no_other_library_path ()
{
    local path
    path=$(readelf -dW "$1" | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]/\2/p')
    [ -z "$path" ] || [ "$path" = "$libdir" ]
}
stack_protected () { readelf -Ws "$1" | grep -q __stack_chk_fail; }
fortified () { readelf -Ws "$1" | grep -q '_chk@'; }

of_every_file='position_independent relocations_read_only bound_at_start stack_not_executable no_other_library_path'
for file in .libs/saker .libs/sakerd .libs/libsaker.so; do
    [ -f "$file" ] || { not_ok "$file is missing"; continue; }
    for property in $of_every_file stack_protected fortified; do
        if $property "$file"; then ok; else not_ok "$file: not $property"; fi
    done
done

# ---- planted: a program with all of it, then one without each

cat >"$work/p.c" <<'C'
#include <stdio.h>
int main (int argc, char **argv)
{
    char text[64];
    snprintf (text, (size_t) argc * 8, "%s", argv[0]);
    return puts (text) < 0;
}
C
good='-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack'
# shellcheck disable=SC2086
$CC $good "$work/p.c" -o "$work/p" || not_ok "the planted program does not build"
for property in $of_every_file stack_protected fortified; do
    if $property "$work/p"; then ok; else not_ok "a good program seems not $property"; fi
done
while read -r property without; do
    # shellcheck disable=SC2086
    $CC $good $without "$work/p.c" -o "$work/p" || { not_ok "does not build with $without"; continue; }
    if $property "$work/p"; then not_ok "not noticed: not $property"; else ok; fi
done <<PLANTS
position_independent -fno-pie -no-pie
relocations_read_only -Wl,-z,norelro
bound_at_start -Wl,-z,lazy
stack_not_executable -Wl,-z,execstack
no_other_library_path -Wl,-rpath,/tmp
no_other_library_path -Wl,-rpath,$libdir:$PWD/.libs
stack_protected -fno-stack-protector
fortified -U_FORTIFY_SOURCE
PLANTS

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
