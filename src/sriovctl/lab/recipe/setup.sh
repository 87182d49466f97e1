#!/bin/sh
# mmdebstrap setup hook: lay down the lab's own files before any package comes,
# so that the initramfs is made once, small, and nothing asks.
#   setup.sh ROOT      (the recipe is the folder of this script)
set -eu
root=$1
recipe=$(dirname "$0")
cp -R --preserve=mode "$recipe/root/." "$root/"
chmod -R go-w "$root/etc" "$root/usr"
chmod 0440 "$root/etc/sudoers.d/admin"
