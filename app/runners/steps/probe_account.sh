# Can jobs run in this account? $1: work directory; $2: the cluster's set-up lines; then the programs of jobs.
# Prints "home<TAB>path", "workdir<TAB>ok|failed<TAB>words" and for each program "program<TAB>ok|failed<TAB>words".
cd -- "$HOME" && printf 'home\t%s\n' "$HOME"
if mkdir -p -- "$1" && cd -- "$1" && : > .crystaldeck-test && rm .crystaldeck-test; then
    printf 'workdir\tok\t%s free\n' "$(df -Ph . | tail -n 1 | while read -r _ _ _ free _; do echo "$free"; done)"
else printf 'workdir\tfailed\t%s cannot be written\n' "$1"; fi
shift
# The set-up lines are those of the job script: whoever may change the cluster wrote them, and jobs run them.
[ -z "$1" ] || eval "$1" > /dev/null 2>&1
shift
for program; do
    if found=$(command -v "$program" 2>/dev/null); then printf 'program\tok\t%s\n' "$found"
    else printf 'program\tfailed\t%s was not found; give its path or load its module in setup\n' "$program"; fi
done
