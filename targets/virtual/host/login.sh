#!/bin/sh
# Runs a login's command in the board's userland. The words to begin with stand
# one a line in files beside this script.
here=${0%/*}
case "$SSH_ORIGINAL_COMMAND" in
*/sftp-server) words=$here/sftp.words ;;
*) words=$here/shell.words ;;
esac
set --
while IFS= read -r word; do
	set -- "$@" "$word"
done <"$words"
case "$SSH_ORIGINAL_COMMAND" in
*/sftp-server) ;;
'') set -- "$@" -l ;;
# proot does not tell that the program it began with was killed; a shell around
# the command does, by its status.
*) set -- "$@" -c '(eval "$1"); exit $?' sh "$SSH_ORIGINAL_COMMAND" ;;
esac
exec "$@"
