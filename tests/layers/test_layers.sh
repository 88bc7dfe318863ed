#!/usr/bin/env bash
# The layers hold: tools -> mesh -> peer -> crdt. Each check is first seen to fail on a planted violation.
set -u
top=$(cd "${srcdir:-.}" && pwd)
passed=0 failed=0 skipped=0
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ok () { passed=$((passed + 1)); }
not_ok () { failed=$((failed + 1)); echo "not ok: $*"; }

# ---- 1. includes carry the folder and point downwards

includes_hold () # TREE
{
    local tree=$1 bad
    bad=$(cd "$tree" && {
        grep -nE '#include "(\.\./|\./)' -r crdt peer mesh tools include
        grep -nE '#include "(peer|mesh|tools|tests)/' -r crdt
        grep -nE '#include "(mesh|tools|tests)/' -r peer
        grep -nE '#include "(tools|tests)/' -r mesh
        grep -nE '#include "' -r crdt peer mesh | grep -vE '#include "(crdt|peer|mesh|include)/|config.h'
        grep -nE '#include "(crdt|peer|mesh|include)/' -r tools
    } | grep -E '^[^:]*\.[ch]:')
    [ -z "$bad" ] || { echo "$bad"; return 1; }
}

plant () # FILE LINE: a copy of the tree with one more line in a file
{
    rm -rf "$work/tree"
    mkdir -p "$work/tree"
    cp -r "$top/crdt" "$top/peer" "$top/mesh" "$top/tools" "$top/include" "$work/tree"
    echo "$2" >>"$work/tree/$1"
}

if includes_hold "$top"; then ok; else not_ok "includes"; fi
while read -r file line; do
    plant "$file" "$line"
    if includes_hold "$work/tree" >/dev/null; then not_ok "not noticed: $line in $file"; else ok; fi
done <<'PLANTS'
crdt/clock.c #include "peer/store.h"
peer/log.c #include "mesh/wire.h"
mesh/wire.c #include "tools/x.h"
crdt/clock.c #include "../crdt/clock.h"
crdt/clock.c #include "clock.h"
tools/sakerd.c #include "peer/store.h"
PLANTS

# ---- 2. each layer links alone with its own dependencies

links_alone () # ARCHIVES LIBRARIES...
{
    local archives=$1
    shift
    # shellcheck disable=SC2086
    $CC -shared -o "$work/alone.so" -Wl,-z,defs -Wl,--whole-archive $archives -Wl,--no-whole-archive "$@" 2>"$work/link.log"
}

objects () { echo ".libs/lib$1.a"; }
crdt=$(objects crdt)
if [ ! -f "$crdt" ]; then
    echo "no archives here: run from a build folder"
    echo "$passed passed, $((failed + 1)) failed, 0 skipped"
    exit 1
fi
libraries () { pkg-config --libs "$@"; }
if nm "$crdt" | grep -qE '__(asan|tsan)_'; then
    echo "skipped: layers: links of a sanitized build are not checked"
    skipped=1
