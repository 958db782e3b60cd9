# Cancel the jobs whose ids stand on standard input, one a line.
export LC_ALL=C
xargs scancel 2>&1
