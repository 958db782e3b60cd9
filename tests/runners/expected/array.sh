#!/bin/bash -l
#SBATCH --job-name=n
#SBATCH --comment=t
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
#SBATCH --job-name=volumes-0123456789
#SBATCH --comment=volumes-0123456789
#SBATCH --output=/dev/null
#SBATCH --array=0-11
# Each task is a job of its own: its line of `list` is its directory, and job.sh there is what it runs.
cd -- "${SLURM_SUBMIT_DIR:-$PWD}" || exit 66
directory=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" list)
cd -- "$directory" || exit 66
export SLURM_SUBMIT_DIR=$PWD
exec /bin/bash -l ./job.sh >> job.log 2>&1
