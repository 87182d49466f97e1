# tx_launch FOLDER: starts the worker of the script in a transaction's folder, which holds the
# folder's pipes open as long as it lives, waits for it and exits with its status.
tx_launch() {
	tx_folder=$1
	exec 7<>"$tx_folder/steps" 8<>"$tx_folder/alive"
	if command -v setsid >/dev/null 2>&1; then
		setsid sh "$tx_folder/script" work </dev/null &
	else
		(trap '' HUP && exec sh "$tx_folder/script" work) </dev/null &
	fi
	exec 7>&- 8>&-
	trap 'printf "%s\n" "the run goes on; its journal is $tx_folder/journal" >&2; exit 129' HUP INT TERM
	wait "$!"
	exit $?
}
