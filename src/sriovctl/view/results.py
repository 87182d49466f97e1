"""What every command prints the same way: what failed, and all of it for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TypeVar

from sriovctl.errors import SriovctlError
from sriovctl.view.harmless import harmless_lines

T = TypeVar("T")


def successes(results: Mapping[str, T | SriovctlError]) -> tuple[dict[str, T], int]:
    """What worked, and the exit code of what did not, each error said on standard error."""
    fine: dict[str, T] = {}
    code = 0
    for name, result in results.items():
        if isinstance(result, SriovctlError):
            sys.stderr.write(f"sriovctl: {harmless_lines(str(result))}\n")
            code = max(code, result.exit_code)
        else:
            fine[name] = result
    return fine, code


def print_json(value: object) -> None:
    """For programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
