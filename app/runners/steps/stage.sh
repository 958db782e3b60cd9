# Unpack the files of a batch. $1: work directory (relative to the home). Standard input: a tar archive.
# It is unpacked into a fresh folder, looked through, and only then copied into place: plain files alone, each in the directory
# of a job or of a job array, under no name that leads elsewhere. tar itself refuses "..". A symbolic link that lies where a
# directory or a file belongs is never followed: cp refuses the one and replaces the other (--remove-destination).
# This holds against whatever lies there. It cannot hold against another process of the same account that swaps things at
# this very moment; such a process can do all that the account can anyway.
export LC_ALL=C
cd -- "$HOME" && mkdir -p -- "$1" .crystaldeck && cd -- "$1" || exit 66
trap '' HUP PIPE
new=$(mktemp -d .crystaldeck-new.XXXXXX) || exit 74
trap 'rm -rf -- "$new"' EXIT
refuse() { printf 'refused: %s\n' "$1" >&2; exit 74; }

tar -xf - --no-same-owner --no-same-permissions -C "$new" || exit 74
found=$(find "$new" \( ! -type d ! -type f -o -type f -links +1 -o -name '*[!A-Za-z0-9._-]*' \) -printf '%P' -quit)
[ -z "$found" ] || refuse "$found is no plain file with a plain name"

# May a member lie at $1? <owner>/<job>/<file>, <owner>/arrays/<name>/<file>, and what of .crystaldeck is made here.
fits() {
    set -f
    IFS=/
    # shellcheck disable=SC2086 # it is to be split
    set -- $1
    IFS=$space
    set +f
    case ${1:-.}${2:+/}${2:-.}${3:+/}${3:-.} in .* | -* | */.*/* | */-* | */arrays/.*) return 1 ;; esac
    case $#:$3/${4:-}/${5:-} in
        3:.*) return 1 ;;
        3:*) return 0 ;;
        4:.crystaldeck/token/ | 4:.crystaldeck/array/ | 4:.crystaldeck/preflight.d12/) return 0 ;;
        4:*/array.sh/ | 4:*/list/ | 5:*/.crystaldeck/name) [ "$2" = arrays ] ;;
        *) return 1 ;;
    esac
}
space=$IFS
find "$new" -type f -printf '%P\n' | {
    while IFS= read -r path; do fits "$path" || exit 1; done
} || refuse "a file that belongs to no job"
# New jobs are moved as they are, by one process; what is there already is gone through file by file.
for folder in "$new"/*; do
    owner=${folder##*/}
    [ ! -L "./$owner" ] || refuse "a symbolic link stands in the place of $owner"
    mkdir -p -- "./$owner" || exit 74
    set --
    for job in "$folder"/*; do
        place=./$owner/${job##*/}
        if [ ! -e "$place" ] && [ ! -L "$place" ]; then set -- "$@" "$job"; fi
    done
    if [ $# -gt 0 ]; then mv -t "./$owner" -- "$@" || exit 74; fi
done
cp -RP --remove-destination -- "$new/." . || exit 74
echo staged
