#!/usr/bin/env bash
# Every command has help with an example, and is in the man page in the same words.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

plain () { tr -s ' \n' '  ' | sed 's/ $//'; }
page=$(sed -e 's/\\fB//g; s/\\fP//g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\e/\\/g' "$top/docs/saker.1" | plain)
in_page () # WHAT TEXT
{
    if [[ $page == *"$(plain <<<"$2")"* ]]; then ok; else not_ok "docs/saker.1 lacks $1: $2"; fi
}

commands=$("$saker" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
same "number of commands" "$(wc -w <<<"$commands")" 46
for command in $commands; do
    help=$("$saker" "$command" --help) || not_ok "$command --help"
    if grep -A1 '^example:' <<<"$help" | grep -q "^  .*saker $command"; then ok; else not_ok "$command: no example"; fi
    in_page "the usage of $command" "$(sed -n '1s/^usage: //p' <<<"$help")"
    in_page "the summary of $command" "$(sed -n 3p <<<"$help")"
    while IFS= read -r line; do
        in_page "an option of $command" "$(sed 's/^ *//; s/   */ /' <<<"$line")"
    done < <(sed -n '/^options:/,/^$/s/^  --/--/p' <<<"$help")
    same "help $command" "$("$saker" help "$command")" "$help"
done

while read -r number; do
    if grep -qE "^$number	" "$top/docs/saker.1"; then ok; else not_ok "docs/saker.1 lacks exit status $number"; fi
done < <(sed -n 's/.*X (SAKER_[A-Z]*, \([0-9]*\),.*/\1/p' "$top/include/saker.h")

page=$(sed -e 's/\\fB//g; s/\\fP//g; s/\\-/-/g' "$top/docs/sakerd.8" | plain)
help=$("$sakerd" --help)
while IFS= read -r line; do
    option=$(sed 's/^ *//; s/   */ /' <<<"$line")
    if [[ $page == *"$(plain <<<"$option")"* ]]; then ok; else not_ok "docs/sakerd.8 lacks: $option"; fi
done < <(sed -n '/^options:/,/^$/s/^  --/--/p' <<<"$help")
if grep -q '^example:' <<<"$help"; then ok; else not_ok "sakerd --help has no example"; fi

for key in listen seed interface beacon beacon-port log-level history history-size horizon; do
    if grep -q "^     $key  *[A-Za-z]" "$top/include/saker.h"; then ok; else not_ok "saker.h lacks the key $key"; fi
    if grep -qF ".B ${key//-/\\-}" "$top/docs/saker.conf.5"; then ok; else not_ok "docs/saker.conf.5 lacks the key $key"; fi
done

refuses "no command" 2 "no command was given" "$saker"
refuses "an unknown command" 2 "there is no command frob" "$saker" frob
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

finish
