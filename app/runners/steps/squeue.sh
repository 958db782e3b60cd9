# Every job of this account that the scheduler still lists, ended ones included.
export LC_ALL=C
exec squeue --noheader --states=all --user="$(id -un)" --format='%i|%T|%N|%r'
