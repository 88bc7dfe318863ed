#!/usr/bin/env bash
# The Python package: types, and its tests against the library and the daemons of the build folder.
set -u
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
unset SAKER_STORE NOTIFY_SOCKET JOURNAL_STREAM
top=$(cd "${srcdir:-.}" && pwd)
build=${SAKER_BUILD:-$PWD}
export SAKER_BUILD=$build SAKER_TOP=$top SAKER_LIBRARY=$build/.libs/libsaker.so.0
export LD_LIBRARY_PATH="$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PYTHONPATH="$top/tools/python${PYTHONPATH:+:$PYTHONPATH}"

skipped_all () { echo "skipped: $*"; echo "0 passed, 0 failed, 1 skipped"; exit 77; }

python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import pytest' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || skipped_all "python: no pytest (apt-get install python3-pytest)"
if nm "$SAKER_LIBRARY" 2>/dev/null | grep -qE '__(asan|tsan)_'; then
    skipped_all "python: a library with sanitizers is not loaded into Python"
fi

passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if command -v mypy >/dev/null; then
    if mypy --strict --cache-dir "$work/mypy" "$top/tools/python/saker" "$top"/tools/examples/*.py >"$work/types" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: types"
        cat "$work/types"
    fi
else
    skipped=$((skipped + 1))
    echo "skipped: python: no mypy (apt-get install mypy)"
fi

"$python" -m pytest -q -p no:cacheprovider --basetemp "$work/pytest" -rs "$top/tests/python" "$@" >"$work/out" 2>&1
status=$?
tail -n 100 "$work/out"
number () { local found; found=$(grep -oE "[0-9]+ $1" <<<"$(tail -n 1 "$work/out")" | head -n 1); echo "${found%% *}"; }
for kind in passed failed errors error skipped; do
    count=$(number "$kind")
    case $kind in
    passed) passed=$((passed + ${count:-0})) ;;
    skipped) skipped=$((skipped + ${count:-0})) ;;
    *) failed=$((failed + ${count:-0})) ;;
    esac
    if [ "$kind" = errors ] && [ -n "$count" ]; then break; fi
done
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
