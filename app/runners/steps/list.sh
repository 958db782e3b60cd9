# Files of jobs with size and checksum. $1: work directory. Standard input: lines "job<TAB>directory".
# Prints "D<TAB>job" per directory that is there, "S<TAB>size<TAB>directory<TAB>name" per file, and what sha256sum says of all
# files at once. Scratch files of MPI processes and our own state are left out, and names that hold a line end.
cd -- "$HOME" && cd -- "$1" || exit 66
tab=$(printf '\t')
list=$(while IFS=$tab read -r job dir; do [ -d "$dir" ] && printf '%s\t%s\n' "$job" "$dir"; done)
[ -n "$list" ] || exit 0
printf '%s\n' "$list" | cut -f1 | sed "s/^/D$tab/"
files=$(printf '%s\n' "$list" | cut -f2- | tr '\n' '\0' | xargs -0 sh -c 'exec find "$@" -maxdepth 2 -type f \
    ! -path "*/.crystaldeck/*" ! -name "*.pe[0-9]*" ! -name INPUT ! -path "*
*" -printf "S\t%s\t%H\t%P\n"' sh)
[ -n "$files" ] || exit 0
printf '%s\n' "$files"
printf '%s\n' "$files" | cut -f3- | tr '\t\n' '/\0' | xargs -0 sha256sum --
exit 0
