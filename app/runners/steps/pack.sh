# A tar archive of the files named on standard input, separated by NUL. $1: work directory.
# Links travel as links, which the reader drops; a file with several names travels as a file. Each file's bytes are compared with the
# sum that list.sh computed of a regular file, so that it does not matter what somebody swaps in meanwhile.
cd -- "$HOME" && cd -- "$1" || exit 66
exec tar --null --no-recursion --hard-dereference -cf - -T -
