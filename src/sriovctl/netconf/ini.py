"""Files of sections with keys, as systemd and NetworkManager read them."""

from __future__ import annotations

from collections.abc import Iterable

Keys = Iterable[tuple[str, object]]


def ini(*sections: tuple[str, Keys]) -> str:
    """The file's text.

    :param sections: names with their keys in order; a key whose value is None and a section without
        keys are left out
    """
    parts = []
    for name, keys in sections:
        lines = [f"{key}={value}\n" for key, value in keys if value is not None]
        if lines:
            parts.append(f"[{name}]\n" + "".join(lines))
    return "\n".join(parts)
