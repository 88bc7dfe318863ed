#!/usr/bin/env bash
# The shot tracker, in C and in Python: two people who are apart, then together, and what needs a person is settled.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

export SAKER_LIBRARY=$build/.libs/libsaker.so.0 PYTHONPATH=$top/tools/python PYTHONDONTWRITEBYTECODE=1
if nm "$SAKER_LIBRARY" 2>/dev/null | grep -qE '__(asan|tsan)_'; then
    skip "tracker: a library with sanitizers is not loaded into Python"
    finish
fi
in_c () { local name=$1; shift; "$build/tools/examples/tracker" --store "$work/$name" "$@"; }
in_python () { local name=$1; shift; python3 "$top/tools/examples/tracker.py" --store "$work/$name" "$@"; }

# alike NAME WORD...: both programs print the same; leaves it in $work/shown.
alike ()
{
    local status=0
    in_c "$@" >"$work/shown" 2>"$work/c.err" || status=$?
    in_python "$@" >"$work/shown.python" 2>"$work/python.err"
    same "exit status of $*" "$?" "$status"
    if diff "$work/shown" "$work/shown.python" && diff "$work/c.err" "$work/python.err"; then ok; else not_ok "$* differ"; fi
}
# shown WORDS: that line is in what was printed, however wide its columns are.
shown ()
{
    if tr -s ' ' <"$work/shown" | grep -qxF -- "$1"; then ok; else not_ok "not shown: $1; but: $(cat "$work/shown")"; fi
}
refused () # WHAT STATUS WORDS NAME WORD...
{
    local what=$1 status=$2 words=$3
    shift 3
    refuses "$what, in C" "$status" "$words" in_c "$@"
    refuses "$what, in Python" "$status" "$words" in_python "$@"
}

found anna
admit bob anna

# ---- together

works "a shot" in_c anna shot sh010 "Hafen am Morgen" 120
works "another" in_python anna shot sh020 "Fog"
works "an asset" in_python anna asset boat prop "the blue one"
works "is used" in_c anna use sh010 boat
works "a status" in_python anna status sh010 "in progress"
prints "the first version" v001 in_c anna version sh010 /renders/sh010/v001.exr "first light"
works "a note" in_python anna note sh010 "the boat is too dark" v001
refused "an unknown shot" 3 "there is no shot sh011" anna show sh011
refused "an unknown version" 3 "there is no version v007 of sh010" anna approve sh010 v007 approved
refused "no approval" 1 "approved, changes or rejected, not maybe" anna approve sh010 v001 maybe
refused "no name" 1 "is no name" anna shot "sh 010" x
refused "no number" 1 "is no number from 1 to 9999" anna shot sh030 x 0
refused "too few words" 2 "usage: tracker note SHOT TEXT [VERSION]" anna note sh010
refused "no conflict" 3 "there is no conflict at shot/sh010 /status" anna settle shot/sh010 /status a
refused "no such asset" 3 "there is no asset ship" anna use sh010 ship
alike anna list
shown "sh010 Hafen am Morgen 120 in progress v001 - 1"
shown "boat prop the blue one"
alike anna show sh010
shown " v001 - anna /renders/sh010/v001.exr first light"
alike anna conflicts
same "no conflicts" "$(cat "$work/shown")" ""
alike anna --help
works "bob has it" on anna wait --all --timeout 60s

# ---- apart: both work on the same shot

stop anna
prints "bob's second version" v002 in_python bob version sh010 /renders/bob/v002.exr
works "bob's note" in_python bob note sh010 "looks good to me" v002
works "bob's note on the first" in_python bob note sh010 "keep this one" v001
works "bob's approval" in_python bob approve sh010 v001 changes
works "bob's status" in_python bob status sh010 hold
works "bob's asset" in_python bob asset lantern prop
works "bob uses it" in_python bob use sh010 lantern
works "bob's shot" in_python bob shot sh030 "Night" 48
stop bob
start anna
prints "anna's second version" v002 in_c anna version sh010 /renders/anna/v002.exr "brighter"
works "anna's note" in_c anna note sh010 "brighter now" v002
works "anna's approval" in_c anna approve sh010 v001 approved
works "anna's status" in_c anna status sh010 final
works "anna's frames" in_c anna shot sh010 "Hafen am Morgen" 130
works "anna's shot" in_c anna shot sh030 "Storm" 48
start bob --seed "${addresses[anna]}"

# ---- together again: nothing is lost, and what clashes is listed, the same everywhere

has_all () { [ "$(in_c "$1" show sh010 | grep -c "brighter now\|looks good\|keep this\|too dark\|renders")" = 7 ]; }
until_true "anna has all" has_all anna
until_true "bob has all" has_all bob
alike anna show sh010
cp "$work/shown" "$work/anna.shown"
alike bob show sh010
same "bob sees the same" "$(cat "$work/shown")" "$(cat "$work/anna.shown")"
shown "frames 130"
shown "assets boat, lantern"
shown " v002 (anna) - anna /renders/anna/v002.exr brighter"
shown " v002 (bob) - bob /renders/bob/v002.exr"
same "both versions of the note" "$(grep -c "v002 (\(anna\|bob\))  .*\(brighter now\|looks good\)" "$work/shown")" 2
alike bob list
if grep -q "^sh010 .*130 .*\(final\|hold\)\* .*v002 (anna) -, v002 (bob) -\|v002 (bob) -, v002 (anna) -" "$work/shown"; then ok; else
    not_ok "list: $(cat "$work/shown")"
fi
alike anna conflicts
cp "$work/shown" "$work/anna.shown"
alike bob conflicts
same "bob's conflicts" "$(cat "$work/shown")" "$(cat "$work/anna.shown")"
shown "shot/sh010 /status"
same "rivals" "$(grep -c "^  [ab] .* by \(anna\|bob\)" "$work/shown")" 8
same "versions with one number" "$(grep -c "^sh010: v002 (.*) is not the only v002: tracker renumber sh010 v002@" "$work/shown")" 2
refused "which one" 1 "2 versions of sh010 are called v002: say whose" bob note sh010 "x" v002

# ---- settled

letter () { awk -v place="$1" -v value="$2" '$0 == place { on = 1; next } /^[^ ]/ { on = 0 } on && index ($0, value) { print $1; exit }' "$work/shown"; }
works "the status" in_python anna settle shot/sh010 /status "$(letter "shot/sh010 /status" hold)"
works "the approval" in_c anna settle "$(grep -oE '^version/[^ ]*' "$work/shown")" /approval \
    "$(letter "$(grep -E '^version/' "$work/shown")" approved)"
works "the title" in_python anna shot sh030 "Storm at night" 48
refused "a number that is taken" 4 "sh010 has a v001 already: the next free one is 3" anna renumber sh010 v002@bob 1
works "bob's becomes the third" in_c anna renumber sh010 2@bob 3
alike anna conflicts
same "nothing is left" "$(cat "$work/shown")" ""
works "approve it" in_python anna approve sh010 v003 approved
works "bob has that" on anna wait --all --timeout 60s
alike bob list
shown "sh010 Hafen am Morgen 130 hold v003 approved 4"
alike bob show sh010
shown " v002 - anna /renders/anna/v002.exr brighter"
shown " v003 approved bob /renders/bob/v002.exr"
works "the peers are equal" on anna verify

finish
