"""Restart a host from within, and wait for it to be back; also after a power cycle."""

from __future__ import annotations

import time

from sriovctl.errors import DiffersError, HostError, UnreachableError
from sriovctl.observer import Observer
from sriovctl.reach import Reach
from sriovctl.stagerun import Timeouts

REBOOT = """PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
read -r boot </proc/sys/kernel/random/boot_id
[ "$boot" = "$1" ] || exit 0
IFS=. read -r pid start booted _ <<LOCK
$(readlink /run/sriovctl.lock || readlink /var/run/sriovctl.lock)
LOCK
if [ "$booted" = "$boot" ] && { read -r stat <"/proc/$pid/stat"; } 2>/dev/null; then
  set -- ${stat##*) }
  case $1 in Z | X) set -- ;; esac
  if [ "${20:-}" = "$start" ]; then
    echo "another run is at work: pid $pid" >&2
    exit 12
  fi
fi
if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi
"""
"""Returns at once: init reboots, and ends this session on its way. What somebody else has restarted
since it was looked at ($1, its boot id then) is not restarted again, and a transaction at work
(its lock begins with its pid, see transaction.sh) is not cut off."""

STATE = """PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
read -r boot </proc/sys/kernel/random/boot_id
state=running
if [ -d /run/systemd/system ]; then
  state=$(systemctl is-system-running 2>/dev/null)
else
  case $(initctl status rc 2>/dev/null) in *start/*) state=starting ;; esac
fi
printf '%s %s\\n' "$boot" "$state"
"""
"""Which boot this is, and how far it has come (systemctl(1), is-system-running). On CentOS 6
upstart's job ``rc`` starts the services, sshd before libvirtd."""

BOOTING = ("initializing", "starting", "stopping", "")
"""Also one that shuts down again, to relabel its files for SELinux, say."""


def reboot(reach: Reach, boot_id: str, *, observer: Observer, timeouts: Timeouts) -> None:
    """Reboot a host and return when it has started anew.

    :param boot_id: of the kernel that runs now
    :raises DiffersError: the host is the one that this runs on, and will be gone in a moment
    :raises HostError: it refuses, or has not come back in time
    """
    try:
        output = reach.run(REBOOT, (boot_id,), timeout_s=timeouts.probe_s)
    except UnreachableError:
        pass  # the way was cut before the answer; whether it reboots, the wait will tell
    else:
        if output.status != 0:
            raise HostError(
                f"{reach.name}: it does not reboot: {output.stderr.strip() or output.status}",
                "all that the next boot needs is staged",
                "reboot it by hand, then run apply again",
            )
    if not reach.remote:
        raise DiffersError(
            f"{reach.name} reboots now, and this program with it",
            "it is not yet as wanted",
            "run the same command again once it is back",
        )
    await_boot(reach, boot_id, observer=observer, timeouts=timeouts)


def await_boot(reach: Reach, boot_id: str, *, observer: Observer, timeouts: Timeouts) -> None:
    """Return when a host runs another boot than this one, and has finished starting.

    A probe of a host that is still starting would see VFs and VMs that are yet to come.

    :param boot_id: of the kernel that ran before
    :raises HostError: not within ``timeouts.boot_s``
    """
    began = time.monotonic()
    seen = "nobody answers"
    observer.doing(reach.name, "waiting for it to be back")
    while True:
        try:
            output = reach.run(STATE, timeout_s=timeouts.answer_s)
        except UnreachableError as error:
            seen = error.found
        else:
            boot, _, state = output.stdout.strip().partition(" ")
            if boot and boot != boot_id:
                if state not in BOOTING:
                    waited = time.monotonic() - began
                    observer.said(reach.name, f"back with a new boot after {waited:.0f} s")
                    return
                seen = f"it has started anew, and its init says it is still {state or 'starting'}"
            elif boot:
                seen = "it has not shut down yet: it still runs the same boot"
            else:
                seen = f"it answers no better than: {output.stderr.strip() or output.status}"
        if time.monotonic() - began > timeouts.boot_s:
            raise HostError(
                f"{reach.name}: not back within {timeouts.boot_s:g} s: {seen}",
                "it was told to restart, and is not yet as wanted",
                "look at its console, or there: systemctl list-jobs; once it is back, run the same "
                "command again",
            )
        time.sleep(timeouts.retry_s)
