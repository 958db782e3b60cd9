# What lies in one job's directory, without checksums. $1: work directory; $2: most entries. Standard input: the directory.
# Prints lines "kind<TAB>size<TAB>mtime<TAB>name"; the kind is f for a file, l for a symbolic link, which is named and not followed.
# Scratch files of MPI processes and our own state are left out, and names with control characters.
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
root=$(pwd -P)
IFS= read -r dir && cd -P -- "$root/$dir" 2> /dev/null && [ "$PWD" = "$root/$dir" ] || exit 0
find . -maxdepth 2 \( -type f -o -type l \) ! -ipath "./.crystaldeck/*" ! -ipath "./.crystaldeck" ! -name "*.pe[0-9]*" \
    ! -path "*[[:cntrl:]]*" -printf '%y\t%s\t%T@\t%P\n' | head -n "$2"
exit 0
