# sriovctl probe: prints the facts of an SR-IOV host in sections; changes nothing.
#
# Runs on dash, bash and busybox sh, as root or not. Few processes are started, whatever the
# number of VFs and VMs: what the shell can do by itself (globs, read, printf) it does.
# A section starts with a line "<mark> <name>". The mark is drawn anew for each run, after every
# file shown here was written, so no file, name or alias can imitate a section.
#
# With the argument "again" it leaves out what no step on VFs, pools and VMs changes: who asks has it
# from before (Sections.filled_from in probe/sections.py).

LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
export PATH
unset GREP_OPTIONS QUOTING_STYLE CDPATH
exec 2>/dev/null
newline='
'

mark=
read -r mark </proc/sys/kernel/random/uuid
if [ -z "$mark" ] || ! command -v grep >/dev/null; then
  echo 'sriovctl-probe cannot run: no grep, or no /proc'
  exit 1
fi
echo "sriovctl-probe 1 $mark"

section() {
  printf '\n%s %s\n' "$mark" "$1"
}

# fact NAME FILE: the first line of a file
fact() {
  if [ -r "$2" ]; then
    line=
    read -r line <"$2" || :
    printf '%s=%s\n' "$1" "$line"
  fi
}

again=0
if [ "${1:-}" = again ]; then again=1; fi
root=0
# "id -u" would be a process more, and calls root who is root in an unprivileged container only
if [ -w /proc/sys/kernel/hostname ]; then root=1; fi
run=/run/libvirt
[ -d "$run" ] || run=/var/run/libvirt

without_password() {
  indent=${line%%[![:space:]]*}
  word=${line#"$indent"}
  case $word in password*[[:space:]]*) line=$indent${word%%[[:space:]]*} ;; esac
}

