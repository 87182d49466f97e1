# Link guests: VMs and their SR-IOV cards. Needs virsh.sh. A VM is given by its UUID, since virsh
# takes a name that looks like a number for an ID.

define_vm() { # XML
    printf '%s' "$1" | virsh_quietly define --file /dev/stdin
}

# Undo of a definition that may not have come about.
undefine_vm() { # UUID
    no_vm "$1" || virsh_quietly undefine --domain "$1" 2>/dev/null ||
        # a VM with EFI firmware has got a file of its own by its start, and libvirt wants a word on it
        virsh_quietly undefine --domain "$1" --keep-nvram
}

# The card's XML goes in through a pipe; the flags say where: --config, --live or both.
attach_nic() { # UUID XML FLAG…
    vm=$1 card=$2
    shift 2
    printf '%s' "$card" | virsh_quietly attach-device --domain "$vm" --file /dev/stdin "$@"
}

# In what follows a card is told by its address, its pool as XML text and its pool's PF, since both
# legs of a pair may have one address.

# libvirt takes no address alone that two cards have (virDomainNetFindIdx), so it gets its own words
# for the card, with its place in the guest. virsh answers when QEMU was asked; the guest lets go of
# the card when it has dealt with that.
detach_nic() { # UUID MAC POOL PF FLAG…
    detach_vm=$1 detach_mac=$2 detach_pool=$3 detach_pf=$4
    shift 4
    for detach_flag; do
        [ "$detach_flag" = --config ] || vm_is_awake "$detach_vm" || return 1
        knows_nic "$detach_vm" "$detach_mac" "$detach_pool" "$detach_pf" "$detach_flag" ||
            return 1
        [ -n "$nic" ] || {
            echo "the VM has no card $detach_mac on $detach_pool ($detach_flag)" >&2
            return 1
        }
        printf '%s' "$nic" |
            virsh_quietly detach-device --domain "$detach_vm" --file /dev/stdin "$detach_flag" ||
            return 1
    done
}

# For undo, where the card may or may not be there. What is undone next may need the VF to be free.
detach_nic_if_there() { # UUID MAC POOL PF FLAG
    ! lacks_nic "$@" || return 0
    detach_nic "$@" && vm_lacks_nic "$@"
}

# For undo of an unplugging that may not have come about.
attach_nic_if_missing() { # UUID MAC POOL PF FLAG XML
    knows_nic "$1" "$2" "$3" "$4" "$5" || return 1
    [ -z "$nic" ] || return 0
    case $5 in
    --live) plug_in_as_defined "$1" "$2" "$3" "$4" "$6" ;;
    *) attach_nic "$1" "$6" "$5" ;;
    esac
}

# A card that comes back sits in its old place in the guest, by which a bond may know it: the place
# is in the VM's definition. Another card may have taken it meanwhile.
plug_in_as_defined() { # UUID MAC POOL PF XML
    knows_nic "$1" "$2" "$3" "$4" --config || return 1
    if [ -n "$nic" ]; then
        attach_nic "$1" "$nic" --live 2>/dev/null && return 0
    fi
    attach_nic "$1" "$5" --live
}

vm_xml() { # UUID --config|--live
    case $2 in
    --config) set -- "$1" --inactive ;;
    *) set -- "$1" ;;
    esac
    system_virsh dumpxml --domain "$@"
}

# Each <interface> as one line, so that address and pool are looked for in the same one. A running
# VM's XML names the VF instead of the pool (libvirt domain_conf.c, virDomainActualNetDefContentsFormat).
# Exit status 2: libvirt does not say.
find_nic() { # UUID MAC POOL PF --config|--live; sets $nic to the card's XML
    find_pool=$3 find_pf=$4 find_where=$5
    domain=$(vm_xml "$1" "$5") || return 2
    cards=$(printf '%s\n' "$domain" | tr -d '\n' | sed 's/<interface/\
<interface/g
s/<\/interface>/&\
/g' | grep -F "<mac address='$2'/>") || return 1
    while IFS= read -r nic; do
        if [ "$find_where" = --live ]; then
            [ "$(pf_of_nic "$nic")" = "$find_pf" ] && return 0
        else
            case $nic in *"network='$find_pool'"*) return 0 ;; esac
        fi
    done <<EOF
$cards
EOF
    return 1
}

# Fails only where libvirt does not say. Sets $nic, to nothing where the VM has no such card.
knows_nic() { # UUID MAC POOL PF --config|--live
    found=0
    find_nic "$@" || found=$?
    case $found in
    0) ;;
    1) nic= ;;
    *)
        echo "libvirt does not say which cards the VM has: virsh dumpxml $1" >&2
        return 1
        ;;
    esac
}

# Also where there is no such VM; not where libvirt does not say.
lacks_nic() { # UUID MAC POOL PF --config|--live
    found=0
    find_nic "$@" || found=$?
    case $found in
    0) return 1 ;;
    1) return 0 ;;
    *) no_vm "$1" ;;
    esac
}

