# Which of our processes live? Standard input: lines "pid.start". Prints "id<TAB>alive|gone".
while read -r id; do
    pid=${id%%.*}
    start=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
    state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f1)
    if [ -n "$start" ] && [ "$start" = "${id#*.}" ] && [ "$state" != Z ]; then
        printf '%s\talive\n' "$id"
    else
        printf '%s\tgone\n' "$id"
    fi
done