# what no step on VFs, pools and VMs changes
lasting() {
  section system
  fact hostname /proc/sys/kernel/hostname
  fact release /proc/sys/kernel/osrelease
  fact boot_id /proc/sys/kernel/random/boot_id
  fact cmdline /proc/cmdline
  fact kernel_cmdline_file /etc/kernel/cmdline
  fact redhat /etc/redhat-release
  echo "root=$root"
  if [ -d /run/systemd/system ]; then echo 'init=systemd'; else echo 'init=other'; fi
  if [ -e /dev/kvm ]; then echo 'kvm=1'; fi
  if [ -d /sys/firmware/efi ]; then echo 'efi=1'; fi
  if [ -e /etc/kernel/proxmox-boot-uuids ]; then echo 'proxmox_boot=1'; fi
  for table in DMAR IVRS; do
    if [ -e "/sys/firmware/acpi/tables/$table" ]; then echo "iommu_table=$table"; fi
  done
  # those built into the kernel are not in /proc/modules
  for module in vfio_pci vfio_iommu_type1; do
    if [ -d "/sys/module/$module" ]; then echo "module=$module"; fi
  done
  for socket in libvirt-sock virtqemud-sock; do
    if [ -S "$run/$socket" ]; then echo "libvirt=$socket"; fi
  done
  for tool in ip virsh udevadm systemctl modprobe rmmod lspci ethtool grubby update-grub \
    grub-mkconfig grub2-mkconfig bootctl kernel-install proxmox-boot-tool netplan nmcli \
    networkctl setsid flock dmesg busybox; do
    if command -v "$tool" >/dev/null; then echo "tool=$tool"; fi
  done

  section cpu
  # the first processor's lines; reading them here is six times as fast as a process for it
  while read -r line; do
    case $line in
    vendor_id* | flags*) printf '%s\n' "$line" ;;
    '') break ;;
    esac
  done </proc/cpuinfo

  # lines of interest from many small files: the boot loader's, the bonds', and those in which
  # others set SR-IOV; the parser picks by file
  section etc
  grep -asH -e '^PRETTY_NAME=' \
    -e '^vfio' -e '^kvm' -e '^igb' -e '^ixgbe' -e '^i40e' -e '^ice ' -e '^iavf' -e '^mlx' \
    -e '^bnxt' -e '^bonding' -e '^pci[-_]stub' \
    -e '^Slave Interface: ' -e '^Permanent HW addr: ' \
    -e '^GRUB_CMDLINE_LINUX' -e '^kernelopts=' \
    -e '^[[:space:]]*menuentry[[:space:]]' -e '^[[:space:]]*title[[:space:]]' \
    -e '^[[:space:]]*linux' -e '^[[:space:]]*kernel[[:space:]]' -e '^options[[:space:]]' \
    -e '[sS][rR]-*[iI][oO][vV]' -e 'max_vfs' -e 'virtual-function-count' \
    -e '^ *[^ #:]*: *$' -e '^interface-name=' -e '^mac-address=' -e '^OriginalName=' \
    -e '^Driver=' -e '^Path=' \
    -e '^ *macaddress:' -e '^ *driver:' -e '^ *name:' -e '^ *renderer:' -e '^PermanentMACAddress=' -e '^MACAddress=' -e '^Name=' -e '^DEVICE=' -e '^HWADDR=' \
    -e '^ *[^ #:]*: *{' -e '^[[:space:]]*iface[[:space:]]' \
    -e '^[^[:space:]]*[[:space:]]00000000[[:space:]]' -e '^00000000000000000000000000000000 00 ' \
    /proc/modules /proc/net/bonding/* /proc/net/route /proc/net/ipv6_route \
    /etc/os-release /etc/default/grub /etc/default/grub.d/*.cfg \
    /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/efi/EFI/*/grub.cfg /boot/grub2/grubenv \
    /boot/grub/grub.conf /boot/efi/EFI/*/grub.conf \
    /boot/loader/entries/*.conf /boot/efi/loader/entries/*.conf /efi/loader/entries/*.conf \
    /etc/netplan/* /etc/systemd/network/* /run/systemd/network/* \
    /etc/NetworkManager/system-connections/* /run/NetworkManager/system-connections/* \
    /etc/sysconfig/network-scripts/ifcfg-* /etc/network/interfaces /etc/network/interfaces.d/* \
    /etc/rc.local /etc/rc.d/rc.local /etc/udev/rules.d/* /etc/modprobe.d/* \
    /etc/systemd/system/*.service

  # What boot loaders are set by, whole and to the byte. The last heading is there to show how the
  # file before it ends. They are small: reading them here costs a tenth of two processes. A
  # password's hash is nobody's business.
  section boot
  set --
  for file in /etc/default/grub /etc/default/grub.d/*.cfg /etc/kernel/cmdline \
    /boot/grub/grub.conf /boot/grub/menu.lst /boot/efi/EFI/*/grub.conf /boot/grub2/grubenv \
    /boot/loader/entries/*.conf /boot/efi/loader/entries/*.conf /efi/loader/entries/*.conf; do
    if [ -f "$file" ] && [ -r "$file" ]; then
      set -- "$@" "$file"
      printf 'file %s\n' "$file"
    fi
  done
  for file; do
    printf '\n==> %s <==\n' "$file"
    line=
    size=0
    while IFS= read -r line && [ "$size" -lt 262144 ]; do
      size=$((size + ${#line} + 1))
      case $line in *password*) without_password ;; esac
      printf '%s\n' "$line"
    done <"$file"
    case $line in *password*) without_password ;; esac
    printf %s "$line"
  done
  printf '\n==> /dev/null <==\n'
}

if [ $again = 1 ]; then
  section again
  fact boot_id /proc/sys/kernel/random/boot_id
else
  lasting
fi

# what there is to set the network with, running or installed, and the ports of bridges
section network
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
  if [ -d $tree/system.slice/systemd-networkd.service ]; then echo 'system=networkd'; fi
  if [ -d $tree/system.slice/NetworkManager.service ]; then echo 'system=networkmanager'; fi
done
# without systemd
if [ -e /var/run/NetworkManager/NetworkManager.pid ]; then echo 'system=networkmanager'; fi
if [ -e /etc/sysconfig/network-scripts/ifup-eth ]; then echo 'system=ifcfg'; fi
if [ -e /etc/network/interfaces ] && command -v ifup >/dev/null; then
  echo 'system=ifupdown'
  # Debian's own makes bonds and bridges by what other packages put there
  if [ -d /lib/ifupdown ]; then
    if [ ! -e /etc/network/if-pre-up.d/ifenslave ]; then echo 'lacks=ifenslave'; fi
    if [ ! -e /etc/network/if-pre-up.d/bridge ]; then echo 'lacks=bridge-utils'; fi
  fi
fi
set -- /sys/class/net/*/bridge /sys/class/net/*/brif/*
printf '%s\n' "$@"

# libvirt's own files, so that no daemon is asked. "path:line" can be told apart only where no
# path has a colon, so the others come one by one, each in a section of its own.
section alive
if cd /proc; then
  printf '%s ' [0-9]*
fi
section autostart
for file in /etc/libvirt/qemu/autostart/* /etc/libvirt/qemu/autostart/.*.xml \
  /etc/libvirt/qemu/networks/autostart/* /etc/libvirt/qemu/networks/autostart/.*.xml; do
  if [ -L "$file" ]; then printf '%s\n' "$file"; fi
done
networks=$run/network
[ -d "$networks" ] || networks=/var/lib/libvirt/network
set -- /etc/libvirt/qemu/*.xml /etc/libvirt/qemu/.*.xml \
  /etc/libvirt/qemu/networks/*.xml /etc/libvirt/qemu/networks/.*.xml \
  "$run"/qemu/*.xml "$run"/qemu/.*.xml "$networks"/*.xml "$networks"/.*.xml
case $* in
*:* | *"$newline"*)
  for file; do
    shift
    case $file in
    *:* | *"$newline"*)
      section "xml ${file%/*}"
      grep -ash '' "$file"
      ;;
    *) set -- "$@" "$file" ;;
    esac
  done
  ;;
esac

# our own files
section own
for file in /etc/sriovctl/* /etc/sriovctl/*/* /etc/systemd/system/sriovctl*.service \
  /etc/systemd/system/*.d/*sriovctl*.conf /etc/udev/rules.d/*sriovctl* \
  /etc/modules-load.d/sriovctl.conf /etc/sysconfig/modules/sriovctl.modules; do
  if [ -f "$file" ]; then
    set -- "$@" "$file"
    printf 'file %s\n' "$file"
  fi
done

# these have names that their network system wants; our first line tells them
for file in /etc/systemd/network/* /etc/netplan/* /etc/NetworkManager/system-connections/* \
  /etc/sysconfig/network-scripts/ifcfg-* /etc/network/interfaces.d/* /etc/modprobe.d/*; do
  line=
  if [ -f "$file" ]; then read -r line <"$file"; fi
  if [ "$line" = '# Written by sriovctl.' ]; then
    set -- "$@" "$file"
    printf 'file %s\n' "$file"
  fi
done

# every PCI device, of a PF all that matters, bonds, the libvirt files and ours; paths from this folder
# keep the argument list short
section files
parents=
uppers=
if cd /sys/bus/pci/devices; then
  set -- "$@" ./*/uevent
  # each * in the middle looks into the folder of every device: once for all that is read there
  for net in ./*/net/*; do
    set -- "$@" "$net/address" "$net/uevent" "$net/master/uevent" "$net/brport/bridge/uevent"
    for upper in "$net"/upper_*; do
      if [ -e "$upper" ]; then uppers="$uppers${upper#./}$newline"; fi
    done
  done
  for net in ./*/virtio*/net/*; do
    set -- "$@" "$net/address" "$net/uevent"
  done
  # virtfn0: a kernel before 3.8 shows VFs, but no count
  pfs='*/sriov_totalvfs'
  for file in $pfs; do
    if [ ! -e "$file" ]; then pfs='*/virtfn0'; fi
    break
  done
  for file in $pfs; do
    pf=${file%/*}
    [ -r "$pf/class" ] || continue
    class=
    read -r class <"$pf/class"
    case $class in 0x02*) ;; *) continue ;; esac
    set -- "$@" "./$pf"/sriov_totalvfs "./$pf"/sriov_numvfs "./$pf"/sriov_drivers_autoprobe \
      "./$pf"/resource "./$pf"/numa_node "./$pf"/virtfn*/uevent "./$pf"/net/*/flags "./$pf"/net/*/carrier \
      "./$pf"/net/*/speed "./$pf"/net/*/mtu "./$pf"/net/*/phys_port_name
    if [ $again = 0 ] && cd -P "$pf/.."; then
      parents="$parents $pf=${PWD##*/}"
      cd /sys/bus/pci/devices || exit 1
    fi
  done
