#!/usr/bin/env bash
# Every command has help with an example and a page of the same words, which renders without a warning; saker.conf(5) has
# the keys that the parser knows; what completion offers is what is there.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

plain () { tr -s ' \n' '  ' | sed 's/ $//'; }
# read_page FILE: what it says, without its requests.
read_page ()
{
    sed -e 's/\\f[BIP]//g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\e/\\/g; s/\\&//g' "$1" | plain
}
in_page () # WHAT TEXT
{
    if [[ $page == *"$(plain <<<"$2")"* ]]; then ok; else not_ok "the page lacks $1: $2"; fi
}
# renders FILE: without a warning, by groff and by mandoc, where they are there.
renders ()
{
    if ! command -v groff >/dev/null; then skip "no groff: $1"
    elif [ -z "$(groff -ww -man -t -z "$1" 2>&1)" ]; then ok
    else not_ok "$(groff -ww -man -t -z "$1" 2>&1 | head -3)"; fi
    if command -v mandoc >/dev/null; then
        same "mandoc on $1" "$(mandoc -T lint -W warning "$1" 2>&1 | grep -v 'missing date')" ""
    fi
}

pages=
commands=$("$saker" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
same "number of commands" "$(wc -w <<<"$commands")" 50
for command in $commands; do
    pages="$pages saker-$command.1"
    page=$(read_page "$build/docs/saker-$command.1")
    renders "$build/docs/saker-$command.1"
    help=$("$saker" "$command" --help) || not_ok "$command --help"
    if grep -A1 '^example:' <<<"$help" | grep -q "^  .*saker $command"; then ok; else not_ok "$command: no example"; fi
    in_page "the usage of $command" "$(sed -n '1s/^usage: //p' <<<"$help")"
    in_page "the summary of $command" "$(sed -n 3p <<<"$help")"
    while IFS= read -r line; do
        in_page "an option of $command" "$(sed 's/^ *//; s/   */ /' <<<"$line")"
    done < <(sed -n '/^options:/,/^$/s/^  --/--/p' <<<"$help")
    in_page "what else $command says" "$(sed '1,4d; /^options:/,$d' <<<"$help")"
    in_page "an example of $command" "$(sed -n '/^example:/,$s/^  //p' <<<"$help")"
    same "help $command" "$("$saker" help "$command")" "$help"
done

same "pages that are made" "$(cd "$build/docs" && ls saker-*.1 | sort | tr '\n' ' ')" "$(tr ' ' '\n' <<<"$pages" | grep . | sort | tr '\n' ' ')"
for file in "$build/docs/saker.1" "$build/docs/sakerd.8" "$top/docs/saker.3" "$top/docs/saker.conf.5"; do renders "$file"; done

while read -r number; do
    if grep -qE "^\.B $number$" "$build/docs/saker.1"; then ok; else not_ok "saker(1) lacks exit status $number"; fi
done < <(sed -n 's/.*X (SAKER_[A-Z]*, \([0-9]*\),.*/\1/p' "$top/include/saker.h")

page=$(read_page "$build/docs/sakerd.8")
help=$("$sakerd" --help)
while IFS= read -r line; do
    option=$(sed 's/^ *//; s/   */ /' <<<"$line")
    if [[ $page == *"$(plain <<<"$option")"* ]]; then ok; else not_ok "sakerd(8) lacks: $option"; fi
done < <(sed -n '/^options:/,/^$/s/^  --/--/p' <<<"$help")
if grep -q '^example:' <<<"$help"; then ok; else not_ok "sakerd --help has no example"; fi

# the keys that the parser knows, as it lists them when it is asked for one that it does not
printf 'no-such-key-anywhere = 1\n' >"$work/wrong.conf"
known=$("$sakerd" --check-config --config "$work/wrong.conf" 2>&1 | sed -n 's/.*the keys are //p' | tr -d , | tr ' ' '\n' | sort)
documented=$(sed -n '/^\.SH KEYS/,/^SIGHUP/s/^\.B //p' "$top/docs/saker.conf.5" | sed '/^saker fence/d; s/\\-/-/g' | grep -vE ' ' | sort -u)
if [ "$(wc -l <<<"$known")" -ge 24 ]; then ok; else not_ok "the parser lists its keys: $known"; fi
same "the keys of saker.conf(5)" "$(comm -3 <(echo "$known") <(echo "$documented"))" ""
for key in $(grep -vE '^(gateway|hooks)' <<<"$known"); do
    if grep -q "^     $key  *[A-Za-z]" "$top/include/saker.h"; then ok; else not_ok "saker.h lacks the key $key"; fi
done

refuses "no command" 2 "no command was given" "$saker"
refuses "an unknown command" 2 "there is no command frob; see saker --help" "$saker" frob
refuses "a mistyped command" 2 "there is no command statsu, did you mean status; see" "$saker" statsu
refuses "help about an unknown command" 2 "there is no command frob" "$saker" help frob
refuses "an unknown option" 2 "no option --frob; see saker get --help" "$saker" get a/b --frob
refuses "an option without its value" 2 "--store needs a value" "$saker" get a/b --store
refuses "a value too many" 2 "--json takes no value" "$saker" get a/b --json=1
refuses "a word too few" 2 "usage: saker set COLL/DOC [PATH] JSON" "$saker" set a/b
refuses "a word too many" 2 "one word too many" "$saker" ls a b
refuses "no document" 2 "does not name a document" "$saker" get languages
refuses "a path that is no pointer" 2 "is no JSON Pointer" "$saker" get a/b name
refuses "a bad duration" 2 "is no duration" "$saker" wait --timeout 5x
refuses "two ways to wait" 2 "not both" "$saker" wait --all --on bob
refuses "sakerd: an unknown option" 2 "is no option" "$sakerd" --frob
refuses "sakerd: no value" 2 "needs a value" "$sakerd" --store
works "saker --version" "$saker" --version
works "sakerd --version" "$sakerd" --version
same "an error as JSON" "$("$saker" get languages --json 2>&1 | json "j['error']['code'], j['error']['name']")" \
    "(2, 'wrong usage')"
refuses "no store" 3 "make one with" "$saker" status --store "$work/none"
if "$saker" get a/b --json --store "$work/none" 2>&1 | grep -q $'\033'; then not_ok "colours in a pipe"; else ok; fi

# ---- completion

offers () { "$saker" help --complete "$@" | cut -f1 | tr '\n' ' '; }
same "commands" "$(offers st)" "$(grep '^st' <<<"$commands" | tr '\n' ' ')"
same "all of them" "$(offers "" | wc -w)" "$(($(wc -w <<<"$commands") + 1))"
same "after help" "$(offers help res)" "restore-doc restore "
same "options" "$(offers show a/b --)" "--at --who --raw --store --json --help "
same "what may follow" "$(offers hooks re)" "resume remove replay "
same "a file" "$(offers hooks add x y --secret-file "")" ":files "
same "a folder" "$(offers --store "")" ":folders "
same "a role" "$(offers role bob w)" "write "
same "a time" "$(offers wait --timeout "")" ""
same "no command" "$(offers frob "")" ""
same "without a daemon" "$(offers --store "$work/none" ls "")" ""
found anna
admit bob anna
works "a document" on anna set 'shots/a b' /n 1
works "a document" on anna set shots/sc010 /n 1
works "a document" on anna set lights/l /n 1
same "collections" "$(offers --store "$work/anna" ls "")" "lights shots "
same "of documents" "$(offers --store="$work/anna" get s)" ":nospace shots/ "
same "documents" "$("$saker" help --complete get shots/ 2>/dev/null; SAKER_STORE=$work/anna "$saker" help --complete get shots/)" $'shots/a b\nshots/sc010'
same "one" "$(offers get --store "$work/anna" shots/sc)" "shots/sc010 "
same "members" "$(offers --store "$work/anna" why shots/sc010 "" | tr ' ' '\n' | sort | grep . | tr '\n' ' ')" "anna bob "
same "one more member" "$(offers --store "$work/anna" wait --on anna,b)" "anna,bob "
same "the folder of a queue, and what to do with it" "$(offers queue "" | tr ' ' '\n' | sort -u | xargs)/$(offers queue x "")" ":folders/list send retry drop "
same "a level" "$(offers tail --level "")" "info debug "

# complete SHELL-WORD...: what bash would put on its line
complete_in_bash ()
{
    SAKER_STORE=$work/anna bash --norc -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt () { :; }; _saker; printf "%s\n" "${COMPREPLY[@]}"' - "$top/tools/saker.bash" "$@"
}
same "bash" "$(complete_in_bash "$saker" get shots/)" $'shots/a\\ b\nshots/sc010'
works "a name like a command" on anna set 'odd/$(id);`id`' /n 1
works "a name that steers terminals" on anna set $'odd/\xc2\x9b2J' /n 1
same "bash: it stays a word" "$(complete_in_bash "$saker" get odd/)" 'odd/\$\(id\)\;\`id\`'
same "bash: an option" "$(complete_in_bash "$saker" verify --t)" "--timeout"

# in an interactive zsh, by its module zpty: what is on its lines once TAB was pressed
if ! command -v zsh >/dev/null; then
    skip "no zsh (package zsh)"
else
    works "a name with what zsh takes for itself" on anna set 'odds/a\b:c d' /n 1
    mkdir "$work/zsh" "$work/zsh/folder" && cp "$top/tools/_saker" "$work/zsh"
    SAKER_STORE=$work/anna PATH=$build/.libs:$PATH zsh -f "$top/tests/lib/complete.zsh" "$work/zsh" "$work/zsh.out" \
        'saker stat' 'saker verify --ti' 'saker role bob wr' 'saker why shots/sc010 bo' 'saker get lig' 'saker get odds/' "saker --store $work/zsh/fo" 'saker frob x'
    status=$?
    if [ "$status" = 77 ]; then skip "zsh has no module zpty"; else
        same "zsh answers" "$status" 0
        line=0
        while IFS= read -r wanted; do
            line=$((line + 1))
            same "zsh: line $line" "$(sed -n "${line}p" "$work/zsh.out" | sed 's/ $//')" "$wanted"
        done <<LINES
saker status
saker verify --timeout
saker role bob write
saker why shots/sc010 bob
saker get lights/
saker get odds/a\\\\b:c\\ d
saker --store $work/zsh/folder/
saker frob x
LINES
    fi
fi
kill -STOP "${pids[anna]}"
same "a daemon that is stuck" "$(offers --store "$work/anna" ls "")" ""
kill -CONT "${pids[anna]}"

finish
