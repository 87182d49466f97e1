# How this script runs
#
#   sh FILE               copies itself to /var/lib/sriovctl/transactions/ID/script, starts the
#                         worker in a session of its own, waits for it, exits with its status
#   sh ID/script work     the worker: lock, steps, rollback in reverse where one fails
#   sh ID/script confirm  tells a worker that waits that the host is still reachable
#   sh ID/script follow   waits until the steps are through, prints the journal
#
# A lost connection or a killed launcher does not stop the worker. To stop it and have everything
# undone, send TERM to the worker (its pid is the last word of the "begin" line).
#
# Exit status: 0 changed, 10 undone, 11 an undo failed, 12 another run is at work, 13 not begun.
# SRIOVCTL_CONFIRM_S=0 in the environment: wait for no confirmation.

umask 077
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
unset ENV BASH_ENV CDPATH
IFS=' 	
'
tx_tab='	'
tx_state=${SRIOVCTL_STATE:-/var/lib/sriovctl}
tx_keep=20
tx_stop=
tx_timer=
tx_begun=0
tx_cause=

# Time in hundredths of a second since boot, by builtins only.
tx_clock() {
	read -r tx_up _ </proc/uptime
	tx_cs=${tx_up%.*}${tx_up#*.}
	while :; do
		case $tx_cs in 0?*) tx_cs=${tx_cs#0} ;; *) break ;; esac
	done
}

# tx_elapsed SINCE: sets tx_seconds to what has passed, as 1.05.
tx_elapsed() {
	tx_clock
	tx_cs=$((tx_cs - $1))
	tx_seconds=$((tx_cs % 100))
	[ "$tx_seconds" -gt 9 ] || tx_seconds=0$tx_seconds
	tx_seconds=$((tx_cs / 100)).$tx_seconds
}

# tx_emit WORD...: one event, to the journal (5) and to whoever listens (3). Either may be gone.
tx_emit() {
	tx_event=$1
	shift
	for tx_field; do tx_event=$tx_event$tx_tab$tx_field; done
	{ printf '%s\n' "$tx_event" >&5; } 2>/dev/null || {
		# the disk is full: give the reserve back; a line of its own, as half a line may be there
		true >"$tx_dir/reserve"
		printf '\n%s\n' "$tx_event" >&5
	} 2>/dev/null
	{ printf '%s\n' "$tx_event" >&3; } 2>/dev/null || :
}

# tx_text FILE: sets tx_text to the end of what a step said, in one line without control characters.
# A few short lines, the usual case, cost no fork.
tx_text() {
	tx_text=
	tx_lines=0
	while IFS= read -r tx_line && [ "$tx_lines" -lt 5 ]; do
		tx_text="$tx_text${tx_text:+ }$tx_line"
		tx_lines=$((tx_lines + 1))
	done <"$1"
	case ${#tx_text},$tx_lines,$tx_line in
	[0-9],[0-4], | [0-9][0-9],[0-4], | [12][0-9][0-9],[0-4],)
		case $tx_text in *[[:cntrl:]]*) ;; *) return 0 ;; esac
		;;
	esac
	{ tx_text=$(tail -c 1500 "$1" | tr '\001-\037\177' ' '); } 2>/dev/null
}

# tx_not_begun TEXT: ends before anything was changed.
tx_not_begun() {
	printf 'end\tnot-begun\t%s\n' "$1"
	exit 13
}