fi
for bond in /sys/class/net/*/bonding; do
  if [ -d "$bond" ]; then
    set -- "$@" "$bond/slaves" "$bond/active_slave" "$bond/mode" "$bond/miimon" "$bond/updelay" \
      "$bond/downdelay" "$bond/arp_interval" "$bond/arp_ip_target" "$bond/fail_over_mac" \
      "$bond/primary" "$bond/num_grat_arp"
  fi
done
set -- "$@" /proc/net/vlan/config /run/systemd/netif/links/* /run/NetworkManager/devices/*
vfio=0
for file in /dev/vfio/[0-9]* /dev/vfio/devices/vfio[0-9]*; do
  if [ -e "$file" ]; then vfio=1; fi
done
if [ $vfio = 1 ]; then
  set -- "$@" /proc/[0-9]*/comm
fi
if [ $again = 1 ]; then
  set -- "$@" /proc/net/bonding/* /proc/net/route /proc/net/ipv6_route
fi
# left out: the list of QEMU's abilities, which is most of a machine's status, and says nothing
grep -asHv -e '^MODALIAS=' -e '^PCI_SUBSYS_ID=' -e '^OF_' -e "^ *<flag name='[^<>]*/>\$" "$@"

section upper
if cd /sys/bus/pci/devices; then
  set -- */vfio-dev/vfio[0-9]*
  printf '%s' "$uppers"
  printf '%s\n' "$@"
