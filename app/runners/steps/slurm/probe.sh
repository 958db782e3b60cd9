# Does the batch system answer? Prints "version<TAB>words", "partitions<TAB>words" and "accounting<TAB>available|failed: words".
export LC_ALL=C
printf 'version\t%s\n' "$(sinfo --version 2>&1 | head -n 1)"
printf 'partitions\t%s\n' "$(sinfo -h -o '%P(%a,%l,%D nodes)' 2>&1 | tr '\n' ' ' | cut -c1-600)"
if out=$(sacct -n -X -S now-1hours -o JobID 2>&1); then printf 'accounting\tavailable\n'
else printf 'accounting\tfailed: %s\n' "$(printf %s "$out" | tr '\n' ' ' | cut -c1-200)"; fi
