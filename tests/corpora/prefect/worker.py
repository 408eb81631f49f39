"""Prefect's env.py hands its coroutine to the loop that its worker thread belongs to."""

from collections.abc import Callable

import anyio


def in_worker_thread(function: Callable[[], None]) -> None:
    anyio.run(anyio.to_thread.run_sync, function)
