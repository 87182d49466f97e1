"""Remote hosts, one or a thousand, over ssh: the only package that imports pyinfra.

pyinfra makes the connections (ssh configuration, agents, keys, jump hosts); a greenlet a host works
on them at the same time. Import this package before any other that opens sockets: gevent makes the
standard library cooperative here, and connecting is one after the other without that.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402

import gevent.hub  # noqa: E402

from sriovctl.fleet.address import Address, Patience  # noqa: E402
from sriovctl.fleet.each import run_each  # noqa: E402

__all__ = ["Address", "Patience", "run_each"]

# What goes wrong is said once, by an exception; the libraries' own words for it would stand between
# the lines of a table.
for _name in ("pyinfra", "paramiko"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

# Ctrl-C is said by whoever ends the command, and not by gevent's traceback as well.
gevent.hub.Hub.NOT_ERROR = (*gevent.hub.Hub.NOT_ERROR, KeyboardInterrupt)
