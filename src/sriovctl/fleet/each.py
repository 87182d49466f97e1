"""A piece of work on each of many hosts, on all of them at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import gevent
import gevent.pool
from pyinfra.api.config import Config
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.fleet.address import Address, Patience
from sriovctl.fleet.connection import SSHReach, transport
from sriovctl.reach import OverdueError, Reach

T = TypeVar("T")


def run_each(
    hosts: Sequence[Address],
    work: Callable[[Reach], T],
    *,
    ssh_config: str | None = None,
    patience: Patience | None = None,
    host_s: float | None = None,
    at_once: int = 100,
) -> dict[str, T | SriovctlError]:
    """Do a piece of work on each host, on all of them at the same time.

    :param work: given a host's reach; one host's error does not disturb another
    :param ssh_config: file in place of ``~/.ssh/config``
    :param host_s: seconds after which a host is given up, whatever it does; None: never
    :param at_once: connections open at any time
    :returns: by host's name, in the order of ``hosts``, what the work gave or the error it raised
    :raises UsageError: there is no such ssh configuration file
    """
    if ssh_config is not None and not Path(ssh_config).is_file():
        raise UsageError(f"no ssh configuration file {ssh_config}")
    patience = patience or Patience()
    reaches = _reaches(hosts, ssh_config, patience)

    def one(reach: SSHReach) -> T | SriovctlError:
        limit = gevent.Timeout(host_s)
        try:
            with limit:
                return work(reach)
        except SriovctlError as error:
            return error
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
            return OverdueError(
                f"{reach.name}: not done after {host_s:g} s",
                "what was begun on it goes on by itself: it is changed in the end, or as it was",
                "run this again later: it goes on from what is",
            )
        finally:
            reach.close()

    pool = gevent.pool.Pool(at_once)
    try:
        greenlets = [pool.spawn(one, reach) for reach in reaches]
        gevent.joinall(greenlets)
    except BaseException:
        pool.kill(block=False)
        raise
    # a greenlet's own mistake comes up here, after every host has come to its end
    return {reach.name: greenlet.get() for reach, greenlet in zip(reaches, greenlets, strict=True)}


def _reaches(
    hosts: Sequence[Address], ssh_config: str | None, patience: Patience
) -> list[SSHReach]:
    # pyinfra gives names a meaning ("@local"); these are never shown
    names = [(f"host-{n}", _data(host, ssh_config, patience)) for n, host in enumerate(hosts)]
    inventory = Inventory((names, {}))  # type: ignore[no-untyped-call]
    config = Config(CONNECT_TIMEOUT=patience.connect_s)  # type: ignore[no-untyped-call]
    State(inventory, config)  # binds itself to the inventory
    return [
        SSHReach(address, host, patience, ssh_config)
        for address, host in zip(hosts, inventory, strict=True)
    ]


def _data(host: Address, ssh_config: str | None, patience: Patience) -> dict[str, object]:
    """A host's settings for pyinfra's ssh connector (its ``ConnectorData``), None left out."""
    data = {
        "ssh_hostname": host.hostname,
        "ssh_port": host.port,
        "ssh_user": host.user,
        "ssh_config_file": ssh_config,
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {
            "banner_timeout": patience.connect_s,
            "auth_timeout": patience.connect_s,
            "channel_timeout": patience.connect_s,
            "transport_factory": transport,
        },
    }
    return {key: value for key, value in data.items() if value is not None}
