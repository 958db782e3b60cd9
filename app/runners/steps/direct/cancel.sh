# End the process groups whose ids stand on standard input: first politely, after 20 s for good.
while read -r id; do
    pid=${id%%.*}
    start=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
    if [ -z "$start" ] || [ "$start" != "${id#*.}" ]; then continue; fi
    kill -s TERM -- "-$pid" 2>/dev/null
    (trap '' HUP; sleep 20; kill -s KILL -- "-$pid") > /dev/null 2>&1 < /dev/null &
done
exit 0
