# Exit markers, and what outputs have grown by. $1: work directory; $2: most bytes per job;
# $3: running (the output of an ended job comes whole with its files, so nothing of it now) or all.
# Standard input: lines "job<TAB>directory<TAB>output<TAB>offset".
# Prints per job a line "job<TAB>marker<TAB>size<TAB>mtime<TAB>count" and then exactly count bytes and a line end.
# One stat serves all jobs; only outputs that have grown cost processes of their own.
cd -- "$HOME" && cd -- "$1" || exit 66
list=$(cat)
tab=$(printf '\t')
sizes=$(printf '%s\n' "$list" | while IFS=$tab read -r job dir output offset; do printf '%s\0' "$dir/$output"; done |
    xargs -0 stat -c "%s$tab%Y$tab%n" -- 2>/dev/null)
{ [ -z "$sizes" ] || printf '%s\n' "$sizes"; echo; printf '%s\n' "$list"; } |
    awk -F '\t' -v OFS='\t' '
        !listed && $0 == "" { listed = 1; next }
        !listed { size[$3] = $1; time[$3] = $2; next }
        { file = $2 "/" $3; known = file in size; print $0, (known ? size[file] : 0), (known ? time[file] : 0) }' |
    while IFS=$tab read -r job dir output offset size mtime; do
        marker=-
        [ -s "$dir/.crystaldeck/exit" ] && read -r marker < "$dir/.crystaldeck/exit"
        count=$((size - offset))
        [ "$count" -gt "$2" ] && count=$2
        [ "$3" = running ] && [ "$marker" != - ] && count=0
        [ "$count" -lt 0 ] && count=0
        printf '%s\t%s\t%s\t%s\t%s\n' "$job" "$marker" "$size" "$mtime" "$count"
        [ "$count" -gt 0 ] && tail -c "+$((offset + 1))" -- "$dir/$output" | head -c "$count"
        echo
    done
