"""Whether mounts of a test's own can be made here, which nobody else sees."""

from __future__ import annotations

import shutil
import subprocess


def why_no_mounts(*options: str) -> str:
    """Why ``unshare -m`` is of no use here; empty where it is.

    In a chroot not even root may: its root folder is no mount point, whose propagation could be
    cut off.

    :param options: of ``unshare``, beside that
    """
    if shutil.which("unshare") is None:
        return "no unshare here"
    done = subprocess.run(
        ["unshare", "-m", *options, "true"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""
