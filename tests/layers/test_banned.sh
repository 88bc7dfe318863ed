#!/usr/bin/env bash
# What tools/banned.h bans does not compile, in any compiler that is here; and every source of ours is
# compiled with it.
set -u
top=$(cd "${srcdir:-.}" && pwd)
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ok () { passed=$((passed + 1)); }
not_ok () { failed=$((failed + 1)); echo "not ok: $*"; }

compiles () # COMPILER STATEMENT [OPTIONS]
{
    local compiler=$1 statement=$2
    shift 2
    printf '#include <stdarg.h>\nvoid t (char *a, const char *b, va_list v);\nvoid t (char *a, const char *b, va_list v)\n{\n    (void) a; (void) b; (void) v;\n    %s;\n}\n' "$statement" >"$work/t.c"
    # shellcheck disable=SC2086
    $compiler -std=gnu11 -D_GNU_SOURCE -O2 -w "$@" -c "$work/t.c" -o "$work/t.o" 2>"$work/log"
}

compilers=("${CC:-gcc}")
for compiler in gcc clang; do
    if [ "$compiler" != "${CC:-gcc}" ] && command -v "$compiler" >/dev/null; then compilers+=("$compiler"); fi
done
for compiler in "${compilers[@]}"; do
    for fortify in -U_FORTIFY_SOURCE "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"; do
        # shellcheck disable=SC2086
        if compiles "$compiler" 'snprintf (a, 3, "%s", b)' $fortify -include "$top/tools/banned.h"; then ok; else not_ok "$compiler: nothing compiles"; cat "$work/log"; fi
        while read -r call; do
            # the ban is what stops it: without, it compiles
            # shellcheck disable=SC2086
            if compiles "$compiler" "$call" $fortify; then ok; else not_ok "$compiler: $call does not compile anyway"; fi
            # shellcheck disable=SC2086
            if compiles "$compiler" "$call" $fortify -include "$top/tools/banned.h"; then not_ok "$compiler: $call compiles"; else ok; fi
        done <<'CALLS'
strcpy (a, b)
strcat (a, b)
strtok (a, b)
sprintf (a, "%s", b)
vsprintf (a, b, v)
gets (a)
atoi (b)
atol (b)
CALLS
    done
done

# each library and program of ours names it
for flags in layer_cppflags tool_cppflags; do
    if grep -qE "^$flags = .*-include .*tools/banned\.h" "$top/Makefile.am" "$top/tools/Makemodule.am"; then ok; else not_ok "$flags does not include tools/banned.h"; fi
done
for product in libcrdt_la libpeer_la libmesh_la saker sakerd saker_bench; do
    if grep -qE "^${product}_CPPFLAGS = .*(layer|tool)_cppflags" "$top"/*/Makemodule.am; then ok; else not_ok "$product is compiled without tools/banned.h"; fi
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
