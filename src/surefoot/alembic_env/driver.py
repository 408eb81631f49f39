"""What lies below SQLAlchemy: the driver's own connection, and what it tells of itself."""

import contextlib
import os
import socket
from typing import Any


def driver_of(connection: Any) -> Any:
    """The driver's own connection."""
    pooled = connection.connection
    return getattr(pooled, "driver_connection", None) or pooled.connection


def backend_pid(driver: Any) -> int | None:
    """The server process that it talks to, as its driver tells; behind a pooler it's another."""
    tellers: tuple[Any, ...] = (
        getattr(getattr(driver, "info", None), "backend_pid", None),
        getattr(driver, "get_backend_pid", None),
        getattr(driver, "get_server_pid", None),
    )
    for told in tellers:
        if told is not None:
            pid: Any = told() if callable(told) else told
            return pid
    return None


def is_idle(driver: Any) -> bool:
    """Whether the connection is there and in no transaction, as far as its driver tells."""
    return _in_transaction(driver) is False


def is_in_transaction(driver: Any) -> bool:
    """Whether the connection is there and in a transaction, as far as its driver tells."""
    return _in_transaction(driver) is True


def _in_transaction(driver: Any) -> bool | None:
    """None: the connection is gone, or its driver doesn't tell."""
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    if status is not None:  # psycopg, psycopg2: libpq's number; 4 is a connection that is gone
        return None if int(status) == 4 else int(status) > 0
    asked = getattr(driver, "is_in_transaction", None)  # asyncpg
    return None if asked is None or driver.is_closed() else bool(asked())


def cut(driver: Any) -> None:
    """End the connection itself, whatever its driver waits for. From any thread."""
    number = getattr(driver, "fileno", None)
    if number is None:  # asyncpg: only its transport knows
        transport = getattr(driver, "_transport", None)
        own = transport.get_extra_info("socket") if transport is not None else None
        number = getattr(own, "fileno", None)
    if number is None or number() < 0:
        return
    # where it is gone already, that is what was wanted
    with socket.socket(fileno=os.dup(number())) as cutting, contextlib.suppress(OSError):
        cutting.shutdown(socket.SHUT_RDWR)
