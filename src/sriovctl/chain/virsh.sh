# For the links that speak to libvirt. XML goes in through a pipe: no file is left.

VIRSH_TIMEOUT_S=${SRIOVCTL_VIRSH_TIMEOUT_S:-120}

virsh_quietly() { # virsh's words; its answer is shown only when it failed
    answer=$(timeout "$VIRSH_TIMEOUT_S" virsh -q -c qemu:///system "$@" 2>&1) && return 0
    printf '%s\n' "$answer" >&2
    return 1
}