# Sets tx_me: pid, start time (field 22 of proc(5) stat), boot id, uptime, transaction.
tx_identify() {
	read -r tx_stat </proc/self/stat
	tx_pid=${tx_stat%% *}
	# shellcheck disable=SC2086
	set -- ${tx_stat##*) }
	tx_start=${20}
	read -r tx_boot </proc/sys/kernel/random/boot_id
	tx_clock
	tx_me=$tx_pid.$tx_start.$tx_boot.$((tx_cs / 100)).${tx_id:-}
}

# tx_alive WHO: does the process that wrote this tx_me still run? Takes apart pid, start and boot.
tx_alive() {
	tx_rest=${1#*.}
	tx_boot_then=${tx_rest#*.}
	read -r tx_boot </proc/sys/kernel/random/boot_id
	[ "${tx_boot_then%%.*}" = "$tx_boot" ] || return 1
	{ read -r tx_stat <"/proc/${1%%.*}/stat"; } 2>/dev/null || return 1
	tx_start_then=${tx_rest%%.*}
	# shellcheck disable=SC2086
	set -- ${tx_stat##*) }
	case ${1:-Z} in Z | X) return 1 ;; esac
	[ "${20:-}" = "$tx_start_then" ]
}

# tx_lock PATH: a symbolic link is made with its content in one go, so a lock always says whose it is.
# A dead run's lock is removed only by who holds the lock on exactly that removal (PATH.WHO), and no
# dead run's name comes up again: two that find it at once cannot remove each other's new lock.
# Sets tx_who where it returns 1: busy.
tx_lock() {
	set -- "$1" "" 0
	while [ "$3" -lt 20 ]; do
		ln -s "$tx_me" "$1" 2>/dev/null && return 0
		tx_who=$(readlink "$1" 2>/dev/null)
		if [ -n "$tx_who" ]; then
			tx_alive "$tx_who" && return 1
			set -- "$1" "$tx_who" "$3"
			if tx_lock "$1.$2"; then
				tx_dead=$2
				[ "$(readlink "$1")" != "$2" ] || rm -f "$1"
				rm -f "$1.$2"
			fi
		fi
		set -- "$1" "" "$(($3 + 1))"
	done
	return 1
}

# tx_verdict STATUS: how a step's subshell ends; only do may say "refused" (77).
tx_verdict() {
	[ "$1" -ne 0 ] || return 0
	if [ "$tx_phase" = check ]; then
		printf 'the change does not hold (check: exit status %s)\n' "$1" >&2
		exit 1
	fi
	[ "$1" -eq 77 ] || printf '(exit status %s)\n' "$1" >&2
	exit "$1"
}

# Output of steps goes to a file that is there already; a broken disk must not stop an undo.
tx_sink() {
	tx_output=$tx_dir/$1
	{ true >"$tx_output"; } 2>/dev/null || tx_output=/dev/null
}

# tx_step N TITLE: do, then check; nothing once a step has failed or TERM came. Steps get neither our
# file descriptors nor our ignored PIPE. Neither this nor its callers may stand left of && or ||, or
# in an if's condition: sh would take no notice of set -e in all of it.
tx_step() {
	[ -z "$tx_cause$tx_stop" ] || return 0
	tx_clock
	tx_since=$tx_cs
	tx_emit step "$1" start "$2"
	tx_sink output
	tx_begun=$1
	(
		trap - PIPE
		tx_phase="do"
		trap 'tx_verdict $?' 0
		set -e
		"step_$1_do"
		tx_phase=check
		"step_$1_check"
	) >"$tx_output" 2>&1 3>&- 5>&- 7>&- 8>&-
	tx_status=$?
	tx_text=
	[ ! -s "$tx_output" ] || tx_text "$tx_output"
	tx_elapsed "$tx_since"
	case $tx_status in
	0)
		tx_emit step "$1" "done" "$tx_seconds"
		[ -z "$tx_text" ] || tx_emit step "$1" said "$tx_text"
		;;
	77)
		tx_emit step "$1" refused "$tx_seconds" "${tx_text:-refused}"
		tx_cause="step $1 was refused"
		;;
	*)
		tx_emit step "$1" failed "$tx_seconds" "${tx_text:-exit status $tx_status}"
		tx_cause="step $1 failed"
		;;
	esac
}

