# What lies in one job's directory, without checksums. $1: work directory; $2: most files. Standard input: the directory.
# Prints lines "size<TAB>mtime<TAB>name". Scratch files of MPI processes and our own state are left out, and names that hold
# a line end.
cd -- "$HOME" && cd -- "$1" || exit 66
IFS= read -r dir && [ -d "$dir" ] || exit 0
find "$dir" -maxdepth 2 -type f ! -path "*/.crystaldeck/*" ! -name "*.pe[0-9]*" ! -path "*
*" -printf '%s\t%T@\t%P\n' | head -n "$2"
exit 0
