# A VM's config drive: an image in a file of ours, and a CD-ROM in the VM's definition, told by that
# file. Needs virsh.sh and guests.sh. What was there before is kept in the transaction's own folder
# (tx_dir and tx_begun, the step's number, are transaction.sh's).
# shellcheck disable=SC2154

write_drive() { # PATH IMAGE, gzip in base64
    keep_drive "$1" && mkdir -p "${1%/*}" && printf '%s' "$2" | base64 -d | gzip -dc >"$1.new" &&
        chmod 0644 "$1.new" && mv "$1.new" "$1"
}

remove_drive() { # PATH
    keep_drive "$1" && rm -f "$1"
}

keep_drive() { # PATH
    [ ! -e "$1" ] || cp "$1" "$tx_dir/drive-$tx_begun"
}

put_back_drive() { # PATH
    rm -f "$1.new"
    if [ -e "$tx_dir/drive-$tx_begun" ]; then
        cp "$tx_dir/drive-$tx_begun" "$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"
    else
        rm -f "$1"
    fi
}

drive_is() { # PATH SHA256
    sum=$(sha256sum "$1") && [ "${sum%% *}" = "$2" ]
}

no_drive() { # PATH
    [ ! -e "$1" ]
}

# A machine of libvirt's has six places on its first SATA controller.
plug_in_drive() { # UUID PATH
    domain=$(vm_xml "$1" --config) || return 1
    for letter in a b c d e f; do
        case $domain in *"<target dev='sd$letter'"*) continue ;; esac
        printf '%s' "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>\
<source file='$2'/><target dev='sd$letter' bus='sata'/><readonly/></disk>" |
            virsh_quietly attach-device --domain "$1" --file /dev/stdin --config
        return
    done
    echo "the VM has no place for a CD-ROM: sda to sdf are taken" >&2
    return 1
}

unplug_drive() { # UUID PATH
    ! lacks_drive "$1" "$2" || return 0
    printf '%s' "$drive" | virsh_quietly detach-device --domain "$1" --file /dev/stdin --config
}

has_drive() { # UUID PATH
    find_drive "$1" "$2"
}

# Also where there is no such VM; not where libvirt does not say.
lacks_drive() { # UUID PATH
    found=0
    find_drive "$1" "$2" || found=$?
    case $found in
    0) return 1 ;;
    1) return 0 ;;
    *) no_vm "$1" ;;
    esac
}

# Each <disk> as one line, and exit status 2, as find_nic does it.
find_drive() { # UUID PATH; sets $drive to the CD-ROM's XML
    domain=$(vm_xml "$1" --config) || return 2
    drive=$(printf '%s\n' "$domain" | tr -d '\n' | sed 's/<disk/\
<disk/g
s/<\/disk>/&\
/g' | grep -F "<source file='$2'")
}
