#!/bin/bash -l
#SBATCH --job-name=MgO's-scf-1a2b
#SBATCH --comment=token-scf
#SBATCH --output=job.log
#SBATCH --error=job.log
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --nodes=2
#SBATCH --ntasks=64
#SBATCH --cpus-per-task=2
#SBATCH --time=1-00:00:00
#SBATCH --mem=8000M
#SBATCH --partition=long
#SBATCH --account=chem
#SBATCH --qos=high
#SBATCH --no-requeue
token=token-scf
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

export OMP_NUM_THREADS=2 OMP_STACKSIZE=256M
ulimit -s unlimited 2>/dev/null || true

# Set-up lines of this cluster; they may use unset variables.
set +u
module load crystal/23
export TMPDIR=/scratch/$USER
set -u

# Without a scheduler nobody else watches the time limit.
if [ -z "${SLURM_JOB_ID:-}" ]; then
    (trap 'kill $nap' TERM; sleep 86400 & nap=$!; wait $nap && kill -USR1 $$) > /dev/null 2>&1 &
    watch=$!
fi


# The deck with TESTPDIM, in a folder of its own: CRYSTAL says in seconds whether it understands it.
preflight() {
    output=$1
    shift
    trial=$state/preflight
    rm -rf "$trial" && mkdir "$trial" && cp -- "$state/preflight.d12" "$trial/INPUT" || return 0
    for file in fort.34 fort.20 fort.13 OPTINFO.DAT FREQINFO.DAT; do
        [ ! -f "$file" ] || cp --reflink=auto -- "$file" "$trial/$file" || return 0
    done
    (cd "$trial" && exec "$@" < INPUT > output 2>&1) &
    child=$!
    wait "$child"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    child=
    [ "$caught" = - ] || finish 143
    if ! grep -q 'SIZE OF DENSITY MATRIX EVALUATED' "$trial/output" && grep -q 'ERROR \*\*\*\*' "$trial/output"; then
        mv -f "$trial/output" "$output"
        rm -rf "$trial"
        finish 65
    fi
    rm -rf "$trial"
}

preflight scf.out srun '/opt/crystal 23/Pcrystal'
run scf.d12 scf.out srun '/opt/crystal 23/Pcrystal'
finish 0
