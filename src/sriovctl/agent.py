"""Words of the QEMU guest agent; agent.sh carries them to it on a host."""

from __future__ import annotations

import json


def order(script: str) -> str:
    """The agent's order for a script, as JSON: ``guest-exec`` of QEMU 2.5 and later."""
    arguments = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
    return json.dumps({"execute": "guest-exec", "arguments": arguments})
