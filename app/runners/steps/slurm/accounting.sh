# Accounting of the jobs whose ids stand on standard input, one a line. $1: first day to look at.
# The steps of a job are listed below it: they know how much memory was used.
export LC_ALL=C
ids=$(paste -s -d, -)
exec sacct --noheader --parsable2 --jobs="$ids" --starttime="$1" \
    --format=JobID,State,ExitCode,NodeList,ElapsedRaw,TotalCPU,MaxRSS,Reason
