# Link nics: PFs and VFs, through sysfs and ip. A PF is given by its PCI address.
# Exit status 77 says that the driver refused; any other that is not 0, that it failed.

SYSFS=${SRIOVCTL_SYSFS:-/sys}
PROC=${SRIOVCTL_PROC:-/proc}
NUMVFS_TIMEOUT_S=${SRIOVCTL_NUMVFS_TIMEOUT_S:-120}
LINK_TIMEOUT_S=${SRIOVCTL_LINK_TIMEOUT_S:-10}
VF_TIMEOUT_S=${SRIOVCTL_VF_TIMEOUT_S:-30}

pf_netdev() { # PCI; sets $netdev
    for netdev in "$SYSFS/bus/pci/devices/$1/net/"*; do
        netdev=${netdev##*/}
        [ "$netdev" = '*' ] || return 0
    done
    echo "$1 has no network device: its driver is not loaded" >&2
    return 1
}

pf_is_up() { # PCI
    pf_netdev "$1" || return 1
    read -r flags <"$SYSFS/class/net/$netdev/flags" || return 1
    [ $((flags & 1)) = 1 ]
}

pf_up() { # PCI
    pf_netdev "$1" && ip link set dev "$netdev" up
}

pf_down() { # PCI
    pf_netdev "$1" && ip link set dev "$netdev" down
}

pf_has_carrier() { # PCI
    pf_netdev "$1" || return 1
    { read -r carrier <"$SYSFS/class/net/$netdev/carrier"; } 2>/dev/null && [ "$carrier" = 1 ]
}

# Waits until a test of a PF holds, looking again at each word of the kernel on links; and once a
# second, in case a word came before it was listened for. At first more often: new VFs cost a port its
# link for a fraction of that.
await_link() { # TEST PCI SECONDS
    seconds=$3
    until "$1" "$2"; do
        [ "$seconds" -gt 0 ] || return 1
        seconds=$((seconds - 1))
        {
            (trap - TERM && exec timeout 1 ip monitor link 2>/dev/null) &
            echo "$!"
            (
                for pause in 0.02 0.02 0.04 0.04 0.08 0.2; do
                    sleep "$pause" && echo || exit
                done
            ) 2>/dev/null &
        } | (
            read -r monitor
            until "$1" "$2"; do
                read -r _ || break
            done
            kill "$monitor" 2>/dev/null || :
        )
    done
}

# One leg of a bond must be back before another is touched.
await_carrier() { # PCI
    await_link pf_has_carrier "$1" "$LINK_TIMEOUT_S" && return 0
    echo "$netdev had a link, and has had none for $LINK_TIMEOUT_S s" >&2
    return 1
}

autoprobe_is() { # PCI 0|1
    read -r now <"$SYSFS/bus/pci/devices/$1/sriov_drivers_autoprobe" && [ "$now" = "$2" ]
}

set_autoprobe() { # PCI 0|1
    echo "$2" >"$SYSFS/bus/pci/devices/$1/sriov_drivers_autoprobe"
}

numvfs_is() { # PCI COUNT
    read -r now <"$SYSFS/bus/pci/devices/$1/sriov_numvfs" && [ "$now" = "$2" ]
}

# The kernel can keep the writer for ever (a guest that does not answer VFIO's request, i40e's
# "other operation is pending"), and then no signal ends it: what is waited for is a clock, which
# the writer stops. By KILL, since in an undo both ignore TERM.
write_numvfs() { # PCI COUNT
    sleep "$NUMVFS_TIMEOUT_S" >/dev/null 2>&1 &
    clock=$!
    (
        status=0
        error=$({ echo "$2" >"$SYSFS/bus/pci/devices/$1/sriov_numvfs"; } 2>&1) || status=1
        kill -KILL "$clock"
        [ "$status" = 0 ] || echo "$1: sriov_numvfs=$2: ${error##*: }" >&2
        exit "$status"
    ) &
    writer=$!
    if { wait "$clock"; } 2>/dev/null; then
        # or it would kill whoever has the clock's number by the time that the kernel answers
        kill -KILL "$writer" 2>/dev/null || :
        { wait "$writer"; } 2>/dev/null || :
        echo "$1: the kernel has not answered sriov_numvfs=$2 for $NUMVFS_TIMEOUT_S s; see dmesg" >&2
        return 1
    fi
    wait "$writer"
}

# The plan was made a while ago, and may have been carried here by hand: a VM that was started since
# then keeps its card. The kernel does not refuse, it has QEMU unplug it.
vfs_are_free() { # PCI
    # what is kept of ls is links to VFIO's devices
    # shellcheck disable=SC2010
    users=$(ls -n "$PROC"/[0-9]*/fd 2>/dev/null | grep -e ' -> /dev/vfio/') || return 0
    for vf in "$SYSFS/bus/pci/devices/$1/virtfn"*; do
        group=$(readlink "$vf/iommu_group") || group=
        for name in "/${group##*/}" "$vf/vfio-dev/vfio"*; do
            case $name in
            / | *'*') continue ;;
            */vfio-dev/*) name=/devices/${name##*/} ;;
            esac
            case "$users
