#!/bin/sh
# Make the nested guest's kernel and initramfs out of the server's own packages.
#   build.sh KERNEL-VERSION OUT-FOLDER     (runs inside the server's root)
set -eu
version=$1
out=$2
here=$(dirname "$0")
tree=$here/tree
mkdir -p "$out" "$tree/bin" "$tree/sbin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/run" \
    "$tree/tmp" "$tree/etc/acpi/PWRF" "$tree/modules" "$tree/var/run" "$tree/var/log"

# A program with every library that it is linked to.
take() {
    cp -L --parents "$1" "$tree"
    ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' |
        while read -r library; do
            cp -L --parents "$library" "$tree"
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
number=100
sed '/^#/d' "$here/modules.txt" | while read -r module; do
    modprobe --show-depends --set-version "$version" "$module"
done | while read -r verb path _; do
    [ "$verb" = insmod ] || continue
    name=$(basename "$path")
    name=${name%%.ko*}
    [ -z "$(find "$tree/modules" -name "*-$name.ko")" ] || continue
    number=$((number + 1))
    case $path in
    *.xz) xz --decompress --stdout "$path" ;;
    *.zst) zstd --quiet --decompress --stdout "$path" ;;
    *) cat "$path" ;;
    esac >"$tree/modules/$number-$name.ko"
done

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

(cd "$tree" && find . | cpio --quiet --create --format=newc --owner=0:0) >"$out/initrd"
cp "/boot/vmlinuz-$version" "$out/vmlinuz"
chmod 0644 "$out/initrd" "$out/vmlinuz"
