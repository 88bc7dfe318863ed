# shellcheck shell=bash
# run NAME: a test of the gateway in Python, on the programs of the build folder.
set -u
export LC_ALL=C.UTF-8
unset SAKER_STORE NOTIFY_SOCKET JOURNAL_STREAM
build=${SAKER_BUILD:-$PWD}
export LD_LIBRARY_PATH="$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PYTHONDONTWRITEBYTECODE=1

run ()
{
    exec python3 "${srcdir:-.}/tests/gateway/$1.py" "$build/.libs/saker" "$build/.libs/sakerd"
}
