# Each task is a job of its own: its line of `list` is its directory, and job.sh there is what it runs.
cd -- "${SLURM_SUBMIT_DIR:-$PWD}" || exit 66
directory=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" list)
cd -- "$directory" || exit 66
export SLURM_SUBMIT_DIR=$PWD
exec /bin/bash -l ./job.sh >> job.log 2>&1
