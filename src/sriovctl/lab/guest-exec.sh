#!/bin/sh
# Run on a server: a command inside one of its VMs, by the VM's guest agent, in one go.
#   guest-exec.sh VM SECONDS [ORDER]
# SECONDS to wait for the agent, 0 for not at all; ORDER is guest-exec as JSON, without it
# nothing is run. Prints the answer of guest-exec-status. Exit code 123: the agent is silent;
# 124: the VM does not run here; 125: the agent refused.
virsh -q list --name | grep -qxF -e "$1" || exit 124

# Ask the agent; where it is not there yet, sleep until libvirt says that it came.
end=$(($(date +%s) + $2))
until [ "$2" -eq 0 ] ||
    virsh -q qemu-agent-command "$1" '{"execute":"guest-ping"}' >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || exit 123
    virsh -q event --domain "$1" --event agent-lifecycle --timeout 5 >/dev/null
done
[ -n "${3-}" ] || exit 0

# Sets $answer. On a busy server an agent that is there may need longer than libvirt's 5 s.
ask() { # VM ORDER
    until answer=$(virsh -q qemu-agent-command "$1" "$2" 2>&1); do
        case $answer in
        *"didn't respond"*) [ "$(date +%s)" -ge "$end" ] || continue ;;
        esac
        echo "$answer" >&2
        exit 125
    done
}

ask "$1" "$3"
pid=${answer##*'"pid":'}
pid=${pid%%[!0-9]*}
if [ -z "$pid" ]; then
    echo "$answer" >&2
    exit 125
fi
while :; do
    ask "$1" "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$pid}}"
    case $answer in
    *'"exited":true'*) break ;;
    esac
done
printf '%s\n' "$answer"
