# The banner of crystal, which tells its release. $1: the cluster's set-up lines; $2: the program.
# It gets an empty deck in an empty directory, so it prints its banner and stops; after 10 s it is ended. Nothing is left behind.
[ -z "$1" ] || eval "$1" > /dev/null 2>&1
command -v timeout > /dev/null 2>&1 || exit 0
place=$(mktemp -d) || exit 0
trap 'rm -rf -- "$place"' EXIT
cd -- "$place" && : > INPUT || exit 0
OMP_NUM_THREADS=1 timeout -k 2 10 "$2" < INPUT 2> /dev/null | head -c 16000
exit 0
