# Read one line, $1 and behind it a step in which line ends and backslashes are written as `printf %b` takes them, and run the step.
# `read` takes byte by byte, so that the rest of standard input is the step's own. A line without $1 is none of ours: a start-up file
# has read before us. Only the last line of this file is sent, in single quotes: it has none itself.
IFS=" " read -r crystaldeck_token crystaldeck_step && [ "$crystaldeck_token" = "$1" ] && eval "$(printf %b "$crystaldeck_step")"
