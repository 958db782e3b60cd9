# Hand over a batch of jobs, each once, however often this runs.
# $1: work directory; $2: slurm or direct. Standard input: lines "token<TAB>directory<TAB>name", closed by "end".
# Prints per job "token<TAB>word<TAB>rest": id, refused, busy, uncertain, absent. Four workers share the list: most of an
# sbatch is waiting for the scheduler.
trap '' HUP PIPE
list=$(cat)
# A list without its last line was cut by a broken connection: nothing may start from it.
case $list in *end) ;; *) exit 64 ;; esac
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
tab=$(printf '\t')
host=$(uname -n)
workers=4

# The first line of a small file, without a process.
first_line() { line=; [ -s "$1" ] && { read -r line < "$1" || [ -n "$line" ]; }; }

answer() { printf '%s\t%s\t%s\n' "$token" "$1" "$2" 2>/dev/null; }

keep_id() {
    printf '%s\n' "$1" > "$state/job_id.new" && mv -f "$state/job_id.new" "$state/job_id" && answer id "$1"
}

# Does the scheduler know a job of this name? Its queue first, then its accounting.
look_up() {
    if [ "$kind" = slurm ]; then
        found=$(squeue -h -t all -o %i --name="$name" 2>/dev/null) || return 2
        [ -n "$found" ] || found=$(sacct -n -X -P -o JobID -S now-7days --name="$name" 2>/dev/null)
        found=$(printf '%s\n' "$found" | head -n 1)
    else
        found=$(cat "$state/run/id" 2>/dev/null)
    fi
    [ -n "$found" ]
}

start_slurm() {
    id=$(cd -- "$dir" && exec sbatch --parsable job.sh 2> .crystaldeck/sbatch.err < /dev/null)
    code=$?
    id=${id%%;*}
    if [ "$code" -eq 0 ] && [ -n "$id" ]; then
        keep_id "$id"
        return
    fi
    message=$(tr '\n\t' '  ' < "$state/sbatch.err" | cut -c1-400)
    # A scheduler that timed out may have taken the job all the same.
    case $message in
        *imed\ out* | *onnection* | *ommunicat* | *nable\ to\ contact*)
            if look_up; then keep_id "$found"; else answer uncertain "$message"; fi
            ;;
        *)
            rm -rf "$state/submit"
            answer refused "$message"
            ;;
    esac
}

start_direct() {
    (
        cd -- "$dir" || exit 1
        exec setsid /bin/bash ./job.sh > job.log 2>&1 < /dev/null
    ) &
    id=$!
    start=$(sed 's/.*) //' "/proc/$id/stat" 2>/dev/null | cut -d' ' -f20)
    keep_id "$id.${start:-0}"
}

claim() {
    mkdir "$state/submit" 2>/dev/null || return 1
    printf '%s %s\n' "$$" "$host" > "$state/submit/by"
}

hand_over() {
    if ! first_line "$state/token" || [ "$line" != "$token" ]; then
        answer absent ""
    elif first_line "$state/job_id"; then
        answer id "$line"
    elif claim; then
        "start_$kind"
    else
        read -r pid by < "$state/submit/by" 2>/dev/null || pid=
        if [ -n "$pid" ] && [ "$by" = "$host" ] && kill -0 "$pid" 2>/dev/null; then
            answer busy "$pid"
        elif look_up; then
            keep_id "$found"
        elif [ -n "$(find "$state/submit" -maxdepth 0 -mmin +1 2>/dev/null)" ] \
            && mv "$state/submit" "$state/submit.lost.$$" 2>/dev/null && claim; then
            # The one who claimed it is gone for a minute and nobody knows the job: hand it over now.
            "start_$kind"
        else
            answer uncertain "claimed, not yet known to the scheduler"
        fi
    fi
}

# $1: number of this worker. It takes every fourth job.
work() {
    number=0
    while IFS=$tab read -r token dir name && [ "$token" != end ]; do
        number=$((number + 1))
        [ $((number % workers)) -eq "$1" ] || continue
        state=$dir/.crystaldeck
        hand_over
    done <<LIST
$list
LIST
}

kind=$2
for worker in 0 1 2 3; do
    work "$worker" &
done
wait
