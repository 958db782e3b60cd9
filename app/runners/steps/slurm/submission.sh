# How submit.sh submits to SLURM and looks a job up there; it is put before submit.sh.

# The ids in $1, one a line, without the cluster or the element of an array behind them. Other lines are greetings, which some
# centres print before every answer.
ids_in() { printf '%s\n' "$1" | sed -n 's/^\([0-9][0-9]*\)\([;_][^ ]*\)\{0,1\}[[:space:]]*$/\1/p'; }

# Submit the script $1 of this directory; prints the job's id: the only line that is one.
submit_script() {
    printed=$(sbatch --parsable "$1") || return
    case $printed in *[!0-9]*) printed=$(ids_in "$printed") ;; esac
    case $printed in *[!0-9]*) ;; *) printf '%s\n' "$printed" ;; esac
}

start() { start_scheduled; }

# Does the scheduler know a job of this name? Its queue first, then its accounting. $1: the name.
# 0: yes, and `found` is its id; 1: surely not; 2: it could not be asked, so nothing follows.
look_up() {
    found=$(squeue -h -t all -o %F --name="$1" 2>/dev/null) || return 2
    found=$(ids_in "$found")
    if [ -z "$found" ]; then
        found=$(sacct -n -X -P -o JobID -S now-7days --name="$1" 2>&1) || case $found in
            *[Aa]ccounting\ storage\ is\ disabled*) found= ;;
            *) return 2 ;;
        esac
        found=$(ids_in "$found")
    fi
    found=${found%%
*}
    [ -n "$found" ]
}