# Undoes every step begun, the last one first. Nothing stops it but a SIGKILL. As tx_step, not to be
# called left or right of && or ||.
tx_rollback() {
	trap '' TERM
	{ true >"$tx_dir/reserve"; } 2>/dev/null
	tx_bad=
	while [ "$tx_begun" -gt 0 ]; do
		tx_clock
		tx_since=$tx_cs
		tx_sink undo-output
		(
			trap - PIPE
			set -e
			"step_${tx_begun}_undo"
		) >"$tx_output" 2>&1 3>&- 5>&- 7>&- 8>&-
		tx_status=$?
		tx_elapsed "$tx_since"
		if [ "$tx_status" -eq 0 ]; then
			tx_emit undo "$tx_begun" "done" "$tx_seconds"
		else
			tx_text "$tx_output"
			tx_emit undo "$tx_begun" failed "$tx_seconds" "${tx_text:-exit status $tx_status}"
			tx_bad="$tx_bad $tx_begun"
		fi
		tx_begun=$((tx_begun - 1))
	done
	[ -n "$tx_cause" ] || tx_cause="stopped by $tx_stop"
	[ -z "$tx_bad" ] || tx_end undo-failed 11 "$tx_cause; failed undo of:$tx_bad"
	tx_end undone 10 "$tx_cause"
}

