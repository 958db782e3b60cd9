# In the login shell, run $0 with $1 in a bash that is none any more, so that no ~/.bash_logout prints behind its answer. Functions
# that the profiles exported (module) stay. Only the last line of this file is sent, in single quotes: it has none itself.
exec /bin/bash -c "$0" bash "$1" <&3 3<&-
