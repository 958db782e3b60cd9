# Without a scheduler nobody else watches the time limit.
if [ -z "${SLURM_JOB_ID:-}" ]; then
    (trap 'kill $nap' TERM; sleep @walltime_s@ & nap=$!; wait $nap && kill -USR1 $$) > /dev/null 2>&1 &
    watch=$!
fi
