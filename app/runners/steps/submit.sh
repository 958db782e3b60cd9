# Hand over a batch of jobs, each once, however often this runs.
# $1: work directory; $2: slurm or direct. Standard input: lines "token<TAB>directory<TAB>name", closed by "end".
# Prints per job "token<TAB>word<TAB>rest": id, refused, later, busy, uncertain, absent. Four workers share the list: most of
# an sbatch is waiting for the scheduler.
trap '' HUP PIPE
list=$(cat)
# A list without its last line was cut by a broken connection: nothing may start from it.
case $list in *end) ;; *) exit 64 ;; esac
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
tab=$(printf '\t')
host=$(uname -n)
workers=4

# The first line of a small file, without a process. A line that was cut off does not count.
first_line() { line=; [ -s "$1" ] && { read -r line < "$1" || [ "$1" = "$state/token" ]; }; }

answer() { printf '%s\t%s\t%s\n' "$token" "$1" "$2" 2>/dev/null; }

# Does a symbolic link stand where the job's directory, our state, its script or its log belongs? Nothing starts through one.
linked() { [ -L "${dir%/*}" ] || [ -L "$dir" ] || [ -L "$state" ] || [ -L "$dir/job.sh" ] || [ -L "$dir/job.log" ]; }

keep_id() { printf '%s\n' "$1" > "$state/job_id" && answer id "$1"; }

# Does the scheduler know a job of this name? Its queue first, then its accounting. $1: the name.
# 0: yes, and `found` is its id; 1: surely not; 2: it could not be asked, so nothing follows.
look_up() {
    if [ "$kind" = direct ]; then
        found=$(cat "$state/run/id" 2>/dev/null)
    else
        found=$(squeue -h -t all -o %F --name="$1" 2>/dev/null) || return 2
        if [ -z "$found" ]; then
            found=$(sacct -n -X -P -o JobID -S now-7days --name="$1" 2>&1) || case $found in
                *[Aa]ccounting\ storage\ is\ disabled*) found= ;;
                *) return 2 ;;
            esac
        fi
        found=$(printf '%s\n' "$found" | head -n 1)
        found=${found%%_*}
    fi
    [ -n "$found" ]
}

# The scheduler said no, or nothing. $1: its words; $2: the name.
# 0: it has the job after all, as `found`; else `verdict` is refused, later or uncertain.
judge() {
    case $1 in
        # It asks for patience, before it took anything: too many requests, or too many jobs of this account. Words of a
        # time-out beside it count for more.
        *imed\ out* | *onnection* | *nable\ to\ contact*) ;;
        *rl_* | *[Rr]ate\ [Ll]imit* | *[Bb]ack*off* | *[Bb]acking\ off* | *emporarily\ un* | *MaxSubmit*)
            verdict=later
            return 1
            ;;
    esac
    case $1 in
        # A scheduler that timed out may have taken the job all the same.
        *imed\ out* | *onnection* | *ommunicat* | *nable\ to\ contact*)
            look_up "$2" && return 0
            verdict=uncertain
            return 1
            ;;
    esac
    verdict=refused
    return 1
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
    if judge "$message" "$name"; then
        keep_id "$found"
        return
    fi
    [ "$verdict" = uncertain ] || rm -rf "$state/submit"
    answer "$verdict" "$message"
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

# One of many may hold a claim: the file is made by O_EXCL, without a process, and says who made it.
claim() {
    set -C
    { printf '%s %s\n' "$$" "$host" > "$state/submit"; } 2>/dev/null
    taken=$?
    set +C
    return "$taken"
}

# Nobody has held the claim $1 for a minute, or who held it here is gone; `busy` is who holds it.
abandoned() {
    busy=
    { read -r pid by < "$1"; } 2>/dev/null || pid=
    if [ -n "$pid" ] && [ "$by" = "$host" ] && kill -0 "$pid" 2>/dev/null; then
        busy=$pid
        return 1
    fi
    [ -n "$(find "$1" -maxdepth 0 -mmin +1 2>/dev/null)" ]
}

# A job that went out with others in one array: `array` holds the array's directory, name and the job's index.
# 0: it was answered; 1: the array was never taken, so the job is handed over by itself.
of_array() {
    IFS=$tab read -r folder array index < "$state/array" || return 1
    if first_line "$folder/.crystaldeck/job_id"; then
        keep_id "${line}_$index"
    elif [ ! -e "$folder/.crystaldeck/submit" ]; then
        return 1
    elif look_up "$array"; then
        printf '%s\n' "$found" > "$folder/.crystaldeck/job_id" && keep_id "${found}_$index"
    elif [ $? -eq 1 ] && abandoned "$folder/.crystaldeck/submit"; then
        mv "$folder/.crystaldeck/submit" "$folder/.crystaldeck/submit.lost.$$.$1" 2>/dev/null
        return 1
    elif [ -n "$busy" ]; then
        answer busy "$busy"
    else
        answer uncertain "handed over in an array that the scheduler does not know yet"
    fi
}

hand_over() {
    busy=
    if ! first_line "$state/token" || [ "$line" != "$token" ]; then
        answer absent ""
    elif first_line "$state/job_id"; then
        answer id "$line"
    elif [ -s "$state/array" ] && of_array "$1"; then
        :
    elif linked; then
        answer refused "a symbolic link stands in the place of its directory, script or log"
    elif claim; then
        "start_$kind"
    elif look_up "$name"; then
        keep_id "$found"
    elif [ $? -eq 1 ] && abandoned "$state/submit" \
        && mv "$state/submit" "$state/submit.lost.$$" 2>/dev/null && claim; then
        # Who claimed it has been gone for a minute and nobody knows the job: hand it over now.
        "start_$kind"
    elif [ -n "$busy" ]; then
        answer busy "$busy"
    else
        answer uncertain "claimed, not yet known to the scheduler"
    fi
}

# $1: number of this worker. It takes every fourth job.
work() {
    number=0
    while IFS=$tab read -r token dir name && [ "$token" != end ]; do
        number=$((number + 1))
        [ $((number % workers)) -eq "$1" ] || continue
        state=$dir/.crystaldeck
        hand_over "$1"
    done <<LIST
$list
LIST
}

kind=$2
for worker in 0 1 2 3; do
    work "$worker" &
done
wait
