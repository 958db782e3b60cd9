# Submit many jobs at once, as a job array, once, however often this runs. Before it stand `weigh` and submission.sh.
# $1: work directory; $2: the array's directory with array.sh in it; $3: its name in the scheduler.
# Standard input: lines "token<TAB>directory" in the order of the indices, closed by "end".
# Prints per job "token<TAB>word<TAB>rest", as submit.sh does; "single" asks for a submission by itself.
trap '' HUP PIPE
list=$(cat)
case $list in *end) ;; *) exit 64 ;; esac
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
tab=$(printf '\t')
state=$2/.crystaldeck

# $1: word; $2: rest, where an id gets the index of each job.
answer_all() {
    index=0
    while IFS=$tab read -r token dir && [ "$token" != end ]; do
        rest=$2
        if [ "$1" = id ]; then
            rest=${2}_$index
            printf '%s\n' "$rest" > "$dir/.crystaldeck/job_id"
        fi
        printf '%s\t%s\t%s\n' "$token" "$1" "$rest" 2>/dev/null
        index=$((index + 1))
    done <<LIST
$list
LIST
}

if [ -s "$state/job_id" ]; then
    read -r id < "$state/job_id"
    answer_all id "$id"
    exit 0
fi
# A symbolic link in the place of a directory or script: submit.sh finds out whose it is.
linked=
for path in "${2%/*}" "$2" "$state" "$2/array.sh" "$2/list"; do [ ! -L "$path" ] || linked=yes; done
while IFS=$tab read -r token dir && [ "$token" != end ]; do
    for path in "${dir%/*}" "$dir" "$dir/.crystaldeck" "$dir/job.sh" "$dir/job.log"; do
        [ ! -L "$path" ] || linked=yes
    done
done <<LIST
$list
LIST
[ -z "$linked" ] || { answer_all single ""; exit 0; }
# Somebody else submits it, or did and died: submit.sh finds out for each job.
host=$(uname -n)
set -C
{ printf '%s %s\n' "$$" "$host" > "$state/submit"; } 2>/dev/null || { answer_all single ""; exit 0; }
set +C
id=$(cd -- "$2" && submit_script array.sh 2> .crystaldeck/submit.err < /dev/null)
code=$?
if [ "$code" -eq 0 ] && [ -n "$id" ]; then
    printf '%s\n' "$id" > "$state/job_id" && answer_all id "$id"
    exit 0
fi
message=$(tr '\n\t' '  ' < "$state/submit.err" | cut -c1-400)
if [ "$code" -eq 0 ]; then
    # It took the array: whatever its answer looked like, this is never submitted again.
    verdict=uncertain
    : > "$state/taken"
    if look_up "$3"; then
        printf '%s\n' "$found" > "$state/job_id" && answer_all id "$found"
        exit 0
    fi
else
    weigh "$message"
    # What nobody has heard before may be said of an array that was taken.
    [ "$verdict" != unknown ] || verdict=uncertain
fi
# It may have been taken all the same: the claim stays until the scheduler could be asked.
[ "$verdict" = uncertain ] || rm -rf "$state/submit"
# What it has against arrays, it has not against jobs.
case $verdict:$message in refused:*rray*) verdict=single ;; esac
answer_all "$verdict" "${message:-the batch system gave no job id}"
