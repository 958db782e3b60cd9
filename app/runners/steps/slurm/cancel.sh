# Cancel the jobs whose ids stand on standard input, one a line.
export LC_ALL=C
exec xargs scancel
