# What became of jobs that may have been handed over? Changes nothing.
# $1: work directory. Standard input: lines "token<TAB>directory". Prints "token<TAB>claimed|absent<TAB>".
cd -- "$HOME" && cd -- "$1" 2>/dev/null || none=1
tab=$(printf '\t')
while IFS=$tab read -r token dir; do
    if [ -z "$none" ] && [ -e "$dir/.crystaldeck/submit" ] || [ -z "$none" ] && [ -s "$dir/.crystaldeck/job_id" ]; then
        printf '%s\tclaimed\t\n' "$token"
    else
        printf '%s\tabsent\t\n' "$token"
    fi
done
