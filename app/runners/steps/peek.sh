# Exit markers, and what outputs have grown by. $1: work directory; $2: most bytes per job;
# $3: running (the output of an ended job comes whole with its files, so nothing of it now) or all.
# Standard input: lines "job<TAB>directory<TAB>output<TAB>offset".
# Prints per job a line "job<TAB>marker<TAB>size<TAB>mtime<TAB>count" and then exactly count bytes and a line end.
# One stat serves all jobs; only outputs that have grown cost processes of their own.
# Only regular files below the job's own directory are opened: stat does not follow links; the directory is entered by `cd -P`,
# its true path is compared, and the file is then opened once, by its bare name, by dd with O_NOFOLLOW. Between the two nothing can
# be swapped in. A pipe is never opened to wait for (nonblock). What falls short of count is filled with NUL, so that the answers
# for the other jobs stay readable.
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
root=$(pwd -P)
list=$(cat)
tab=$(printf '\t')
# Go to the directory $1 below the work directory, through no link.
here() { cd -P -- "$root/$1" 2> /dev/null && [ "$PWD" = "$root/$1" ]; }

facts=$(printf '%s\n' "$list" | while IFS=$tab read -r job dir output offset; do
    printf '%s\0%s\0' "$dir/$output" "$dir/.crystaldeck/exit"
done | xargs -0 stat -c "%f$tab%s$tab%Y$tab%n" -- 2> /dev/null)
{ [ -z "$facts" ] || printf '%s\n' "$facts"; echo; printf '%s\n' "$list"; } |
    awk -F '\t' -v OFS='\t' '
        !listed && $0 == "" { listed = 1; next }
        # %f is the raw mode in hexadecimal: 8... is a regular file.
        !listed { if ($1 ~ /^8...$/) { size[$4] = $2; time[$4] = $3 }; next }
        {
            file = $2 "/" $3; known = file in size; mark = $2 "/.crystaldeck/exit"
            print $0, (known ? size[file] : 0), (known ? time[file] : 0), (mark in size && size[mark] > 0 && size[mark] < 200)
        }' |
    while IFS=$tab read -r job dir output offset size mtime marked; do
        marker=-
        if [ "$marked" = 1 ] && here "$dir/.crystaldeck"; then
            read -r marker < ./exit
            case $marker in *[!0-9A-Z\ -]* | '') marker=- ;; esac
        fi
        case /$output/ in
            *//* | */./* | */../* | */.[Cc][Rr][Yy][Ss][Tt][Aa][Ll]*) size=0 ;;
        esac
        file=$dir/$output
        if [ "$size" -eq 0 ] || ! here "${file%/*}"; then
            size=0
            mtime=0
        fi
        count=$((size - offset))
        [ "$count" -gt "$2" ] && count=$2
        [ "$3" = running ] && [ "$marker" != - ] && count=0
        [ "$count" -lt 0 ] && count=0
        printf '%s\t%s\t%s\t%s\t%s\n' "$job" "$marker" "$size" "$mtime" "$count"
        [ "$count" -gt 0 ] && {
            dd if="./${file##*/}" iflag=nofollow,nonblock,fullblock,skip_bytes,count_bytes skip="$offset" count="$count" \
                bs=65536 status=none 2> /dev/null
            head -c "$count" /dev/zero
        } | head -c "$count"
        echo
    done
