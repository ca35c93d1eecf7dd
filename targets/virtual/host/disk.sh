#!/bin/sh
# Holds the mount namespace in which a board's files stay over its restarts.
# Arguments: the root, the home directory in it, the disk's size in bytes, the
# home's owner, the board's tree; then the devices that the board has.
set -e
root=$1 home=$2 size=$3 owner=$4 tree=$5
shift 5
mount --rbind / "$root/.host"
mount --bind "$tree/sys" "$root/sys"
mount --bind "$tree/run" "$root/run/board"
for device; do
	mount --rbind "$device" "$root$device"
done
mount -t tmpfs -o "size=$size,uid=$owner,gid=$owner,mode=750" disk "$root$home"
echo ready
exec sleep infinity
