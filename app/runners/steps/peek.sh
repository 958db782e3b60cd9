# Exit markers, and what outputs have grown by. $1: work directory; $2: most bytes per job.
# Standard input: lines "job<TAB>directory<TAB>output<TAB>offset".
# Prints per job a line "job<TAB>marker<TAB>size<TAB>mtime<TAB>count" and then exactly count bytes and a line end.
cd -- "$HOME" && cd -- "$1" || exit 66
tab=$(printf '\t')
while IFS=$tab read -r job dir output offset; do
    marker=-
    [ -s "$dir/.crystaldeck/exit" ] && read -r marker < "$dir/.crystaldeck/exit"
    set -- "$1" "$2" $(stat -c '%s %Y' -- "$dir/$output" 2>/dev/null || echo 0 0)
    count=$(($3 - offset))
    [ "$count" -gt "$2" ] && count=$2
    [ "$count" -lt 0 ] && count=0
    printf '%s\t%s\t%s\t%s\t%s\n' "$job" "$marker" "$3" "$4" "$count"
    [ "$count" -gt 0 ] && tail -c "+$((offset + 1))" -- "$dir/$output" | head -c "$count"
    echo
done
