# Submit a batch of jobs, each once, however often this runs. Before it stand the words of the scheduler (`weigh`), and how the
# batch system submits and looks up (`start`, `look_up`).
# $1: work directory. Standard input: lines "token<TAB>directory<TAB>name", closed by "end".
# Prints per job "token<TAB>word<TAB>rest": id, refused, later, busy, uncertain, absent. Four workers share the list: most of
# a submission is waiting for the scheduler.
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

# The scheduler gave no id. $1: its status; $2: its words; $3: the name; $4: our folder of what it was.
# 0: it has the job after all, as `found`; else `verdict` is refused, later or uncertain.
judge() {
    if [ "$1" -eq 0 ]; then
        # It took the job: whatever its answer looked like, this is never submitted again.
        verdict=uncertain
        : > "$4/taken"
    else
        weigh "$2"
    fi
    case $verdict in
        unknown) verdict=uncertain; : > "$4/unknown" ;;
        uncertain) ;;
        *) return 1 ;;
    esac
    # One that timed out, or says what nobody has heard before, may have taken the job all the same.
    look_up "$3"
}

# Submit to a scheduler: `submit_script` prints the id, or the scheduler's words go to a file.
start_scheduled() {
    id=$(cd -- "$dir" && submit_script job.sh 2> .crystaldeck/submit.err < /dev/null)
    code=$?
    if [ "$code" -eq 0 ] && [ -n "$id" ]; then
        keep_id "$id"
        return
    fi
    message=$(tr '\n\t' '  ' < "$state/submit.err" | cut -c1-400)
    if judge "$code" "$message" "$name" "$state"; then
        keep_id "$found"
        return
    fi
    [ "$verdict" = uncertain ] || rm -rf "$state/submit"
    answer "$verdict" "${message:-the batch system gave no job id}"
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
# 0: it was answered; 1: the array was never taken, so the job is submitted by itself.
of_array() {
    IFS=$tab read -r folder array index < "$state/array" || return 1
    if first_line "$folder/.crystaldeck/job_id"; then
        keep_id "${line}_$index"
    elif [ ! -e "$folder/.crystaldeck/submit" ]; then
        return 1
    elif look_up "$array"; then
        printf '%s\n' "$found" > "$folder/.crystaldeck/job_id" && keep_id "${found}_$index"
    elif [ $? -eq 1 ] && [ ! -e "$folder/.crystaldeck/taken" ] && abandoned "$folder/.crystaldeck/submit"; then
        mv "$folder/.crystaldeck/submit" "$folder/.crystaldeck/submit.lost.$$.$1" 2>/dev/null
        return 1
    elif [ -n "$busy" ]; then
        answer busy "$busy"
    else
        answer uncertain "submitted in an array that the scheduler does not know yet"
    fi
}

submit_one() {
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
        start
    elif look_up "$name"; then
        keep_id "$found"
    elif [ $? -eq 1 ] && [ ! -e "$state/taken" ] && abandoned "$state/submit" \
        && mv "$state/submit" "$state/submit.lost.$$" 2>/dev/null; then
        # Who claimed it has been gone for a minute, and nobody knows the job.
        if [ -e "$state/unknown" ]; then
            rm -f "$state/unknown"
            answer refused "$(tr '\n\t' '  ' < "$state/submit.err" | cut -c1-400)"
        elif claim; then
            start
        else
            answer busy ""
        fi
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
        submit_one "$1"
    done <<LIST
$list
LIST
}

for worker in 0 1 2 3; do
    work "$worker" &
done
wait
