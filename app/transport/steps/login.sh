# Run $1 in a login shell, with $2 as its $0, $3 as its $1 and our standard input as its descriptor 3. The profiles themselves read
# nothing, so that none of them takes what is meant for the step. Only the last line of this file is sent, in single quotes: it has
# none itself.
exec /bin/bash -l -c "$1" "$2" "$3" 3<&0 </dev/null