" in
            *" -> /dev/vfio$name
"*)
                echo "$1: VF ${vf##*/virtfn} is in use: a VM or a program has /dev/vfio$name open" >&2
                return 1
                ;;
            esac
        done
    done
}

# From one count to another the kernel answers EBUSY: it must go through 0 (drivers/pci/iov.c).
set_numvfs() { # PCI COUNT
    read -r before <"$SYSFS/bus/pci/devices/$1/sriov_numvfs" || return 1
    [ "$before" = "$2" ] && return 0
    [ "$before" = 0 ] || vfs_are_free "$1" || return 1
    if [ "$before" != 0 ] && [ "$2" != 0 ]; then
        write_numvfs "$1" 0 || return 1
    fi
    write_numvfs "$1" "$2" || return 1
    read -r after <"$SYSFS/bus/pci/devices/$1/sriov_numvfs" || return 1
    if [ "$after" != "$2" ]; then
        echo "$1: the driver took sriov_numvfs=$2 without an error, and made $after" >&2
        return 1
    fi
    wait_for_vfs "$1" "$2"
}

wait_for_vfs() { # PCI COUNT
    index=0
    while [ "$index" -lt "$2" ]; do
        vf=$SYSFS/bus/pci/devices/$1/virtfn$index
        if [ ! -e "$vf" ]; then
            udevadm settle --timeout="$VF_TIMEOUT_S" --exit-if-exists="$vf" 2>/dev/null || :
            if [ ! -e "$vf" ]; then
                echo "$1: VF $index has not appeared within $VF_TIMEOUT_S s" >&2
                return 1
            fi
        fi
        index=$((index + 1))
    done
    if [ "$2" != 0 ] && autoprobe_is "$1" 1 2>/dev/null; then
        # names of their network devices are final only when udev is done with them
        udevadm settle --timeout="$VF_TIMEOUT_S" || {
            echo "$1: udev has not settled within $VF_TIMEOUT_S s after $2 VFs were made" >&2
            return 1
        }
    fi
}

# Each WISH is an index and then attributes as ip takes them: '3 mac 02:… vlan 7 spoofchk on'.
# All in one ip, 14 times faster than one ip an attribute; it also tells what came of it.
set_vfs() { # PCI WISH…; sets $report
    pf=$1
    shift
    case $* in
    *" max_tx_rate "[1-9]* | *" min_tx_rate "[1-9]*)
        # a rate is a share of the link: igb takes none while the link is down (igb_ndo_set_vf_bw),
        # and new VFs cost the port its link for a moment
        await_link pf_has_carrier "$pf" "$LINK_TIMEOUT_S" || :
        ;;
    esac
    pf_netdev "$pf" || return 1
    lines=
    for wish; do
        lines="${lines}link set dev $netdev vf $wish
"
    done
    report=$(ip -batch - 2>/dev/null) <<EOF && return 0
${lines}link show dev $netdev
EOF
    refused=0
    for wish; do
        set_vf_one_by_one "$wish" || refused=$?
    done
    # a driver that cannot set an attribute refuses its present value too
    report=$(ip link show dev "$netdev") || return 1
    [ "$refused" = 0 ] || ! reported "$@" || return 0
    return "$refused"
}

# Only after a batch has failed: says which attribute of which VF it was.
set_vf_one_by_one() { # WISH, uses $netdev
    # shellcheck disable=SC2086 # a wish is words
    set -- $1
    vf=$1
    shift
    worst=0
    while [ $# -gt 1 ]; do
        attribute=$1 value=$2
        shift 2
        if [ "$attribute" = vlan ]; then
            while [ "${1-}" = qos ] || [ "${1-}" = proto ]; do
                value="$value $1 $2"
                shift 2
            done
        fi
        # shellcheck disable=SC2086 # vlan 7 qos 3 is words
        error=$(ip link set dev "$netdev" vf "$vf" "$attribute" $value 2>&1) && continue
        case $error in
        *"not supported"* | *"Invalid argument"* | *"out of range"*)
            echo "$netdev VF $vf: the driver refuses $attribute $value: ${error##*: }" >&2
            worst=77
            ;;
        *)
            echo "$netdev VF $vf: $attribute $value: $error" >&2
            [ "$worst" = 77 ] || worst=1
            ;;
        esac
    done
    return "$worst"
}

# i40e and iavf change addresses after they have answered: ask again for a while before saying no.
vfs_are() { # PCI WISH…; after set_vfs
    pf_netdev "$1" || return 1
    shift
    waited=0
    until reported "$@"; do
        [ "$waited" -lt "$VF_TIMEOUT_S" ] || {
            echo "$netdev: after $VF_TIMEOUT_S s still not so: $unfulfilled" >&2
            return 1
        }
        sleep 1
        waited=$((waited + 1))
        report=$(ip link show dev "$netdev") || return 1
    done
}

