"""pyinfra's inventories: Python files, which pyinfra itself runs."""

from __future__ import annotations

from pathlib import Path

from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import State
from pyinfra.context import ctx_state
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.inventory import make_inventory_from_files

from sriovctl.errors import UsageError
from sriovctl.inventoryfacts import Inventory, Known


def read(path: Path) -> Inventory:
    """Hosts, groups and group data as pyinfra sees them. The file is run, as pyinfra does.

    :raises UsageError: pyinfra cannot load it, or a host is not reached by ssh
    """
    try:
        with ctx_state.use(State()):  # it notes there which file it runs
            loaded = make_inventory_from_files(str(path), cwd=str(path.parent))
    except (PyinfraError, CliError, OSError, SyntaxError) as error:
        raise UsageError(f"{path}: pyinfra cannot load it: {error}") from None
    hosts: dict[str, Known] = {}
    groups: dict[str, list[str]] = {"all": []}
    for host in loaded:
        connector, _, rest = host.name.rpartition("/")
        name = rest or host.name
        if host.name == "@local":
            connector, name = "", "local"
        if connector not in ("", "@ssh"):
            raise UsageError(f"{path}: {host.name} is not reached by ssh", "no host was asked")
        address = host.data.get("ssh_hostname")
        port = host.data.get("ssh_port")
        hosts[name] = Known(
            name=name,
            address="local" if host.name == "@local" else None if address == name else address,
            port=None if port is None else int(port),
            user=host.data.get("ssh_user"),
        )
        for group in ["all", *host.groups]:
            members = groups.setdefault(group, [])
            if name not in members:
                members.append(name)
    return Inventory(hosts, {name: tuple(members) for name, members in groups.items()})
