# A command inside a VM, by its QEMU guest agent. A VM is given by its UUID where that is known, since
# virsh takes a name that looks like a number for an ID. What the guest answers is hostile: it stays in
# the file $agent_file, of bounded size, and nobody waits for it beyond the time given.
# shellcheck disable=SC2154 # whoever asks names $agent_file

AGENT_MOST_BLOCKS=${SRIOVCTL_AGENT_MOST_BLOCKS:-400} # of 512 bytes, in bash of 1024

# Sets $now, in seconds, by builtins only.
agent_clock() {
    read -r now _ </proc/uptime
    now=${now%%.*}
}

# Puts what virsh printed into $agent_file. Exit status 124: no answer in time; 153: too long a one.
agent_ask() { # VM END ORDER
    agent_clock
    left=$(($2 - now))
    [ "$left" -gt 0 ] || return 124
    (
        # an undo ignores it, and what timeout begins would too
        trap - TERM
        # shellcheck disable=SC3045 # dash, bash and busybox have it
        ulimit -c 0
        ulimit -f "$AGENT_MOST_BLOCKS"
        LC_ALL=C exec timeout "$left" virsh -q -c qemu:///system qemu-agent-command \
            --timeout "$left" --domain "$1" --cmd "$3"
    ) </dev/null >"$agent_file" 2>&1
}

# Waits until the agent answers: where it is not there yet, until libvirt says that it came.
agent_await() { # VM END
    until agent_ask "$1" "$2" '{"execute":"guest-ping"}'; do
        agent_clock
        [ "$now" -lt "$2" ] || return 1
        # its own limit begins when it is connected
        (
            trap - TERM
            exec timeout 10 virsh -q -c qemu:///system event --domain "$1" --event agent-lifecycle \
                --timeout 5 >/dev/null 2>&1 </dev/null
        ) || sleep 1
    done
}

# Puts what guest-exec-status says of the command into $agent_file, when it has ended.
agent_exec() { # VM END ORDER
    agent_ask "$1" "$2" "$3" || return
    pid=$(sed -n 's/.*"pid":\([0-9]\{1,10\}\).*/\1/p' "$agent_file")
    polls=0
    while :; do
        agent_ask "$1" "$2" "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":${pid:-0}}}" ||
            return
        grep -q '"exited":true' "$agent_file" && return 0
        # a command of ours has ended by now; the rest is for a guest that is very slow, or lies
        polls=$((polls + 1))
        [ "$polls" -lt 5 ] || sleep 1
    done
}
