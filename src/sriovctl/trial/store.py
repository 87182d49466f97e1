"""Results of trials, kept on the controller: the last one is shown, and compared with.

One JSON file a result: ``$XDG_STATE_HOME/sriovctl/trials/RACK/KIND/SUBJECT/DATE.json``, without
``XDG_STATE_HOME`` in ``~/.local/state``. docs/trial.md says what is in them.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sriovctl import wholefile
from sriovctl.errors import UsageError

Kind = Literal["failover", "bench", "bench-host"]
"""``failover`` and ``bench`` are of VMs, ``bench-host`` is of a host itself."""
Document = dict[str, Any]
"""A result in the words of JSON; ``date`` is when it was taken, ISO 8601 with its zone."""


def now() -> str:
    """The date of a result."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def place(kind: Kind, rack: str, subject: str) -> Path:
    """Folder of all results of one kind of a VM or a host.

    :param rack: the rack's name, as the rack file has it
    """
    base = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(base) / "sriovctl" / "trials" / _file(rack) / kind / _file(subject)


def keep(kind: Kind, rack: str, subject: str, document: Document) -> Path:
    """Put a result beside the earlier ones.

    :param document: with its ``date``
    :returns: its file
    :raises UsageError: it cannot be written
    """
    path = place(kind, rack, subject) / f"{_file(document['date'])}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make {path.parent}: {error.strerror}",
            "results are kept there, to be compared with",
            "set XDG_STATE_HOME to a folder that can be written",
        ) from error
    wholefile.write(path, json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")
    return path


def last(kind: Kind, rack: str, subject: str) -> Document | None:
    """The latest result; None where there is none that can be read."""
    for path in sorted(place(kind, rack, subject).glob("*.json"), reverse=True):
        try:
            document: Document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return document
    return None


def _file(name: str) -> str:
    """A name as a file may have it: no slash, no leading dot."""
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