# From <source><address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x2'/></source>.
pf_of_nic() { # XML; prints the PCI address of its VF's PF
    place=${1#*<source>}
    place=${place%%</source>*}
    domain=${place#*domain=\'0x} bus=${place#*bus=\'0x}
    slot=${place#*slot=\'0x} function=${place#*function=\'0x}
    vf=${domain%%\'*}:${bus%%\'*}:${slot%%\'*}.${function%%\'*}
    pf=$(readlink "${SRIOVCTL_SYSFS:-/sys}/bus/pci/devices/$vf/physfn") || return 1
    printf '%s' "${pf##*/}"
}

vm_has_nic() { # UUID MAC POOL PF FLAG…
    has_vm=$1 has_mac=$2 has_pool=$3 has_pf=$4
    shift 4
    for has_flag; do
        find_nic "$has_vm" "$has_mac" "$has_pool" "$has_pf" "$has_flag" || return 1
    done
}

vm_lacks_nic() { # UUID MAC POOL PF FLAG…
    lacks_vm=$1 lacks_mac=$2 lacks_pool=$3 lacks_pf=$4
    shift 4
    for lacks_flag; do
        waited=0
        until lacks_nic "$lacks_vm" "$lacks_mac" "$lacks_pool" "$lacks_pf" "$lacks_flag"; do
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

# After a boot libvirt may be starting it by itself, and then refuses.
start_vm() { # UUID
    vm_is_running "$1" || virsh_quietly start --domain "$1" || vm_is_running "$1"
}

# Undo of a start that this very run made: the guest has nothing to lose yet.
power_off_vm() { # UUID
    vm_is_off "$1" || virsh_quietly destroy --domain "$1"
}

vm_is_off() { # UUID; a paused one is not
    state=$(system_virsh domstate --domain "$1" 2>/dev/null) || return 1
    [ "$state" = "shut off" ]
}

vm_is_running() { # UUID
    state=$(system_virsh domstate --domain "$1" 2>/dev/null) || return 1
    [ "$state" = running ]
}

# Asks all of them, then waits for each by libvirt's events; one that overheard the button, such as a
# guest that was still booting, is asked again.
shut_down_vms() { # UUID…
    for shut in "$@"; do
        vm_is_off "$shut" || vm_is_awake "$shut" || return 1
    done
    for shut in "$@"; do
        # it may go off by itself meanwhile
        vm_is_off "$shut" || virsh_quietly shutdown --domain "$shut" || vm_is_off "$shut" || return 1
    done
    seconds_since_boot
    deadline=$((now + VM_SHUTDOWN_TIMEOUT_S))
    for shut in "$@"; do
        until vm_is_off "$shut"; do
            seconds_since_boot
            [ "$now" -lt "$deadline" ] || {
                echo "the VM $shut has not shut down within $VM_SHUTDOWN_TIMEOUT_S s; it was asked to, and may still do so" >&2
                return 1
            }
            # virsh before 1.2.5 (CentOS 6) knows no events
            virsh_within $((VM_EVENT_S + 5)) event --domain "$shut" --event lifecycle \
                --timeout "$VM_EVENT_S" >/dev/null 2>&1 || sleep 1
            vm_is_off "$shut" || virsh_quietly shutdown --domain "$shut" 2>/dev/null || :
        done
    done
}
VM_SHUTDOWN_TIMEOUT_S=${SRIOVCTL_VM_SHUTDOWN_TIMEOUT_S:-180}
VM_EVENT_S=5

# One that is not hears no power button, and lets go of no card.
vm_is_awake() { # UUID
    state=$(system_virsh domstate --domain "$1") || return 1
    case $state in
    paused | pmsuspended | crashed)
        echo "the VM $1 is $state and does not listen: virsh resume it, or virsh destroy it" >&2
        return 1
        ;;
    esac
}

seconds_since_boot() { # sets $now; a clock that is set right meanwhile does not disturb it
    read -r now _ </proc/uptime
    now=${now%.*}
}

# All that can be started are. One that never went off, as undo of shut_down_vms finds it, is left
# alone.
start_vms() { # UUID…
    unstarted=0
    for again in "$@"; do
        # libvirt may be starting it by itself: its answer comes when that is through
        start_vm "$again" || { ! vm_is_off "$again" && [ -n "$state" ]; } || unstarted=1
    done
    [ "$unstarted" = 0 ] || echo "the others were started" >&2
    return "$unstarted"
}

vms_are_running() { # UUID…
    for on; do
        vm_is_running "$on" || return 1
    done
}

vms_are_off() { # UUID…
    for off; do
        vm_is_off "$off" || return 1
    done
}

note_vms() { # PATH UUID…
    note=$1
    shift
    { [ -d "${note%/*}" ] || mkdir -p "${note%/*}"; } &&
        printf '%s\n' "# Written by sriovctl: VMs to start again after a restart." "$@" >"$note.new" &&
        mv "$note.new" "$note"
}

forget_vms() { # PATH
    rm -f "$1"
}

no_note() { # PATH
    [ ! -e "$1" ]
}

vm_is() { # UUID autostart|persistent enable|disable|yes|no
    facts=$(system_virsh dominfo --domain "$1" 2>/dev/null |
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

# By what libvirt has, not by what it does not find: it may be away for just that question.
no_vm() { # UUID, or a name where none is known
    vms=$(system_virsh list --all --uuid && system_virsh list --all --name) || return 1
    case "
$vms
" in
    *"
$1
"*) return 1 ;;
    esac
}
