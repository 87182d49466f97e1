# Link bonds: the host's bonds over PFs, VLANs and bridges on them, addresses. Needs nics.sh.
# Bonds through the driver's own files: no iproute2 is too old for them, and each option can be set
# and read by itself (Documentation/networking/bonding.rst).

NET=$SYSFS/class/net
ASIDE=${SRIOVCTL_STATE:-/var/lib/sriovctl}/aside
UDEV_TIMEOUT_S=${SRIOVCTL_UDEV_TIMEOUT_S:-30}
DHCP_TIMEOUT_S=${SRIOVCTL_DHCP_TIMEOUT_S:-45}
NETWORKD_TIMEOUT_S=${SRIOVCTL_NETWORKD_TIMEOUT_S:-5}

make_bond() { # BOND
    [ ! -d "$NET/$1/bonding" ] || return 0
    # by itself the module makes a bond0 of nobody's wish
    [ -e "$NET/bonding_masters" ] || modprobe bonding max_bonds=0 || return 1
    echo "+$1" >"$NET/bonding_masters" && settle
}

remove_bond() { # BOND
    [ ! -d "$NET/$1/bonding" ] || echo "-$1" >"$NET/bonding_masters"
}

# udev gives new devices an address of its own making; what is set before it is done is lost.
settle() {
    udevadm settle --timeout="$UDEV_TIMEOUT_S" 2>/dev/null || :
}

set_bond() { # BOND OPTION VALUE, again and again
    bond=$1
    shift
    while [ $# -gt 1 ]; do
        if ! bond_is "$bond" "$1" "$2"; then
            error=$(write_option "$NET/$bond/bonding/$1" "$2" 2>&1) || {
                echo "$bond: the kernel does not take $1=$2: ${error##*: }" >&2
                return 1
            }
        fi
        shift 2
    done
}

write_option() { # FILE VALUE
    case $1 in
    */arp_ip_target) write_targets "$1" "$2" ;;
    *) echo "$2" >"$1" ;;
    esac
}

# First those that come, then those that go: never none in between.
write_targets() { # FILE ADDRESS,ADDRESS…
    present=
    read -r present <"$1" || :
    for address in $(echo "$2" | tr , ' '); do
        case " $present " in *" $address "*) ;; *) echo "+$address" >"$1" || return 1 ;; esac
    done
    for address in $present; do
        case ",$2," in *",$address,"*) ;; *) echo "-$address" >"$1" || return 1 ;; esac
    done
}

bond_is() { # BOND OPTION VALUE, again and again
    bond=$1
    shift
    while [ $# -gt 1 ]; do
        now=
        read -r now <"$NET/$bond/bonding/$1" || :
        case $1 in
        arp_ip_target) same_targets "$now" "$2" || return 1 ;;
        # the kernel makes them whole multiples of miimon
        updelay | downdelay)
            read -r miimon <"$NET/$bond/bonding/miimon" && [ "$miimon" != 0 ] || miimon=1
            [ "$now" = $(($2 / miimon * miimon)) ] || return 1
            ;;
        # a word, and its number
        *) [ "${now%% *}" = "$2" ] || return 1 ;;
        esac
        shift 2
    done
}

same_targets() { # "ADDRESS ADDRESS…" ADDRESS,ADDRESS…
    [ "$(echo "$1" | tr ' ' '\n' | sort)" = "$(echo "$2" | tr , '\n' | sort)" ]
}

legs_are() { # BOND PCI…
    bond=$1
    shift
    for leg; do
        pf_netdev "$leg" && is_leg "$bond" || return 1
    done
    wanted=$#
    # shellcheck disable=SC2086 # one word a leg
    set -- $legs
    [ $# = "$wanted" ]
}

is_leg() { # BOND, of $netdev
    legs=
    read -r legs <"$NET/$1/bonding/slaves" || :
    # shellcheck disable=SC2154 # pf_netdev of nics.sh sets it
    case " $legs " in *" $netdev "*) return 0 ;; esac
    return 1
}

# The kernel takes only what is down and has no address. Whoever has VFs of this port and of another
# one lives on by the other: so a port must be back before the next is touched.
into_bond() { # BOND PCI
    pf_netdev "$2" || return 1
    ! is_leg "$1" || return 0
    linked=
    ! pf_has_carrier "$2" || linked=1
    ip addr flush dev "$netdev" scope global && ip link set dev "$netdev" down &&
        echo "+$netdev" >"$NET/$1/bonding/slaves" && ip link set dev "$netdev" up || return 1
    [ -z "$linked" ] || await_carrier "$2"
}

out_of_bond() { # BOND PCI up|down
    pf_netdev "$2" || return 1
    [ -d "$NET/$1/bonding" ] && is_leg "$1" || return 0
    linked=
    ! pf_has_carrier "$2" || linked=1
    echo "-$netdev" >"$NET/$1/bonding/slaves" && ip link set dev "$netdev" "$3" || return 1
    [ "$3" = down ] || [ -z "$linked" ] || await_carrier "$2"
}

make_vlan() { # BELOW NAME TAG
    [ ! -d "$NET/$2" ] || return 0
    ip link add link "$1" name "$2" type vlan id "$3" && settle
}

make_bridge() { # BRIDGE
    [ ! -d "$NET/$1" ] || return 0
    ip link add name "$1" type bridge 2>/dev/null || brctl addbr "$1" || return 1
    # else old kernels let nothing through for 15 s
    echo 0 >"$NET/$1/bridge/forward_delay" && settle
}

