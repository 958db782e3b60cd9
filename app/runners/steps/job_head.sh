set -u
cd -- "${SLURM_SUBMIT_DIR:-$PWD}" || exit 66
state=.crystaldeck
child=
watch=
caught=-
began=$(date +%s)

# Tell the service at once; it asks the scheduler in any case.
tell() { printf '%s %s %s\n' "$token" "$1" "$(date +%s)" >> "$HOME/.crystaldeck/events" 2>/dev/null || true; }

finish() {
    trap '' TERM INT USR1
    [ -z "$watch" ] || kill "$watch" 2>/dev/null
    printf '%s %s %s %s\n' "$1" "$caught" "$(date +%s)" "$began" > "$state/exit.new" && mv -f "$state/exit.new" "$state/exit"
    tell ended
    exit "$1"
}

# A second start of the same job must not compute; a restart by the scheduler under the same id may.
if ! mkdir "$state/run" 2>/dev/null; then
    if [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || [ "$(cat "$state/run/id" 2>/dev/null)" != "${SLURM_JOB_ID:-}" ]; then
        echo "This job was already started once; this start does nothing." >&2
        exit 0
    fi
fi
if [ -n "${SLURM_JOB_ID:-}" ]; then own_id=$SLURM_JOB_ID
else own_id=$$.$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20); fi
printf '%s\n' "$own_id" > "$state/run/id"
# Of an earlier start: how that one ended says nothing of this one.
rm -f "$state/exit"
tell running

# The program is ended in time, so that fort.9, fort.20, fort.98, OPTINFO.DAT, HESSOPT.DAT and FREQINFO.DAT stay.
stop() {
    caught=$1
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null
        (sleep 15; kill -KILL "$child") > /dev/null 2>&1 &
    fi
}
trap 'stop USR1' USR1
trap 'stop TERM' TERM
trap 'stop INT' INT

run() {
    deck=$1 output=$2
    shift 2
    cp -- "$deck" INPUT || finish 74
    "$@" < INPUT > "$output" 2>&1 &
    child=$!
    wait "$child"
    status=$?
    # A trap ends `wait` early: go on until the program is really gone.
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        status=$?
    done
    child=
    [ "$caught" = - ] || finish "$((status ? status : 143))"
    [ "$status" -eq 0 ] || finish "$status"
}
