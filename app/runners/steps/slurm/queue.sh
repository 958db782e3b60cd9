# Every job of this account that the scheduler still lists, ended ones included, one line for each element of an array.
# A job that waits shows when the scheduler expects to start it, in seconds since 1970.
export LC_ALL=C SLURM_TIME_FORMAT=%s
exec squeue --noheader --array --states=all --user="$(id -un)" --format='%i|%T|%N|%S|%r'
