# Files of jobs with size and checksum. Standard input: lines "job<TAB>directory".
# $1: work directory; $2: most files of a job; $3: most bytes of one file; $4: most bytes of one job.
# Prints "D<TAB>job" per directory that is there, or "X<TAB>job" where it is a symbolic link; then for each file
# "S<TAB>size<TAB>inode<TAB>ctime<TAB>directory<TAB>name", or what is beyond a limit:
# "B<TAB>size<TAB>directory<TAB>name" a file that is too large, "J…" one for which the job has no room left,
# "M<TAB>count<TAB>directory" so many files more. Then "G<TAB>folder" and what sha256sum says of the files in it; and at the end
# "A<TAB>size<TAB>inode<TAB>ctime<TAB>directory/name" for each file as it is afterwards.
# Only regular files are looked at. The folder is entered by `cd -P`, its true path compared, and sha256sum works in it by bare
# names. It cannot be told to refuse links; but who swaps a file for a link meanwhile and swaps it back changes its ctime, which
# nobody can set. The reader compares S and A, and takes no sum of a file that differs. The bytes that are fetched later are
# compared with the sum: so nothing but what a regular file here held can ever pass, however it is fetched.
# Scratch files of MPI processes and our own state are left out, and names with control characters.
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
root=$(pwd -P)
tab=$(printf '\t')
here() { cd -P -- "$root/$1" 2> /dev/null && [ "$PWD" = "$root/$1" ]; }

list=$(while IFS=$tab read -r job dir; do
    if here "$dir"; then printf 'D\t%s\t%s\n' "$job" "$dir"
    elif [ -d "$root/$dir" ]; then printf 'X\t%s\n' "$job"; fi
done)
[ -n "$list" ] || exit 0
printf '%s\n' "$list" | cut -f1-2
cd -- "$root" || exit 66
# Outputs, decks and CRYSTAL's own files have their own share of the limit, so that nothing crowds them out.
found=$(printf '%s\n' "$list" | grep '^D' | cut -f3- | tr '\n' '\0' | xargs -0 sh -c 'exec find "$@" -maxdepth 2 -type f \
    ! -ipath "*/.crystaldeck/*" ! -name "*.pe[0-9]*" ! -name INPUT ! -path "*[[:cntrl:]]*" \
    -printf "S\t%s\t%i\t%C@\t%H\t%P\n"' sh | awk -F '\t' -v OFS='\t' -v most="$2" -v file="$3" -v job="$4" '
        {
            main = $6 ~ /^(fort\.[0-9]+|[^\/]*\.(out|outp|d12|d3|DAT|LOG|log|sh|gui))$/
            if ($2 + 0 > file) { if (large[$5]++ < 20) print "B", $2, $5, $6; next }
            if (++count[$5, main] > most) { more[$5]++; next }
            line[++n] = $0; dir[n] = $5; name[n] = $6; size[n] = $2 + 0; first[n] = main
        }
        END {
            for (main = 1; main >= 0; main--)
                for (i = 1; i <= n; i++)
                    if (first[i] == main) {
                        if (sum[dir[i]] + size[i] > job) { if (late[dir[i]]++ < 20) print "J", size[i], dir[i], name[i] }
                        else {
                            sum[dir[i]] += size[i]
                            folder = dir[i] "/" name[i]; sub(/\/[^\/]*$/, "", folder)
                            if (!(folder in lines)) order[++folders] = folder
                            lines[folder] = lines[folder] line[i] "\n"
                        }
                    }
            for (i = 1; i <= folders; i++) printf "%s", lines[order[i]]
            for (one in more) print "M", more[one], one
        }')
[ -n "$found" ] || exit 0
printf '%s\n' "$found"

# Sums of the files $@ in $folder.
sums() {
    [ $# -gt 0 ] || return 0
    printf 'G\t%s\n' "$folder"
    (here "$folder" && exec sha256sum -- "$@") 2> /dev/null
}
printf '%s\n' "$found" | grep '^S' | {
    folder=
    set --
    while IFS=$tab read -r _ _ _ _ dir name; do
        path=$dir/$name
        if [ "${path%/*}" != "$folder" ] || [ $# -ge 500 ]; then
            sums "$@"
            folder=${path%/*}
            set --
        fi
        set -- "$@" "./${name##*/}"
    done
    sums "$@"
}
cd -- "$root" || exit 66
printf '%s\n' "$found" | grep '^S' | cut -f5- | tr '\t\n' '/\0' |
    xargs -0 sh -c 'exec find "$@" -maxdepth 0 -type f -printf "A\t%s\t%i\t%C@\t%p\n"' sh 2> /dev/null
exit 0
