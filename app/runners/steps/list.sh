# Files of jobs with size and checksum. $1: work directory. Standard input: lines "job<TAB>directory".
# Scratch files of MPI processes and our own state are left out.
cd -- "$HOME" && cd -- "$1" || exit 66
top=$PWD
tab=$(printf '\t')
while IFS=$tab read -r job dir; do
    cd -- "$top/$dir" 2>/dev/null || { printf '%s\tmissing\t\t\n' "$job"; continue; }
    printf '%s\tpresent\t\t\n' "$job"
    find . -maxdepth 2 -type f ! -path './.crystaldeck/*' ! -name '*.pe[0-9]*' ! -name INPUT \
        -printf '%s\t' -exec sha256sum {} \; | while IFS=$tab read -r size line; do
        printf '%s\t%s\t%s\t%s\n' "$job" "$size" "${line%% *}" "${line#*  ./}"
    done
done
