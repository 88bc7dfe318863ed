# bash completion for saker: it asks the tool itself, and that the daemon, which words may come next.

_saker ()
{
    local cur words cword line word
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n := cur words cword
    else
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        case $line in
        :files) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur") ;;
        :folders) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur") ;;
        :nospace) compopt -o nospace ;;
        *)
            printf -v word %q "$word"
            COMPREPLY+=("$word")
            ;;
        esac
    done < <("${words[0]}" help --complete "${words[@]:1:cword}" 2>/dev/null)
    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _saker saker
