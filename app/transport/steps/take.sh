# Write standard input to a file; a file or link that is there is replaced, not written through.
# $1: work directory; $2: path of the file below it.
cd -- "$HOME" && cd -- "$1" && root=$(pwd -P) && path=./$2 && folder=${path%/*} && name=${2##*/} || exit 66
{ cd -P -- "$folder" && [ "$(pwd -P)" = "$root${folder#.}" ]; } || { echo "a symbolic link leads to $2" >&2; exit 77; }
rm -f -- "./$name" && exec dd of="./$name" oflag=nofollow conv=excl bs=1M status=none
