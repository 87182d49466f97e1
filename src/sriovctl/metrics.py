"""``sriovctl metrics``: look at every host, and tell Prometheus: by a file, or over HTTP."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sriovctl import counted, looked, wholefile
from sriovctl.counted import Counted
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.look import Look
from sriovctl.reach import Reach
from sriovctl.trial import store
from sriovctl.view.harmless import harmless_lines
from sriovctl.view.metrics import Sample, Told, samples

READABLE = 0o644
"""For node_exporter, which is another user."""


@dataclass(frozen=True)
class _Host:
    rack: str
    name: str
    numbers: tuple[Sample, ...]


class _Latest(Collector):
    """The last look: whoever asks gets it at once, and waits for no host."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def collect(self) -> Iterator[Metric]:
        return self.told.collect()


def metrics(arguments: argparse.Namespace) -> int:
    """Tell Prometheus, once, or until it is interrupted.

    :returns: 0 whatever was found: that is in the numbers
    :raises UsageError: the file cannot be written, or the port is taken
    """
    latest = _Latest(_look(arguments))
    registry = CollectorRegistry()
    registry.register(latest)
    if arguments.listen is not None:
        _serve(arguments, latest, registry)
    elif arguments.output is None:
        sys.stdout.write(generate_latest(registry).decode())
    else:
        path = Path(arguments.output)
        wholefile.write(path, generate_latest(registry))
        path.chmod(READABLE)
    return 0


def _look(arguments: argparse.Namespace) -> Told:
    hosts = looked.each(arguments, _kept)
    numbers = tuple((one.name, one.numbers) for one in hosts)
    return Told(hosts[0].rack, numbers, datetime.now(UTC))


def _kept(look: Look, reach: Reach | None) -> _Host:
    rack = look.want.rack
    known = Counted() if reach is None else counted.ask(reach)
    trials = {vm.name: store.last("failover", rack, vm.name) for vm in look.want.vms}
    return _Host(rack, look.want.name, samples(look, trials, known))


def _serve(arguments: argparse.Namespace, latest: _Latest, registry: CollectorRegistry) -> None:
    address, port = arguments.listen
    try:
        server, _ = start_http_server(port, address, registry)
    except OSError as error:
        raise UsageError(
            f"cannot listen on port {port} of {address}: {error.strerror}",
            "",
            "name another: --listen [ADDRESS:]PORT",
        ) from error
    sys.stderr.write(f"metrics on port {server.server_port} of {address}\n")
    never = threading.Event()
    while not never.wait(arguments.every):
        try:
            latest.told = _look(arguments)
        except SriovctlError as error:
            # a rack file in the midst of an edit; the age of the last look tells of it
            sys.stderr.write(f"sriovctl: {harmless_lines(str(error))}\n")
