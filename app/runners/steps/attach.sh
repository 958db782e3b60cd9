# Put files of earlier jobs beside new ones. $1: work directory.
# Standard input: lines "sha256<TAB>target<TAB>source<TAB>how"; the source is a path below the work directory, or -; how is
# copy, or move for what was brought for this job alone. Prints "have" or "missing" and the target, per line.
# A copy, not a link: programs write into these files.
# A target is <owner>/<job>/<file>. Directories are entered by `cd -P` and their true path is compared, so that no symbolic link
# leads anywhere; a link in the place of a source counts as missing (cp -P would copy the link itself, which has no checksum), one
# in the place of a target is replaced. As in stage.sh, this holds against what lies there, not against the account itself.
export LC_ALL=C
cd -- "$HOME" && cd -- "$1" || exit 66
trap '' HUP PIPE
root=$(pwd -P)
tab=$(printf '\t')
regular() { [ -f "$1" ] && [ ! -L "$1" ]; }
same() { regular "$2" && [ "$(sha256sum < "$2" | cut -c1-64)" = "$1" ]; }

# Go to the directory of the path $1 below the work directory; `file` is then its name there.
enter() {
    case /$1/ in *[!A-Za-z0-9._/-]* | *//* | */./* | */../* | */-*) return 1 ;; esac
    case $1 in */*/*) ;; *) return 1 ;; esac
    file=${1##*/}
    cd -P -- "$root/${1%/*}" 2> /dev/null && [ "$(pwd -P)" = "$root/${1%/*}" ]
}

# May a file be put at the path $1? Never under a name that means something to us.
fits() {
    case $1 in */*/*/*) return 1 ;; */*/*) ;; *) return 1 ;; esac
    case ${1##*/} in
        .* | *.[Ss][Hh] | *.[Oo][Uu][Tt] | *.[Oo][Uu][Tt][Pp] | [Jj][Oo][Bb].[Ll][Oo][Gg]) return 1 ;;
        [Ii][Nn][Pp][Uu][Tt] | [Ll][Ii][Ss][Tt]) return 1 ;;
    esac
}

# Bring the source $1 to the file $3 of the directory where we are, by $2.
bring() {
    here=$(pwd -P)
    rm -f -- "$3.part"
    if ! enter "$1" || ! regular "./$file"; then
        cd -- "$here" || exit 74
        return 1
    fi
    if [ "$2" = move ]; then mv -f -- "./$file" "$here/$3.part"
    else cp -P --reflink=auto -- "./$file" "$here/$3.part"; fi
    done=$?
    cd -- "$here" || exit 74
    return "$done"
}

while IFS=$tab read -r sum target source how; do
    if ! fits "$target" || ! enter "$target"; then
        printf 'refused: %s is no place for a file of a job\n' "$target" >&2
        exit 74
    fi
    name=$file
    if same "$sum" "./$name"; then
        printf 'have\t%s\n' "$target"
    elif bring "$source" "$how" "$name" && same "$sum" "./$name.part"; then
        mv -f -- "./$name.part" "./$name" || exit 74
        printf 'have\t%s\n' "$target"
    else
        rm -f -- "./$name.part"
        printf 'missing\t%s\n' "$target"
    fi
done
exit 0
