"""Words of the QEMU guest agent; agent.sh carries them to it on a host."""

from __future__ import annotations

import json
from collections.abc import Sequence


def order(script: str) -> str:
    """The agent's order for a script, as JSON."""
    return order_to_run(["/bin/sh", "-c", script])


def order_to_run(words: Sequence[str]) -> str:
    """The agent's order for a program by its path and its arguments, as JSON: ``guest-exec`` of
    QEMU 2.5 and later."""
    arguments = {"path": words[0], "arg": list(words[1:]), "capture-output": True}
    return json.dumps({"execute": "guest-exec", "arguments": arguments})
