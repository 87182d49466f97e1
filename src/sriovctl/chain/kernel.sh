# Link kernel: arguments in boot loaders' files, and modules. Nothing is lost where a disk is full:
# a file is written beside the old one, and takes its place only when it is whole.

boot_real() { # FILE; sets $real, the file itself where FILE is a link to it
    real=$1
    [ ! -L "$1" ] || real=$(readlink -f "$1")
}

# A file as it was before sriovctl first changed it, beside it.
boot_backup() { # FILE
    boot_real "$1" || return 1
    [ ! -e "$real.sriovctl-backup" ] || return 0
    if ! cp -p "$real" "$real.sriovctl-backup"; then
        rm -f "$real.sriovctl-backup"
        echo "no backup of $real: is the disk full?" >&2
        return 1
    fi
}

# A backup says nothing once the file is again as the backup has it.
boot_drop_backup() { # FILE
    boot_real "$1" || return 1
    if same_text "$real" "$real.sriovctl-backup"; then
        rm -f "$real.sriovctl-backup"
    fi
}

same_text() { # FILE FILE
    [ -e "$1" ] && [ -e "$2" ] && [ "$(cat "$1" && echo .)" = "$(cat "$2" && echo .)" ]
}

boot_lines() { # FILE FIRST COUNT; of no lines, all that stands where the file should end
    if [ "$3" = 0 ]; then
        tail -n "+$2" "$1"
    else
        sed -n "$2,$(($2 + $3 - 1))p" "$1"
    fi
}

# A change is five words: the line where it begins, counted from 1, how many lines are there
# before and their text, how many afterwards and their text.
boot_edited() { # FILE CHANGE…
    file=$1
    shift
    while [ $# -gt 4 ]; do
        [ "$(boot_lines "$file" "$1" "$4" && echo .)" = "$5." ] || return 1
        shift 5
    done
}

boot_unedited() { # FILE CHANGE…
    file=$1
    shift
    while [ $# -gt 4 ]; do
        [ "$(boot_lines "$file" "$1" "$2" && echo .)" = "$3." ] || return 1
        shift 5
    done
}

boot_compose() { # FILE CHANGE…
    file=$1
    next=1
    shift
    while [ $# -gt 4 ]; do
        [ "$1" = "$next" ] || boot_lines "$file" "$next" "$(($1 - next))" || return 1
        printf '%s' "$5" || return 1
        next=$(($1 + $2))
        shift 5
    done
    tail -n "+$next" "$file"
}

boot_edit() { # FILE CHANGE…
    boot_edited "$@" && return 0
    if ! boot_unedited "$@"; then
        echo "$1 is not as it was when this was planned: it stays as it is; plan again" >&2
        return 1
    fi
    boot_real "$1" || return 1
    # the copy is for owner and mode
    if cp -p "$real" "$real.sriovctl-new" && boot_compose "$@" >"$real.sriovctl-new" &&
        mv -f "$real.sriovctl-new" "$real"; then
        return 0
    fi
    rm -f "$real.sriovctl-new"
    echo "$real cannot be written, and is as it was: is the disk full?" >&2
    return 1
}

boot_create() { # FILE TEXT
    if (umask 022 && mkdir -p "${1%/*}" && printf '%s' "$2" >"$1.sriovctl-new") &&
        mv -f "$1.sriovctl-new" "$1"; then
        return 0
    fi
    rm -f "$1.sriovctl-new"
    echo "$1 cannot be written: is the disk full?" >&2
    return 1
}

boot_has_text() { # FILE TEXT
    [ "$(cat "$1" && echo .)" = "$2." ]
}

boot_remove() { # FILE
    rm -f "$1"
}

boot_has_none() { # FILE
    [ ! -e "$1" ]
}

boot_runnable() { # FILE
    chmod 755 "$1"
}

# Files that a generator is about to write, as they are, with this transaction.
# shellcheck disable=SC2154 # transaction.sh sets tx_dir
boot_keep() { # FILE…
    for file; do
        [ -e "$file" ] || continue
        boot_real "$file" || return 1
        if ! mkdir -p "$tx_dir/kept${real%/*}" || ! cp -p "$real" "$tx_dir/kept$real"; then
            echo "no copy of $real in $tx_dir: is the disk full?" >&2
            return 1
        fi
    done
}

boot_restore() { # FILE…
    lost=0
    for file; do
        boot_real "$file" || return 1
        kept=$tx_dir/kept$real
        [ -e "$kept" ] || continue
        same_text "$kept" "$real" && continue
        if cp -p "$kept" "$real.sriovctl-new" && mv -f "$real.sriovctl-new" "$real"; then
            continue
        fi
        # no room for both: in place, where the old text had room before
        rm -f "$real.sriovctl-new"
        cat "$kept" >"$real" || {
            echo "$real cannot be restored; as it was it is in $kept" >&2
            lost=1
        }
    done
    [ "$lost" = 0 ]
}

# What a program says is of interest only if it fails.
boot_run() { # COMMAND…
    if said=$("$@" 2>&1); then
        return 0
    fi
    echo "$* failed:" >&2
    printf '%s\n' "$said" | tail -n 5 >&2
    return 1
}

grub_generate() { # GRUB-MKCONFIG FILE
    boot_real "$2" || return 1
    if cp -p "$real" "$real.sriovctl-new" && boot_run "$1" -o "$real.sriovctl-new" &&
        grep -q '^[[:space:]]*linux' "$real.sriovctl-new" &&
        mv -f "$real.sriovctl-new" "$real"; then
        return 0
    fi
    rm -f "$real.sriovctl-new" "$real.sriovctl-new.new"
    echo "$real stays as it was: $1 made no whole one (an error above, or a full disk)" >&2
    return 1
}

# Whole words between blanks; of WORD… the first COUNT must be there, the others must not.
line_has() { # LINE COUNT WORD…
    line=" $1 "
    count=$2
    shift 2
    for word; do
        case $line in
        *[[:blank:]]"$word"[[:blank:]]*) [ "$count" -gt 0 ] || return 1 ;;
        *) [ "$count" -le 0 ] || return 1 ;;
        esac
        count=$((count - 1))
    done
}

grub_has() { # FILE COUNT WORD…
    file=$1
    shift
    while read -r entry; do
        case $entry in
        linux*) if line_has "$entry" "$@"; then return 0; fi ;;
        esac
    done <"$file"
    echo "no entry of $file has got the arguments" >&2
    return 1
}

