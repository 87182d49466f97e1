# Link pools: libvirt networks that hand out VFs. Needs virsh.sh.

define_pool() { # XML
    printf '%s' "$1" | virsh_quietly net-define --file /dev/stdin
}

# Undo of a definition that may not have come about.
undefine_pool() { # NAME
    no_pool "$1" || virsh_quietly net-undefine --network "$1"
}

# Somebody's definition may say more than ours: undo gives back all of it, from the transaction's own
# folder (tx_dir and tx_begun, the step's number, are transaction.sh's).
# shellcheck disable=SC2154
take_away_pool() { # NAME
    system_virsh net-dumpxml --inactive --network "$1" \
        >"$tx_dir/pool-$tx_begun.xml" || return 1
    virsh_quietly net-undefine --network "$1"
}

# shellcheck disable=SC2154
put_back_pool() { # NAME
    pool_is_there "$1" || virsh_quietly net-define --file "$tx_dir/pool-$tx_begun.xml"
}

start_pool() { # NAME
    pool_is "$1" active yes || virsh_quietly net-start --network "$1"
}

stop_pool() { # NAME
    pool_is_not "$1" active yes || virsh_quietly net-destroy --network "$1"
}

autostart_pool() { # NAME
    virsh_quietly net-autostart --network "$1"
}

# A pool that is defined no more cannot start at boot.
no_autostart_pool() { # NAME
    pool_is_not "$1" autostart yes || virsh_quietly net-autostart --network "$1" --disable
}

pool_is() { # NAME, then active|autostart|persistent yes|no, again and again
    pool=$1
    shift
    facts=$(system_virsh net-info --network "$pool" 2>/dev/null |
        tr '[:upper:]' '[:lower:]' | tr -d ' ')
    while [ $# -gt 1 ]; do
        case "
$facts
" in
        *"
$1:$2
"*) ;;
        *) return 1 ;;
        esac
        shift 2
    done
}

# Also one that is not there; not one of which libvirt does not say.
pool_is_not() { # NAME active|autostart|persistent yes|no
    ! pool_is "$@" && { [ -n "$facts" ] || no_pool "$1"; }
}

pool_is_there() { # NAME
    system_virsh net-uuid --network "$1" >/dev/null 2>&1
}

# By what libvirt has, not by what it does not find: it may be away for just that question. Networks
# can have a daemon of their own (virtnetworkd), which can be away by itself. The table is what every
# virsh prints.
no_pool() { # NAME
    pools=$(system_virsh net-list --all) || return 1
    case "
$pools
" in
    *"
 $1 "* | *"
$1 "*) return 1 ;;
    esac
}
