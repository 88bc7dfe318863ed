# complete.zsh FOLDER OUT LINE...: what an interactive zsh, with the completions of FOLDER, makes of each LINE once TAB is
# pressed behind it; a line each, in the file OUT. Ends with 1 when zsh does not answer.
emulate -R zsh
zmodload zsh/zpty || exit 77
folder=$1 out=$2
shift 2
# says TEXT: the file, which is written by a key, has it within a minute
says ()
{
    local i
    for ((i = 0; i < 600; i++)); do
        zpty -r -t shell heard 2>/dev/null # else it waits for somebody to read
        [[ -s $out.now ]] && return
        sleep 0.1
    done
    print -u2 "zsh does not answer: $heard"
    exit 1
}
zpty -b shell zsh -f -i
zpty -w shell "PS1= PS2= RPS1=; unset zle_bracketed_paste; fpath=(${(q)folder} \$fpath); autoload -Uz compinit; compinit -u -D
tell () { print -r -- \"\$BUFFER\" >${(q)out}.new; BUFFER=; mv ${(q)out}.new ${(q)out}.now; }
zle -N tell; bindkey '^G' tell; bindkey '^I' complete-word; zstyle ':completion:*' menu no; LISTMAX=0; setopt no_beep no_list_ambiguous
print ready >${(q)out}.now"
says
: >$out
for line; do
    rm -f $out.now
    zpty -w -n shell "$line"$'\t\a'
    says
    cat $out.now >>$out
done
rm -f $out.now
zpty -d shell