# shellcheck disable=SC2016 # $kernelopts is written so in the entries
bls_has() { # FILE GRUBENV COUNT WORD…
    file=$1
    options=$(sed -n 's/^options[[:space:]]*//p' "$1")
    case $options in
    *'$kernelopts'*)
        kernelopts=$(sed -n 's/^kernelopts=//p' "$2")
        options="${options%%\$kernelopts*}$kernelopts${options#*\$kernelopts}"
        ;;
    esac
    shift 2
    line_has "$options" "$@" && return 0
    echo "grubby left $file with: $options" >&2
    return 1
}

bls_has_or_is_of_no_kernel() { # FILE COUNT WORD…
    version=$(sed -n 's/^version[[:space:]]*//p' "$1")
    [ -d "/lib/modules/$version" ] || return 0
    file=$1
    shift
    bls_has "$file" /dev/null "$@"
}

kernel_install_all() {
    for modules in /lib/modules/*/; do
        version=${modules%/}
        version=${version##*/}
        image=${modules}vmlinuz
        [ -e "$image" ] || image=/boot/vmlinuz-$version
        [ -e "$image" ] || continue
        boot_run kernel-install add "$version" "$image" || return 1
    done
}

modules_loaded() { # MODULE…
    for module; do
        # those built into the kernel are here too, as they have parameters
        [ -d "/sys/module/$module" ] || return 1
    done
}

load_modules() { # MODULE…
    for module; do
        [ -d "/sys/module/$module" ] || modprobe "$module" || return 1
    done
}

# A module that is in use by now stays; it harms nobody.
unload_modules() { # MODULE…
    for module; do
        modprobe -r "$module" 2>/dev/null || :
    done
}
