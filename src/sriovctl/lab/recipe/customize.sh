#!/bin/sh
# mmdebstrap customize hook: from installed packages to a server that boots.
#   customize.sh ROOT  (the recipe is the folder of this script)
set -eu
root=$1
recipe=$(dirname "$0")

# Who the server is comes from the lab at each boot, as systemd credentials.
rm -f "$root/etc/hostname" "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
chroot "$root" useradd --create-home --shell /bin/bash --groups libvirt,sudo admin

# Services: on, and off.
chroot "$root" systemctl enable systemd-networkd.service ssh.service libvirtd.service lab-ready.service
chroot "$root" systemctl mask \
    systemd-networkd-wait-online.service NetworkManager.service \
    NetworkManager-wait-online.service NetworkManager-dispatcher.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service \
    systemd-firstboot.service systemd-binfmt.service grub-common.service \
    logrotate.timer systemd-random-seed.service systemd-network-generator.service \
    systemd-udev-load-credentials.service systemd-networkd-persistent-storage.service \
    systemd-pstore.service modprobe@efi_pstore.service modprobe@drm.service \
    modprobe@configfs.service sys-kernel-config.mount sys-kernel-tracing.mount \
    modprobe@fuse.service sys-fs-fuse-connections.mount dev-mqueue.mount
# What the first boot would do over: nothing. And one user manager for all logins of root.
touch "$root/etc/.updated" "$root/var/.updated" "$root/etc/default/locale"
mkdir -p "$root/var/lib/systemd/linger"
touch "$root/var/lib/systemd/linger/root"
cat >>"$root/etc/default/libvirt-guests" <<'END'
# the lab: guests are shut down with their server, in parallel, and come back by autostart
ON_BOOT=ignore
ON_SHUTDOWN=shutdown
PARALLEL_SHUTDOWN=8
SHUTDOWN_TIMEOUT=30
END

# GRUB, from disk. boot.img looks for the core at sector 1, where the lab puts it.
kernel=$(chroot "$root" sh -c 'cd /boot && ls vmlinuz-*')
version=${kernel#vmlinuz-}
cp "$recipe/modules.txt" "$root/tmp/modules.txt"
# shellcheck disable=SC2016 # the inner shell's own
chroot "$root" sh -c '
    sed "/^#/d" /tmp/modules.txt | while read -r module; do
        modprobe --show-depends --ignore-install --set-version "$1" "$module"
    done | sed -n "s/^insmod \([^ ]*\.xz\).*/\1/p" | sort -u | xargs xz --decompress
    rm /tmp/modules.txt
    depmod "$1"
    update-initramfs -u -k "$1"' sh "$version"
mkdir -p "$root/boot/grub/i386-pc"
cp "$root"/usr/lib/grub/i386-pc/*.mod "$root"/usr/lib/grub/i386-pc/*.lst "$root/boot/grub/i386-pc/"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/boot/grub/i386-pc/"
chroot "$root" grub-mkimage --format=i386-pc --prefix='(hd0,msdos1)/boot/grub' \
    --output=/boot/grub/i386-pc/core.img biosdisk part_msdos ext2 normal configfile linux
cat >"$root/boot/grub/grub.cfg" <<END
# written by the lab for the first boot; update-grub writes the real one
set timeout=0
menuentry 'Debian' {
    set root=(hd0,msdos1)
    linux /boot/vmlinuz-$version root=UUID=5109c71a-b000-4000-8000-000000000001 ro console=ttyS0,115200 no_timer_check quiet
    initrd /boot/initrd.img-$version
}
END

# The nested guest: kernel and initramfs.
mkdir -p "$root/tmp/guest"
cp "$recipe/guest/build.sh" "$recipe/guest/init" "$recipe"/guest/modules*.txt "$root/tmp/guest/"
chroot "$root" sh /tmp/guest/build.sh "$version" /var/lib/libvirt/images/guest
rm -r "$root/tmp/guest"

# What a booted server never reads.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt
