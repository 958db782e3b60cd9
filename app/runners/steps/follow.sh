# Lines that jobs append to the events file, as they come. Ends by itself after an hour; the caller starts it again.
cd -- "$HOME" && mkdir -p .crystaldeck && : >> .crystaldeck/events || exit 73
exec timeout 3600 tail -n 0 -F .crystaldeck/events 2>/dev/null
