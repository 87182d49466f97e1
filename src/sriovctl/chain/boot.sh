# At boot and when a PF's driver comes back: makes what is not there, and never takes a VF away.

PF_UP_TIMEOUT_S=${SRIOVCTL_PF_UP_TIMEOUT_S:-5}

# A network manager may just be about to put the PF into a bond, which the kernel refuses while the
# PF is up (bond_enslave: "Device can not be enslaved while up"): it goes first.
await_pf_up() { # PCI
    pf_is_up "$1" && return 0
    if network_is_managed; then
        timeout "$PF_UP_TIMEOUT_S" ip monitor link | while read -r _; do
            pf_is_up "$1" && break
        done
    fi
    pf_is_up "$1" || pf_up "$1"
}

network_is_managed() {
    systemctl -q is-active systemd-networkd.service NetworkManager.service networking.service
}

restore_vfs() { # PCI COUNT AUTOPROBE
    await_pf_up "$1" || return 1
    read -r present <"$SYSFS/bus/pci/devices/$1/sriov_numvfs" || return 1
    if [ "$present" = 0 ]; then
        [ -z "$3" ] || autoprobe_is "$1" "$3" || set_autoprobe "$1" "$3" || return 1
        set_numvfs "$1" "$2"
    elif [ "$present" != "$2" ]; then
        echo "$1 has $present VFs, not $2: left as it is, since a change would take them all" >&2
        return 1
    fi
}
