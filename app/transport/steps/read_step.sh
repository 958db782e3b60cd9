# Read one line, in which line ends and backslashes are written as `printf %b` takes them, and run it. `read` takes byte by byte, so
# that the rest of standard input is the step's own. Only the last line of this file is sent, in single quotes: it has none itself.
IFS= read -r crystaldeck_step && eval "$(printf %b "$crystaldeck_step")"
