# What the partitions allow, a line for each kind of nodes: name, available, time limit, nodes, cores, MiB of memory.
export LC_ALL=C
exec sinfo --noheader --format='%R|%a|%l|%D|%c|%m'