# tx_end STATE STATUS [TEXT]: the last event, then the lock, then old transactions.
tx_end() {
	trap '' TERM
	tx_emit end "$1" "${3:-}"
	rm -f "$tx_lock" "$tx_dir/reserve"
	set -- "$tx_state"/transactions/* "$2"
	# a few more than are kept, so that not every run has to clean up
	if [ $# -gt $((tx_keep + 5)) ]; then
		shift $(($# - 1))
		cd "$tx_state/transactions" && tx_prune
	fi
	shift $(($# - 1))
	exit "$1"
}

tx_prune() {
	tx_n=0
	# shellcheck disable=SC2012
	ls -t | while read -r tx_old; do
		tx_n=$((tx_n + 1))
		[ "$tx_n" -le "$tx_keep" ] || rm -rf "./$tx_old"
	done
}

# Waits for a confirmation. The only writers of the pipe are sleep, who confirms, and our own trap for
# TERM: when sleep ends, read sees the end of the file. Nobody kills sleep before it has opened its end,
# for which ours waits. Who renames "undecided" decides, once and for all.
tx_await() {
	sleep "$tx_confirm" 6>"$tx_dir/confirm" >/dev/null 2>&1 3>&- 5>&- 7>&- 8>&- &
	tx_timer=$!
	exec 6<"$tx_dir/confirm"
	{ true >"$tx_dir/undecided"; } 2>/dev/null
	tx_emit confirm-wait "$tx_confirm" "$tx_dir"
	exec 7>&-
	[ -n "$tx_stop" ] || read -r _ <&6
	exec 6<&-
	kill "$tx_timer" 2>/dev/null
	{ wait "$tx_timer"; } 2>/dev/null
	mv "$tx_dir/undecided" "$tx_dir/late" 2>/dev/null
	[ -e "$tx_dir/confirmed" ] || tx_cause=${tx_stop:+"stopped by $tx_stop"}
	[ -e "$tx_dir/confirmed" ] || tx_cause=${tx_cause:-"not confirmed within $tx_confirm s"}
}

tx_work() {
	trap '' HUP INT QUIT PIPE TSTP
	trap 'tx_stop=TERM; [ -z "$tx_timer" ] || echo stop 1<>"$tx_dir/confirm"' TERM
	exec 3>&1
	cd / || :
	tx_identify
	# all that needs room on the disk, before the first change
	for tx_file in reserve journal output undo-output; do
		{ true >"$tx_dir/$tx_file"; } 2>/dev/null || tx_not_begun "cannot write to $tx_dir"
	done
	{ printf '%065536d' 0 >"$tx_dir/reserve"; } 2>/dev/null || {
		true >"$tx_dir/reserve"
		tx_not_begun "no room for 64 KiB in $tx_dir: is the disk full?"
	}
	exec 5>>"$tx_dir/journal"
	tx_lock=/run/sriovctl.lock
	[ -d /run ] || tx_lock=/var/run/sriovctl.lock
	[ -z "${SRIOVCTL_STATE:-}" ] || tx_lock=$SRIOVCTL_STATE/lock
	tx_dead=
	if ! tx_lock "$tx_lock"; then
		true >"$tx_dir/reserve"
		if [ -z "$tx_who" ]; then
			tx_emit end not-begun "cannot make the lock $tx_lock"
			exit 13
		fi
		tx_rest=${tx_who#*.*.*.}
		tx_clock
		tx_emit end busy "pid ${tx_who%%.*}, transaction ${tx_rest#*.}, for $((tx_cs / 100 - ${tx_rest%%.*})) s"
		exit 12
	fi
	tx_emit begin "$tx_id" "$tx_digest" "$tx_pid"
	[ -z "$tx_dead" ] || tx_emit takeover "${tx_dead%%.*}" "${tx_dead#*.*.*.*.}"
	tx_steps
	if [ -z "$tx_cause$tx_stop" ] && [ "$tx_confirm" -gt 0 ]; then tx_await; fi
	if [ -n "$tx_cause$tx_stop" ]; then tx_rollback; fi
	tx_end changed 0
}

# tx_outlast PIPE: returns when no worker holds the pipe open any more, at once if none does.
tx_outlast() {
	[ -p "$1" ] || return 0
	exec 4<>"$1"
	exec 6<"$1"
	exec 4>&-
	read -r _ <&6
	exec 6<&-
}

tx_confirm() {
	if mv "$tx_dir/undecided" "$tx_dir/confirmed" 2>/dev/null; then
		echo confirm 1<>"$tx_dir/confirm"
		printf 'confirm\taccepted\n'
	elif [ -e "$tx_dir/confirmed" ]; then
		printf 'confirm\taccepted\n'
	elif [ -e "$tx_dir/late" ]; then
		printf 'confirm\tlate\n'
	else
		printf 'confirm\tnot-waiting\n'
	fi
	tx_outlast "$tx_dir/alive"
	cat "$tx_dir/journal"
	exit 0
}

tx_follow() {
	tx_outlast "$tx_dir/steps"
	[ -e "$tx_dir/undecided" ] || tx_outlast "$tx_dir/alive"
	[ -s "$tx_dir/journal" ] || tx_never
	cat "$tx_dir/journal"
	exit 0
}

# Nothing was written: the worker ended before its first event, as on a full disk, or its launcher
# before it; or it is about to begin, and without its script it cannot.
tx_never() {
	mv "$tx_dir/script" "$tx_dir/never" 2>/dev/null
	tx_outlast "$tx_dir/alive"
	[ ! -s "$tx_dir/journal" ] || return 0
	printf 'end\tnot-begun\t%s\n' "it ended before its first step: is there room in $tx_dir?"
	exit 0
}

# tx_by_hand FILE: this file, run by a person.
tx_by_hand() {
	tx_marker=
	{ read -r tx_line && read -r tx_marker; } 2>/dev/null <"$1"
	[ "$tx_marker" = "# sriovctl transaction $tx_digest" ] ||
		tx_not_begun "this script must be a file: save it, then run: sh FILE"
	tx_identify
	tx_id=${tx_digest%"${tx_digest#????????????}"}-$tx_start-$tx_pid
	tx_dir=$tx_state/transactions/$tx_id
	tx_text=$({
		mkdir -p "$tx_state/transactions" && mkdir "$tx_dir" &&
			mkfifo "$tx_dir/steps" "$tx_dir/alive" "$tx_dir/confirm"
	} 2>&1) || tx_not_begun "$tx_text"
	cat "$1" >"$tx_dir/script" || {
		rm -rf "$tx_dir"
		tx_not_begun "cannot write $tx_dir/script: is the disk full?"
	}
	tx_launch "$tx_dir"
}

# tx_main DIGEST CONFIRM_S VERB
tx_main() {
	# where one is closed, the next file opened would take its place
	[ -e /proc/self/fd/2 ] || exec 2>/dev/null
	[ -e /proc/self/fd/1 ] || exec >/dev/null
	[ -e /proc/self/fd/0 ] || exec </dev/null
	tx_digest=$1
	tx_confirm=${SRIOVCTL_CONFIRM_S:-$2}
	case $tx_confirm in *[!0-9]*) tx_not_begun "SRIOVCTL_CONFIRM_S is no number of seconds" ;; esac
	tx_dir=${0%/*}
	tx_id=${tx_dir##*/}
	case $3 in
	'') tx_by_hand "$0" ;;
	work | confirm | follow) "tx_$3" ;;
	*) tx_not_begun "no such verb: $3" ;;
	esac
}
