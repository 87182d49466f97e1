# For the links that speak to libvirt. XML goes in through a pipe: no file is left.

VIRSH_TIMEOUT_S=${SRIOVCTL_VIRSH_TIMEOUT_S:-120}

# An undo ignores TERM, and busybox's timeout hands that on to virsh, which it could not end then.
virsh_within() { # SECONDS and virsh's words
    (
        trap - TERM
        limit=$1
        shift
        exec timeout "$limit" virsh -q -c qemu:///system "$@"
    )
}

system_virsh() { # virsh's words
    virsh_within "$VIRSH_TIMEOUT_S" "$@"
}

virsh_quietly() { # virsh's words; its answer is shown only when it failed
    answer=$(system_virsh "$@" 2>&1) && return 0
    printf '%s\n' "$answer" >&2
    return 1
}
