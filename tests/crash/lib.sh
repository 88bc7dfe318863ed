# shellcheck shell=bash
# What the crash tests share: a daemon behind the shim.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
shim=$build/tests/crash/.libs/shim.so
loader=$build/tests/crash/load
images=$build/tests/crash/images
if readelf -Ws "$build/.libs/libsaker.so" 2>/dev/null | grep -qE '__(asan|tsan)_'; then
    skip "the shim does not go with a sanitizer"
    finish
fi

# shimmed NAME [VARIABLE=VALUE]...: a daemon behind the shim; false when it does not come up.
shimmed ()
{
    local name=$1 line fd
    shift
    exec {fd}< <(exec env "SHIM_FOLDER=$work/$name" "$@" LD_PRELOAD="$shim" \
        "$sakerd" --store "$work/$name" --listen tcp://127.0.0.1:0 --no-beacon 2>>"$work/$name.log")
    pids[$name]=$!
    pipes[$name]=$fd
    read -r -t "$ready_s" -u "$fd" line && [[ $line == "sakerd: ready on tcp://"* ]]
}

# end NAME: kill -9 and wait.
end ()
{
    local fd=${pipes[$1]}
    kill -KILL "${pids[$1]}" 2>/dev/null
    read -r -t "$ready_s" -u "$fd" _
    exec {fd}<&-
    unset "pids[$1]"
}

# last FILE: the highest number acknowledged so far.
last () { awk '$1 == "ACK" && $2 > n { n = $2 } END { print n + 0 }' "$@" /dev/null; }
