# Hand over many jobs by one sbatch, as a job array, once, however often this runs.
# $1: work directory; $2: the array's directory with array.sh in it; $3: its name in the scheduler.
# Standard input: lines "token<TAB>directory" in the order of the indices, closed by "end".
# Prints per job "token<TAB>word<TAB>rest", as submit.sh does; "single" asks for a hand-over by itself.
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
# Somebody else hands it over, or did and died: submit.sh finds out for each job.
host=$(uname -n)
set -C
{ printf '%s %s\n' "$$" "$host" > "$state/submit"; } 2>/dev/null || { answer_all single ""; exit 0; }
set +C
id=$(cd -- "$2" && exec sbatch --parsable array.sh 2> .crystaldeck/sbatch.err < /dev/null)
code=$?
id=${id%%;*}
if [ "$code" -eq 0 ] && [ -n "$id" ]; then
    printf '%s\n' "$id" > "$state/job_id" && answer_all id "$id"
    exit 0
fi
message=$(tr '\n\t' '  ' < "$state/sbatch.err" | cut -c1-400)
case $message in
    # It may have been taken all the same: the claim stays until the scheduler could be asked.
    *imed\ out* | *onnection* | *nable\ to\ contact*) answer_all uncertain "$message" ;;
    *rl_* | *[Rr]ate\ [Ll]imit* | *[Bb]ack*off* | *[Bb]acking\ off* | *emporarily\ un* | *MaxSubmit*)
        rm -rf "$state/submit"
        answer_all later "$message"
        ;;
    *ommunicat*) answer_all uncertain "$message" ;;
    *)
        rm -rf "$state/submit"
        case $message in
            *rray*) answer_all single "$message" ;;
            *) answer_all refused "$message" ;;
        esac
        ;;
esac
