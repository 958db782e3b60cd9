# What became of jobs that may have been submitted? Changes nothing.
# $1: work directory. Standard input: lines "token<TAB>directory". Prints "token<TAB>claimed|absent<TAB>".
cd -- "$HOME" && cd -- "$1" 2>/dev/null || none=1
tab=$(printf '\t')
while IFS=$tab read -r token dir; do
    word=absent
    state=$dir/.crystaldeck
    if [ -n "$none" ]; then :
    elif [ -e "$state/submit" ] || [ -s "$state/job_id" ]; then word=claimed
    elif [ -s "$state/array" ] && IFS=$tab read -r folder rest < "$state/array"; then
        # It was to go out with others: what became of their array?
        if [ -e "$folder/.crystaldeck/submit" ] || [ -s "$folder/.crystaldeck/job_id" ]; then word=claimed; fi
    fi
    printf '%s\t%s\t\n' "$token" "$word"
done
