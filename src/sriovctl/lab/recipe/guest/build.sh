#!/bin/sh
# Make the nested guest's kernel and initramfs out of the server's own packages, and a second
# initramfs for a guest with systemd-networkd and a config drive.
#   build.sh KERNEL-VERSION OUT-FOLDER     (runs inside the server's root)
set -eu
version=$1
out=$2
here=$(dirname "$0")
tree=$here/tree
mkdir -p "$out" "$tree/bin" "$tree/sbin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/run" \
    "$tree/tmp" "$tree/etc/acpi/PWRF" "$tree/modules" "$tree/var/run" "$tree/var/log"

# A program with every library that it is linked to, but for those that another tree has.
take() {
    cp -L --parents "$1" "$tree"
    ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' |
        while read -r library; do
            [ -e "$here/tree$library" ] || cp -L --parents "$library" "$tree"
        done
}
take /usr/bin/busybox
take /usr/bin/iperf3
take /usr/sbin/qemu-ga
take /usr/bin/ip
for applet in $(busybox --list); do
    ln -s /usr/bin/busybox "$tree/bin/$applet"
done
rm -f "$tree/bin/ip"
ln -s /usr/bin/ip "$tree/bin/ip"
ln -s /usr/bin/iperf3 "$tree/bin/iperf3"
[ -e "$tree/lib64" ] || ln -s usr/lib64 "$tree/lib64"

# Modules, unpacked beforehand: the guest is emulated, this machine is not.
modules() { # LIST FIRST-NUMBER
    number=$2
    sed '/^#/d' "$1" | while read -r module; do
        modprobe --show-depends --set-version "$version" "$module"
    done | while read -r verb path _; do
        [ "$verb" = insmod ] || continue
        name=$(basename "$path")
        name=${name%%.ko*}
        [ -z "$(find "$here"/*/modules -name "*-$name.ko")" ] || continue
        number=$((number + 1))
        case $path in
        *.xz) xz --decompress --stdout "$path" ;;
        *.zst) zstd --quiet --decompress --stdout "$path" ;;
        *) cat "$path" ;;
        esac >"$tree/modules/$number-$name.ko"
    done
}
modules "$here/modules.txt" 100

# The agent's shutdown, and the power button where busybox's acpid looks for it.
cat >"$tree/sbin/shutdown" <<'END'
#!/bin/sh
case " $* " in
*" -r "*) exec reboot -f ;;
*) exec poweroff -f ;;
esac
END
printf '#!/bin/sh\nexec poweroff -f\n' >"$tree/etc/acpi/PWRF/00000080"
chmod 0755 "$tree/sbin/shutdown" "$tree/etc/acpi/PWRF/00000080"
printf 'root:x:0:0:root:/:/bin/sh\n' >"$tree/etc/passwd"
install -m 0755 "$here/init" "$tree/init"

pack() {
    (cd "$tree" && find . | cpio --quiet --create --format=newc --owner=0:0)
}
pack >"$out/initrd"

# What the second has more: the kernel unpacks one archive after the other.
tree=$here/networkd
mkdir -p "$tree/modules" "$tree/etc/systemd" "$tree/usr/lib/systemd" "$tree/usr/lib/udev/rules.d"
take /usr/lib/systemd/systemd-networkd
take /usr/bin/udevadm
ln -s ../../bin/udevadm "$tree/usr/lib/systemd/systemd-udevd"
for rules in 50-udev-default 75-net-description 80-net-setup-link; do
    cp "/usr/lib/udev/rules.d/$rules.rules" "$tree/usr/lib/udev/rules.d/"
done
grep -E '^(root|systemd-network):' /etc/passwd >"$tree/etc/passwd"
grep -E '^(root|systemd-network):' /etc/group >"$tree/etc/group"
echo 5109c71ab00040008000000000000002 >"$tree/etc/machine-id"
modules "$here/modules-drive.txt" 200
{
    cat "$out/initrd"
    pack
} >"$out/initrd-networkd"

cp "/boot/vmlinuz-$version" "$out/vmlinuz"
chmod 0644 "$out"/*
