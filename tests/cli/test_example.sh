#!/usr/bin/env bash
# The example program compiles against the public header and library alone, as C and as C++, and does what
# it says.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

example=$top/tests/example/example.c
flags=(-Wall -Wextra -pedantic -Werror -I"$top/include" -L"$build/.libs")
if nm "$build/.libs/libsaker.so" 2>/dev/null | grep -qE '__(asan|tsan)_'; then
    flags+=(-fsanitize=address,undefined)
fi

# builds NAME COMPILER OPTION...
builds ()
{
    local name=$1
    shift
    if "$@" "${flags[@]}" -o "$work/$name" "$example" -lsaker 2>"$work/$name.err"; then
        ok
    else
        not_ok "$name does not compile: $(head -n 5 "$work/$name.err")"
    fi
}

builds example "${CC:-cc}" -std=c99
if command -v "${CXX:-c++}" >/dev/null; then
    builds example_cxx "${CXX:-c++}" -x c++ -std=c++11
else
    skip "no C++ compiler"
fi

found anna

# says WORDS: the example's output has this line.
says ()
{
    if grep -qxF -- "$1" "$work/out"; then ok; else not_ok "the example does not say: $1"; fi
}

runs=0
for program in example example_cxx; do
    [ -x "$work/$program" ] || continue
    runs=$((runs + 1))
    if "$work/$program" "$work/anna" >"$work/out" 2>"$work/err"; then
        ok
    else
        not_ok "$program: exit status $?: $(cat "$work/err" "$work/out")"
    fi
    says '  sq010 /title = "Dawn" by anna'
    says '  sq010 /frames = 120 by anna'
    says '  sq020 /tags = "night" by anna'
    says '  shots/sq010 was changed by anna'
    says '  shots/sq020 was changed by anna'
    says 'every machine has it'
done
says "  sq010 /takes = $runs by anna"

stop anna
"$work/example" "$work/anna" >"$work/out" 2>"$work/err"
status=$?
if [ "$status" = 13 ] && grep -q "sakerd --store" "$work/err"; then ok; else
    not_ok "without a daemon: exit status $status: $(cat "$work/err")"
fi
if "$work/example" "$work/none" >"$work/out" 2>"$work/err"; then
    not_ok "a store that is none"
elif grep -q "is not a saker store" "$work/err"; then
    ok
else
    not_ok "a store that is none: $(cat "$work/err")"
fi

finish
