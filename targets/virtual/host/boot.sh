#!/bin/sh
# The first process of a board's namespaces. Arguments: the host's name, the
# root, and the server with its arguments, which begins there when the network
# is up.
set -e
hostname "$1"
root=$2
shift 2
echo ready
read -r _
exec chroot "$root" "$@"
