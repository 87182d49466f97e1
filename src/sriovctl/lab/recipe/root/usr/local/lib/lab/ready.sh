#!/bin/sh
# Tell the lab, over a virtio-serial port, that ssh answers, and then in which
# state the boot ended: `ssh BOOT-ID`, `running BOOT-ID` or `degraded BOOT-ID`.
read -r boot_id </proc/sys/kernel/random/boot_id
exec >/dev/virtio-ports/lab.ready
echo "ssh $boot_id"
state=$(systemctl is-system-running --wait)
# /dev/kvm comes by udev, and may come late
udevadm settle
echo "$state $boot_id"