# Walks the report once: looking for each VF in the whole of it costs the square of its length,
# 16 s of CPU for 128 VFs. ip lists VFs ascending, and so are the wishes.
reported() { # WISH…; uses $report, sets $unfulfilled
    unfulfilled="VF ${1-}"
    fields=$IFS
    IFS='
'
    set -f
    for line in $report; do
        IFS=$fields
        set +f
        [ $# -gt 0 ] || return 0
        case $line in
        "    vf ${1%% *} "*)
            # shellcheck disable=SC2086 # a wish is words
            vf_is $1 || return 1
            shift
            unfulfilled="VF ${1-}"
            ;;
        esac
    done
    IFS=$fields
    set +f
    [ $# = 0 ]
}

vf_is() { # INDEX ATTRIBUTE VALUE…; uses $line
    unfulfilled="VF $*"
    line=" $line,"
    shift
    while [ $# -gt 1 ]; do
        case $1=$2 in
        vlan=0) case $line in *" vlan "*) return 1 ;; esac ;;
        qos=0) case $line in *" qos "*) return 1 ;; esac ;;
        proto=802.1Q) case $line in *"vlan protocol 802.1ad"*) return 1 ;; esac ;;
        proto=*) case $line in *"vlan protocol $2"*) ;; *) return 1 ;; esac ;;
        max_tx_rate=0) case $line in *" max_tx_rate "*) return 1 ;; esac ;;
        min_tx_rate=0) case $line in *" min_tx_rate "*) return 1 ;; esac ;;
        max_tx_rate=*) case $line in *" max_tx_rate $2Mbps"*) ;; *) return 1 ;; esac ;;
        min_tx_rate=*) case $line in *" min_tx_rate $2Mbps"*) ;; *) return 1 ;; esac ;;
        mac=*) case $line in *" link/ether $2 "* | *" MAC $2,"*) ;; *) return 1 ;; esac ;;
        spoofchk=*) case $line in *"spoof checking $2"* | *" spoofchk $2"*) ;; *) return 1 ;; esac ;;
        # drivers that do not report these two cannot be read back
        trust=*) case $line in *" trust $2"*) ;; *" trust "*) return 1 ;; esac ;;
        state=*) case $line in *" link-state $2"*) ;; *" link-state "*) return 1 ;; esac ;;
        *) case $line in *" $1 $2,"*) ;; *) return 1 ;; esac ;;
        esac
        shift 2
    done
}

vf_address() { # PCI INDEX; sets $address
    address=$(readlink "$SYSFS/bus/pci/devices/$1/virtfn$2") || {
        echo "$1 has no VF $2" >&2
        return 1
    }
    address=${address##*/}
}

vf_driver_is() { # PCI INDEX DRIVER; an empty DRIVER for none
    driver=$(readlink "$SYSFS/bus/pci/devices/$1/virtfn$2/driver") || driver=
    [ "${driver##*/}" = "$3" ]
}

vf_drivers_are() { # PCI DRIVER INDEX…
    pf=$1 wanted=$2
    shift 2
    for vf; do
        vf_driver_is "$pf" "$vf" "$wanted" || return 1
    done
}

# With autoprobe off, the kernel binds a VF only through its driver_override (pci-driver.c,
# pci_device_can_probe), so the override is used for network drivers too.
bind_vfs() { # PCI DRIVER INDEX…
    pf=$1 wanted=$2
    shift 2
    [ -z "$wanted" ] || [ -e "$SYSFS/bus/pci/drivers/$wanted" ] || modprobe "$wanted" || return 1
    for vf; do
        vf_driver_is "$pf" "$vf" "$wanted" && continue
        vf_address "$pf" "$vf" || return 1
        [ ! -e "$SYSFS/bus/pci/devices/$address/driver" ] ||
            echo "$address" >"$SYSFS/bus/pci/devices/$address/driver/unbind" || return 1
        echo "$wanted" >"$SYSFS/bus/pci/devices/$address/driver_override" || return 1
        [ -z "$wanted" ] || echo "$address" >"$SYSFS/bus/pci/drivers_probe" || return 1
    done
}

# Where a folder cannot be written to, a file in it that is as it should be is no failure: so ends
# the undo of a step that could not begin.
file_is() { # PATH TEXT
    [ -f "$1" ] && [ "$(cat "$1" && echo .)" = "$2." ]
}

# Read by anybody, written by root; what runs is under umask 077.
write_file() { # PATH TEXT
    umask 022
    {
        { [ -d "${1%/*}" ] || mkdir -p "${1%/*}"; } && printf '%s' "$2" >"$1.sriovctl-new" &&
            mv "$1.sriovctl-new" "$1"
    } || file_is "$1" "$2"
    written=$?
    umask 077
    return "$written"
}

files_have_sha256() { # SUM PATH, again and again
    sums=
    while [ $# -gt 1 ]; do
        sums="$sums$1  $2
"
        shift 2
    done
    sha256sum -c >/dev/null 2>&1 <<EOF
${sums%?}
EOF
}

remove_file() { # PATH
    rm -f "$1"
}

no_file() { # PATH
    [ ! -e "$1" ]
}
