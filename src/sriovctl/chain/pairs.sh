# VMs on pairs, while the ports under them are taken down and up one after the other. Needs nics.sh,
# bonds.sh, agent.sh, which sets $now, and inside.sh.
# shellcheck disable=SC2034,SC2154

PAIR_TIMEOUT_S=${SRIOVCTL_BOND_TIMEOUT_S:-30}

# For the sh of a VM. The bonds that have cards by these addresses: may these cards go silent? Another
# leg must be up; where two may be meant, both. With "leave" traffic goes over to the other leg; with
# "whole" all legs must be up. The legs' own addresses are in /proc; sysfs has them from 3.13 on.
pair_script() {
    cat <<'EOS'
cd /sys/class/net || exit
known=
for bond in */bonding; do
    name=${bond%/bonding}
    [ -r "/proc/net/bonding/$name" ] || continue
    leg= state= ours=0 mine= other= down=
    while read -r line; do
        word=${line#*: }
        case $line in
        "Slave Interface: "*) leg=$word ;;
        "MII Status: "*) state=$word ;;
        "Permanent HW addr: "*)
            [ "$state" = up ] || down="$down $leg"
            case ",$2," in
            *",$word,"*) ours=$((ours + 1)) mine="$mine $leg " ;;
            *) [ "$state" != up ] || other=$leg ;;
            esac
            ;;
        esac
    done <"/proc/net/bonding/$name"
    [ "$ours" != 0 ] || continue
    known=1
    if [ "$1" = whole ] || [ "$ours" != 1 ]; then
        [ -z "$down" ] || { echo "not up in $name:$down" >&2; exit 1; }
        continue
    fi
    [ -n "$other" ] || { echo "no other leg of $name is up" >&2; exit 1; }
    read -r active <"$bond/active_slave" || active=
    case $mine in
    *" ${active:-/} "*)
        # up as its bond has it, and not in truth, where its monitor has not looked again yet
        { echo "$other" >"$bond/active_slave"; } 2>/dev/null &&
            read -r active <"$bond/active_slave" && [ "$active" = "$other" ] ||
            { echo "$name does not go over to $other" >&2; exit 1; }
        ;;
    esac
done
[ -n "$known" ] || { echo "its card is in no bond" >&2; exit 1; }
EOS
}

pair_order() { # leave|whole MAC,MAC…
    printf '%s%s%s' '{"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["-c","' \
        "$(pair_script | sed -e 's/["\]/\\&/g' -e 's/$/\\n/' | tr -d '\n')" \
        "\",\"sh\",\"$1\",\"$2\"],\"capture-output\":true}}"
}

# Before a port that is yet to be moved, or to get its MTU: each VM's traffic goes over another leg of its bond, which is
# waited for. What a bond says is believed only when SETTLE seconds have passed, since one that has
# not yet noticed that a leg is silent calls it up.
pairs_leave() { # BOND PCI into|out_of|BYTES SETTLE [NAME VM MAC,MAC…]…
    pf_netdev "$2" || return 1
    is_ahead "$1" "$3" || return 0
    port=$netdev settle=$4
    shift 4
    agent_clock
    began=$now
    all_pairs leave "$settle" "$@" || {
        echo "$port is left as it is: a VM on it would be silent" >&2
        return 1
    }
    agent_clock
    [ "$now" = "$began" ] || echo "$port: waited $((now - began)) s for the other legs of VMs."
}

is_ahead() { # BOND into|out_of|BYTES, of $netdev
    case $2 in
    into) ! is_leg "$1" ;;
    out_of) is_leg "$1" ;;
    *) ! mtu_is "$netdev" "$2" ;;
    esac
}

# In an undo, which goes on whatever VMs do.
pairs_leave_if_they_can() {
    pairs_leave "$@" 2>/dev/null || :
}

# After the last port. Nothing hangs on it any more: what is not well is said, and no failure.
pairs_are_back() { # SETTLE [NAME VM MAC,MAC…]…
    all_pairs whole "$@" 2>&1 | sed 's/^/Warning: /'
}

# All at once.
all_pairs() { # leave|whole SETTLE [NAME VM MAC,MAC…]…
    verb=$1 settle=$2 number=0 pids=
    shift 2
    while [ $# -gt 2 ]; do
        number=$((number + 1))
        # in an undo TERM is ignored, which virsh would take over from us
        (trap - TERM && one_pair "$verb" "$settle" "$1" "$2" "$3") &
        pids="$pids $!"
        shift 3
    done
    unready=0
    for pid in $pids; do
        wait "$pid" || unready=1
    done
    return "$unready"
}

# Asks once at the least, until there is no time left, which begins when SETTLE seconds are over. Says
# why not, once.
one_pair() { # leave|whole SETTLE NAME VM MAC,MAC…
    agent_file=$tx_dir/agent.$number
    order=$(pair_order "$1" "$5")
    sleep "$2"
    agent_clock
    end=$((now + PAIR_TIMEOUT_S))
    until why=$(inside_by "$4" $((end + AGENT_LEAST_S)) "$order" 2>&1); do
        agent_clock
        [ "$now" -lt "$end" ] || {
            echo "$3: not within $PAIR_TIMEOUT_S s: ${why:-its agent does not answer}" >&2
            return 1
        }
        sleep 1
    done
}
AGENT_LEAST_S=5
