# The deck with TESTPDIM, in a folder of its own: CRYSTAL says in seconds whether it understands it.
preflight() {
    output=$1
    shift
    trial=$state/preflight
    rm -rf "$trial" && mkdir "$trial" && cp -- "$state/preflight.d12" "$trial/INPUT" || return 0
    for file in fort.34 fort.20 fort.13 OPTINFO.DAT FREQINFO.DAT; do
        [ ! -f "$file" ] || cp --reflink=auto -- "$file" "$trial/$file" || return 0
    done
    (cd "$trial" && exec "$@" < INPUT > output 2>&1) &
    child=$!
    wait "$child"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    child=
    [ "$caught" = - ] || finish 143
    if ! grep -q 'SIZE OF DENSITY MATRIX EVALUATED' "$trial/output" && grep -q 'ERROR \*\*\*\*' "$trial/output"; then
        mv -f "$trial/output" "$output"
        rm -rf "$trial"
        finish 65
    fi
    rm -rf "$trial"
}
