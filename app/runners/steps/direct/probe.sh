# What this machine is. Prints "machine<TAB>words".
printf 'machine\t%s cores, %s\n' "$(nproc)" "$(uname -sr)"
