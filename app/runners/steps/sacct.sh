# Accounting of the jobs whose ids stand on standard input, one a line. $1: first day to look at.
export LC_ALL=C
ids=$(paste -s -d, -)
exec sacct --noheader --allocations --parsable2 --jobs="$ids" --starttime="$1" --format=JobID,State,ExitCode,NodeList,Reason