else
    # shellcheck disable=SC2046
    if links_alone "$crdt" $(libraries libsodium libcbor) -lm; then ok; else not_ok "crdt does not link alone"; head -5 "$work/link.log"; fi
    # shellcheck disable=SC2046
    if links_alone "$crdt .libs/libpeer.a" $(libraries libsodium libcbor lmdb) -lm; then ok; else not_ok "peer does not link without mesh"; head -5 "$work/link.log"; fi
    # shellcheck disable=SC2046
    if links_alone "$crdt .libs/libpeer.a .libs/libmesh.a" $(libraries libsodium libcbor lmdb libczmq libzmq) -lm; then ok; else not_ok "mesh does not link without tools"; head -5 "$work/link.log"; fi

    plant_call () # NAME: an object that calls it
    {
        echo "int $1 (void); int planted (void); int planted (void) { return $1 (); }" >"$work/planted.c"
        $CC -w -fPIC -c "$work/planted.c" -o "$work/planted.o"
    }
    plant_call mdb_env_create
    # shellcheck disable=SC2046
    if links_alone "$crdt $work/planted.o" $(libraries libsodium libcbor) -lm; then not_ok "a call of lmdb in crdt is not noticed"; else ok; fi
    plant_call zmq_ctx_new
    # shellcheck disable=SC2046
    if links_alone "$crdt .libs/libpeer.a $work/planted.o" $(libraries libsodium libcbor lmdb) -lm; then not_ok "a call of zmq in peer is not noticed"; else ok; fi
    plant_call json_loads
    # shellcheck disable=SC2046
    if links_alone "$crdt .libs/libpeer.a .libs/libmesh.a $work/planted.o" $(libraries libsodium libcbor lmdb libczmq libzmq) -lm; then not_ok "a call of jansson in mesh is not noticed"; else ok; fi

    # ---- 3. crdt calls nothing of the outside world

    allowed='^(mem(cpy|cmp|move|set|chr)|str(len|cmp|ncmp|chr)|malloc|calloc|realloc|free|qsort|bsearch|v?snprintf|abort|bcmp|__(v)?snprintf_chk|__mem(cpy|move|set)_chk|__stack_chk_fail|__assert_fail|__tls_get_addr|_GLOBAL_OFFSET_TABLE_|__isnan|__finite|isnan|crypto_[a-z0-9_]+|sodium_(memcmp|memzero|is_zero)|cbor_stream_decode|skr_[a-z0-9_]+|saker_error_[a-z]+)$'
    strangers () { nm -u "$@" | awk 'NF == 2 { print $2 }' | sed 's/@.*//' | sort -u | grep -vE "$allowed"; }
    found=$(strangers "$crdt")
    if [ -z "$found" ]; then ok; else not_ok "crdt calls:" $found; fi
    for call in time open socket pthread_create randombytes_buf; do
        plant_call "$call"
        if [ -n "$(strangers "$work/planted.o")" ]; then ok; else not_ok "a call of $call is not noticed"; fi
    done
fi

# ---- 4. tools see the public header alone

echo '#include "crdt/clock.h"' >"$work/tool.c"
if $CC -I"$top/include" -fsyntax-only "$work/tool.c" 2>/dev/null; then not_ok "a tool can see crdt/"; else ok; fi
echo '#include "saker.h"' >"$work/tool.c"
if $CC -I"$top/include" -fsyntax-only "$work/tool.c"; then ok; else not_ok "saker.h does not stand alone"; fi

# automake adds no include path of its own: the tools' compile line has the public header's folder alone
if grep -q '^DEFAULT_INCLUDES = *$' Makefile || ! grep -q '^DEFAULT_INCLUDES' Makefile; then ok; else not_ok "automake adds include paths"; fi
paths=$(sed -n 's/^tool_cppflags = *//p' Makefile | grep -oE -- '-I *[^ ]+' | sort -u)
if [ "$paths" = '-I$(top_srcdir)/include' ]; then ok; else not_ok "tools are compiled with" $paths; fi

# ---- 5. no two files share a base name; none is called util, common or manager

same=$(cd "$top" && ls crdt/*.c peer/*.c mesh/*.c tools/*.c tools/gateway/*.c | sed 's|.*/||' | sort | uniq -d)
if [ -z "$same" ]; then ok; else not_ok "shared names:" $same; fi
vague=$(cd "$top" && ls crdt peer mesh tools tools/gateway | grep -E '^(util|utils|common|manager|misc|helpers?)\.')
if [ -z "$vague" ]; then ok; else not_ok "vague names:" $vague; fi

# ---- 6. the shared library shows saker_ and nothing else

shown=$(nm -D --defined-only .libs/libsaker.so 2>/dev/null | awk '{ print $3 }' | sed 's/@.*//' | grep -v '^saker_')
if [ -f .libs/libsaker.so ] && [ -z "$shown" ]; then ok; else not_ok "libsaker shows:" $shown; fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
