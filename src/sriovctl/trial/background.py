"""A piece of work beside the main one: a thread, or a greenlet where the host is remote."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sriovctl.errors import SriovctlError


class Background:
    """Runs a function at once; its error comes up when it is joined."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        # looked up now: fleet makes it a greenlet where it is imported
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Not at its end yet."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for its end, and raise what it raised.

        :raises SriovctlError: its own, or that it has not ended in time
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise SriovctlError(f"no end within {timeout_s:g} s")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is joined
            self._error = error
