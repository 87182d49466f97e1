# Link guests: VMs and their SR-IOV cards. Needs virsh.sh. A VM is given by its UUID, since virsh
# takes a name that looks like a number for an ID.

define_vm() { # XML
    printf '%s' "$1" | virsh_quietly define --file /dev/stdin
}

# Undo of a definition that may not have come about.
undefine_vm() { # UUID
    no_vm "$1" || virsh_quietly undefine --domain "$1"
}

# The card's XML goes in through a pipe; the flags say where: --config, --live or both.
attach_nic() { # UUID XML FLAG…
    vm=$1 card=$2
    shift 2
    printf '%s' "$card" | virsh_quietly attach-device --domain "$vm" --file /dev/stdin "$@"
}

# virsh answers when QEMU was asked; the guest lets go of the card when it has dealt with that.
detach_nic() { # UUID XML FLAG…
    vm=$1 card=$2
    shift 2
    printf '%s' "$card" | virsh_quietly detach-device --domain "$vm" --file /dev/stdin "$@"
}

# For undo, where the card may or may not be there.
detach_nic_if_there() { # UUID MAC POOL XML FLAG
    vm_has_nic "$1" "$2" "$3" "$5" || return 0
    detach_nic "$1" "$4" "$5"
}

# For undo of an unplugging that may not have come about.
attach_nic_if_missing() { # UUID MAC POOL XML FLAG
    vm_has_nic "$1" "$2" "$3" "$5" || attach_nic "$1" "$4" "$5"
}

vm_xml() { # UUID --config|--live
    case $2 in
    --config) set -- "$1" --inactive ;;
    *) set -- "$1" ;;
    esac
    timeout "$VIRSH_TIMEOUT_S" virsh -q -c qemu:///system dumpxml --domain "$@"
}

# Each <interface> as one line, so that address and pool are looked for in the same one. A running
# VM's XML names the VF instead of the pool (libvirt domain_conf.c, virDomainActualNetDefContentsFormat).
vm_has_nic() { # UUID MAC POOL FLAG…; POOL as XML text
    has_vm=$1 has_mac=$2 has_pool=$3
    shift 3
    for has_flag; do
        found=$(vm_xml "$has_vm" "$has_flag" | tr -d '\n' | sed 's/<interface/\
<interface/g' | grep -F "<mac address='$has_mac'/>") || return 1
        [ "$has_flag" = --live ] && continue
        case $found in *"network='$has_pool'"*) ;; *) return 1 ;; esac
    done
}

vm_lacks_nic() { # UUID MAC POOL FLAG…
    lacks_vm=$1 lacks_mac=$2 lacks_pool=$3
    shift 3
    for lacks_flag; do
        waited=0
        while vm_has_nic "$lacks_vm" "$lacks_mac" "$lacks_pool" "$lacks_flag"; do
            [ "$waited" -lt "$UNPLUG_TIMEOUT_S" ] || {
                echo "the guest has not let go of $lacks_mac within $UNPLUG_TIMEOUT_S s" >&2
                return 1
            }
            sleep 1
            waited=$((waited + 1))
        done
    done
}
UNPLUG_TIMEOUT_S=${SRIOVCTL_UNPLUG_TIMEOUT_S:-30}

autostart_vm() { # UUID
    virsh_quietly autostart --domain "$1"
}

no_autostart_vm() { # UUID
    virsh_quietly autostart --domain "$1" --disable
}

start_vm() { # UUID
    vm_is_running "$1" || virsh_quietly start --domain "$1"
}

# Undo of a start that this very run made: the guest has nothing to lose yet.
power_off_vm() { # UUID
    ! vm_is_running "$1" || virsh_quietly destroy --domain "$1"
}

vm_is_running() { # UUID
    state=$(timeout "$VIRSH_TIMEOUT_S" virsh -q -c qemu:///system domstate --domain "$1" 2>/dev/null) || return 1
    [ "$state" = running ]
}

vm_is() { # UUID autostart|persistent enable|disable|yes|no
    facts=$(timeout "$VIRSH_TIMEOUT_S" virsh -q -c qemu:///system dominfo --domain "$1" 2>/dev/null |
        tr '[:upper:]' '[:lower:]' | tr -d ' ') || return 1
    case "
$facts
" in
    *"
$2:$3
"*) return 0 ;;
    esac
    return 1
}

no_vm() { # UUID
    ! timeout "$VIRSH_TIMEOUT_S" virsh -q -c qemu:///system domname --domain "$1" >/dev/null 2>&1
}
