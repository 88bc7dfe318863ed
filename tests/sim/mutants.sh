#!/usr/bin/env bash
# Does the proof prove? Plants one bug after the other (mutants/*.patch) in a copy of the tree, and lets the
# simulator look for it. A bug that is not found within SEEDS schedules is named.
#   mutants.sh [--apply-only] [NAME...]
set -u
top=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
seeds=${SEEDS:-10000}
work=${MUTANTS_FOLDER:-$(mktemp -d)}
caught=0 missed=0 broken=0
apply_only=false
if [ "${1:-}" = --apply-only ]; then apply_only=true; shift; fi
if [ $# -gt 0 ]; then names=("$@"); else names=(); for file in "$top"/tests/sim/mutants/*.patch; do names+=("$(basename "$file" .patch)"); done; fi

[ -n "${MUTANTS_FOLDER:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree"
cp -pR "$top"/{crdt,peer,mesh,tests,bench,tools,include,docs,configure.ac,Makefile.am,libsaker.pc.in,README.md,LICENSE} "$work/tree/" || exit 1

if $apply_only; then
    for name in "${names[@]}"; do
        if patch -d "$work/tree" -p1 -F0 --dry-run -s <"$top/tests/sim/mutants/$name.patch" >"$work/log"; then
            caught=$((caught + 1))
        else
            broken=$((broken + 1))
            echo "not ok: $name does not apply any more: write it anew"
        fi
    done
    echo "$caught passed, $broken failed, 0 skipped"
    [ "$broken" = 0 ]
    exit
fi

# The files that a patch changes, as they were.
restore ()
{
    local changed
    while IFS= read -r changed; do
        cp "$top/$changed" "$work/tree/$changed" || return 1
    done < <(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$1")
}
build () { make -s -C "$work/build" tests/sim/sim >"$work/log" 2>&1; }
(cd "$work/tree" && autoreconf -i >/dev/null 2>&1) && mkdir -p "$work/build" \
    && (cd "$work/build" && "$work/tree/configure" -q >/dev/null) && build || { tail "$work/log"; exit 1; }
for name in "${names[@]}"; do
    file=$top/tests/sim/mutants/$name.patch
    if ! patch -d "$work/tree" -p1 -F0 -s <"$file" || ! build; then
        broken=$((broken + 1))
        printf '%-28s does not apply or build\n' "$name"
        tail -3 "$work/log"
    elif (cd "$work/build" && tests/sim/sim --jobs "$(nproc)" --seeds "$seeds" --stop-after 1 --no-shrink) >"$work/log" 2>&1; then
        missed=$((missed + 1))
        printf '%-28s NOT FOUND in %s schedules: %s\n' "$name" "$seeds" "$(head -1 "$file")"
    else
        caught=$((caught + 1))
        printf '%-28s %s\n' "$name" "$(grep -m1 '^seed ' "$work/log" | cut -c1-120)"
    fi
    restore "$file" || exit 1
done
echo "$caught of $((caught + missed + broken)) planted bugs found"
echo "$caught passed, $((missed + broken)) failed, 0 skipped"
[ $((missed + broken)) = 0 ]
