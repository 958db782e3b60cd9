# Remove the file that the test of a cluster copied. $1: work directory; $2: the file's name.
cd -- "$HOME" && cd -- "$1" && rm -f -- "./$2"
