# How submit.sh submits to SLURM and looks a job up there; it is put before submit.sh.

# Submit the script $1 of this directory; prints the job's id.
submit_script() {
    printed=$(sbatch --parsable "$1") && printf '%s\n' "${printed%%;*}"
}

start() { start_scheduled; }

# Does the scheduler know a job of this name? Its queue first, then its accounting. $1: the name.
# 0: yes, and `found` is its id; 1: surely not; 2: it could not be asked, so nothing follows.
look_up() {
    found=$(squeue -h -t all -o %F --name="$1" 2>/dev/null) || return 2
    if [ -z "$found" ]; then
        found=$(sacct -n -X -P -o JobID -S now-7days --name="$1" 2>&1) || case $found in
            *[Aa]ccounting\ storage\ is\ disabled*) found= ;;
            *) return 2 ;;
        esac
    fi
    found=$(printf '%s\n' "$found" | head -n 1)
    found=${found%%_*}
    [ -n "$found" ]
}
