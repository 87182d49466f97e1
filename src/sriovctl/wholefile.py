"""A file of the operator's, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sriovctl.errors import UsageError


def write(path: Path, data: bytes) -> None:
    """Put new content in a file's place; owner and mode stay, a link is followed.

    A new file is its owner's alone (0600).

    :raises UsageError: it cannot be written; then it is as it was
    """
    place = path.resolve()
    try:
        descriptor, partial = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            if place.exists():
                was = place.stat()
                os.chown(partial, was.st_uid, was.st_gid)
                Path(partial).chmod(was.st_mode & 0o7777)
            Path(partial).replace(place)
        except BaseException:
            Path(partial).unlink()
            raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            "it is as it was",
            f"ls -ld {path.parent}",
        ) from None
