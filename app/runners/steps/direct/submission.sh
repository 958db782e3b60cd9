# How submit.sh starts a job where there is no batch system, and looks it up; it is put before submit.sh.

# A process group of its own, known by process id and start time.
start() {
    (
        cd -- "$dir" || exit 1
        exec setsid /bin/bash ./job.sh > job.log 2>&1 < /dev/null
    ) &
    id=$!
    start=$(sed 's/.*) //' "/proc/$id/stat" 2>/dev/null | cut -d' ' -f20)
    keep_id "$id.${start:-0}"
}

# Has the job begun, though nobody wrote its id down? 0: yes, and `found` is its id; 1: no. Nobody has to be asked.
look_up() {
    found=$(cat "$state/run/id" 2>/dev/null)
    [ -n "$found" ]
}
