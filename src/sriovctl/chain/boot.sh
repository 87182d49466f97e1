# At boot and when a PF's driver comes back: makes what is not there, and never takes a VF away.

PF_UP_TIMEOUT_S=${SRIOVCTL_PF_UP_TIMEOUT_S:-5}

# A network manager may just be about to put the PF into a bond, which the kernel refuses while the
# PF is up (bond_enslave: "Device can not be enslaved while up"): it goes first.
await_pf_up() { # PCI
    pf_is_up "$1" && return 0
    { network_is_managed && await_link pf_is_up "$1" "$PF_UP_TIMEOUT_S"; } || pf_up "$1"
}

network_is_managed() {
    systemctl -q is-active systemd-networkd.service NetworkManager.service networking.service
}

# Cards are moved: what sits in the slot now may be another one. A bond gives its members its own
# address, so the permanent one counts; an iproute2 that does not show it leaves it to the bond's file.
pf_has_address() { # PCI MAC
    pf_netdev "$1" || return 1
    # shellcheck disable=SC2154 # pf_netdev of nics.sh sets it
    case $(ip link show dev "$netdev") in
    *" permaddr $2"*) return 0 ;;
    *" permaddr "*) return 1 ;;
    *" link/ether $2 "*) return 0 ;;
    esac
    grep -qs "^Permanent HW addr: $2" /proc/net/bonding/*
}

restore_vfs() { # PCI MAC COUNT AUTOPROBE; an empty MAC for any
    if [ -n "$2" ] && ! pf_has_address "$1" "$2"; then
        echo "the port in $1 is not the one with the address $2: no VFs are made on it" >&2
        return 1
    fi
    await_pf_up "$1" || return 1
    read -r present <"$SYSFS/bus/pci/devices/$1/sriov_numvfs" || return 1
    if [ "$present" = 0 ]; then
        [ -z "$4" ] || autoprobe_is "$1" "$4" || set_autoprobe "$1" "$4" || return 1
        set_numvfs "$1" "$3"
    elif [ "$present" != "$3" ]; then
        echo "$1 has $present VFs, not $3: left as it is, since a change would take them all" >&2
        return 1
    fi
}