delete_device() { # NAME
    [ -d "$NET/$1" ] || return 0
    ip link set dev "$1" down && { ip link del dev "$1" 2>/dev/null || brctl delbr "$1"; }
}

device_there() { # NAME
    [ -d "$NET/$1" ]
}

device_up() { # NAME
    ip link set dev "$1" up
}

device_down() { # NAME
    ip link set dev "$1" down
}

device_address() { # NAME MAC
    ip link set dev "$1" address "$2"
}

set_mtu() { # NAME BYTES
    ip link set dev "$1" mtu "$2"
}

# Some drivers reset the port for it. A leg may have another MTU than its bond; one that has it already
# is left alone when the bond gets it.
set_leg_mtu() { # PCI BYTES
    pf_netdev "$1" || return 1
    ! mtu_is "$netdev" "$2" || return 0
    linked=
    ! pf_has_carrier "$1" || linked=1
    set_mtu "$netdev" "$2" || return 1
    [ -z "$linked" ] || await_carrier "$1"
}

mtu_is() { # NAME BYTES
    read -r now <"$NET/$1/mtu" && [ "$now" = "$2" ]
}

bridge_port() { # BRIDGE PORT
    is_bridge_port "$1" "$2" || ip link set dev "$2" master "$1" 2>/dev/null || brctl addif "$1" "$2"
}

no_bridge_port() { # BRIDGE PORT
    ! is_bridge_port "$1" "$2" || ip link set dev "$2" nomaster 2>/dev/null || brctl delif "$1" "$2"
}

is_bridge_port() { # BRIDGE PORT
    [ -e "$NET/$1/brif/$2" ]
}

add_address() { # NAME ADDRESS/PREFIX
    has_address "$1" "$2" && return 0
    case $2 in
    *:*) ip -6 addr add "$2" dev "$1" ;;
    *) ip -4 addr add "$2" broadcast + dev "$1" ;;
    esac
}

del_address() { # NAME ADDRESS/PREFIX
    [ ! -d "$NET/$1" ] || ! has_address "$1" "$2" || ip addr del "$2" dev "$1"
}

has_address() { # NAME ADDRESS/PREFIX
    case $(ip addr show dev "$1") in *" $2 "*) return 0 ;; esac
    return 1
}

has_ipv4() { # NAME
    case $(ip -4 addr show dev "$1") in *" inet "*) return 0 ;; esac
    return 1
}

await_ipv4() { # NAME
    await_link has_ipv4 "$1" "$DHCP_TIMEOUT_S" && return 0
    echo "$1 has got no address by DHCP for $DHCP_TIMEOUT_S s" >&2
    return 1
}

default_route() { # NAME GATEWAY
    ip "$(family "$2")" route replace default via "$2" dev "$1"
}

no_default_route() { # NAME GATEWAY
    ! has_default_route "$1" "$2" || ip "$(family "$2")" route del default via "$2" dev "$1"
}

has_default_route() { # NAME GATEWAY
    [ -n "$(ip "$(family "$2")" route show default via "$2" dev "$1" 2>/dev/null)" ]
}

family() { # ADDRESS
    case $1 in *:*) echo -6 ;; *) echo -4 ;; esac
}

# NetworkManager would put a port's own settings back on it while it is moved.
nm_lets_go() { # NAME
    nmcli device set "$1" managed no
}

nm_takes() { # NAME
    nmcli device set "$1" managed yes
}

put_file() { # MODE PATH TEXT
    {
        { [ -d "${2%/*}" ] || (umask 022 && mkdir -p "${2%/*}"); } &&
            printf '%s' "$3" >"$2.sriovctl-new" && chmod "$1" "$2.sriovctl-new" &&
            mv "$2.sriovctl-new" "$2"
    } || file_is "$2" "$3"
}

set_aside() { # PATH
    mkdir -p "$ASIDE${1%/*}" && mv "$1" "$ASIDE$1"
}

give_back() { # PATH
    [ ! -e "$ASIDE$1" ] || mv "$ASIDE$1" "$1"
}

# Files are read again; what is as they say already is left alone.
take_up() { # SYSTEM…
    for system; do
        case $system in
        netplan) netplan generate ;;
        # systemd before 244 has no reload; a restart leaves devices as they are
        networkd) networkctl reload 2>/dev/null || systemctl restart systemd-networkd.service ;;
        networkmanager) nmcli connection reload ;;
        *) : ;;
        esac || return 1
    done
}

# From version 257 on, networkd makes nothing of a device that was there before it has read of it: its
# reload says "Failed to create netdev: File exists", and no route is set and no lease asked for.
# When it begins anew it takes all as it finds it.
networkd_takes() { # NAME…, from the bond up
    for name; do
        await_link is_configured "$name" "$NETWORKD_TIMEOUT_S" || {
            systemctl restart systemd-networkd.service || return 1
            for top; do :; done
            await_link is_configured "$top" "$NETWORKD_TIMEOUT_S" || :
            return 0
        }
    done
}

# networkctl takes names from version 243 on only.
is_configured() { # NAME
    networkctl --no-legend --no-pager list 2>/dev/null | {
        while read -r _ link _ _ setup _; do
            [ "$link=$setup" != "$1=configured" ] || exit 0
        done
        exit 1
    }
}

# networkd takes away the routes of others before it sets its own.
keep_default_route() { # NAME GATEWAY
    has_default_route "$1" "$2" || default_route "$1" "$2"
}

# Somebody must ask for the lease, and go on asking.
bring_up() { # SYSTEM NAME
    case $1 in
    networkmanager) nmcli connection up "$2" ;;
    ifcfg | ifupdown) ifup "$2" ;;
    esac
}
