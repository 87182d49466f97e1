"""Which of many hosts: by name, group or pattern. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from sriovctl.errors import UsageError
from sriovctl.explain import nearest
from sriovctl.racktemplate import names_of


def chosen(
    limit: Iterable[str] | None,
    hosts: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    where: str,
) -> list[str]:
    """The hosts asked for, in the order asked for, each once.

    :param limit: each a host, a group, or a pattern of hosts with ``*``, ``?`` and ranges as in
        ``server-[01-10]``; None: all
    :param groups: hosts by group
    :param where: the file that they are from, for the error
    :raises UsageError: one that means no host
    """
    if limit is None:
        return list(hosts)
    found: dict[str, None] = {}
    for word in limit:
        for text in names_of(word):
            if text in hosts:
                matched: Iterable[str] = [text]
            elif text in groups:
                matched = groups[text]
            else:
                matched = [name for name in hosts if fnmatchcase(name, text)]
            if not matched:
                raise UsageError(
                    f"no host {text!r} in {where}",
                    f"{nearest(text, [*hosts, *groups])}it has: {_listed(hosts)}"
                    + (f"; groups: {_listed(list(groups))}" if groups else ""),
                    f"name one of these, or add {text!r} under hosts",
                )
            found |= dict.fromkeys(matched)
    return list(found)


MOST_LISTED = 20


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