fi

section groups
if cd /sys/kernel/iommu_groups; then
  set -- [0-9]*/devices/*
  printf '%s\n' "$@"
fi

section drives
set -- /var/lib/libvirt/images/sriovctl-*.iso
if [ -f "$1" ]; then sha256sum "$@"; fi

# PCI configuration of the port above each PF: there is where ACS is switched
section parents
if [ "$root$again" = 10 ] && cd /sys/bus/pci/devices; then
  set --
  seen=
  for pair in $parents; do
    parent=${pair#*=}
    [ -r "$parent/config" ] || continue
    echo "$pair"
    case " $seen " in
    *" $parent "*) ;;
    *)
      seen="$seen $parent"
      set -- "$@" "$parent/config"
      ;;
    esac
  done
  if [ $# -gt 0 ]; then
    section config
    od -Ax -tx1 "$@"
  fi
fi

section ip
links=$(ip -d addr show)
answer=$?
if [ -z "$links" ]; then
  # busybox's ip has no -d
  links=$(ip addr show)
fi
printf '%s\n' "$links"
case $links in
*'
    vf '*) ;;
*)
  set -- /sys/bus/pci/devices/*/virtfn0
  # an old ip shows VFs with "link" only
  if [ -e "$1" ]; then ip link show; fi
  ;;
esac
if [ "$answer" != 0 ]; then
  # a PF with very many VFs ends the whole list: ask for each by itself
  for device in /sys/bus/pci/devices/*/sriov_totalvfs; do
    for netdev in "${device%/*}"/net/*; do
      if [ -e "$netdev" ]; then ip -d addr show dev "${netdev##*/}"; fi
    done
  done
fi

section vfio
if [ $vfio = 1 ]; then
  # What is kept of ls is its own header lines and links to VFIO's devices; a file whose name
  # imitates them can only make a VF look held that is not.
  # shellcheck disable=SC2010
  ls -n /proc/[0-9]*/fd |
    grep -e '^/proc/[0-9]*/fd:$' -e '^l[^>]*-> /dev/vfio/[a-z]*/*[a-z]*[0-9]*$'
fi

section end
