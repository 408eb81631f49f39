"""Access the driver's connection below SQLAlchemy, and what it reports."""

import contextlib
import os
import socket
from typing import Any


def driver_of(connection: Any) -> Any:
    """Return the driver's own connection."""
    pooled = connection.connection
    return getattr(pooled, "driver_connection", None) or pooled.connection


def backend_pid(driver: Any) -> int | None:
    """Return the server process's pid as the driver reports it; behind a pooler, another one."""
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
    """Whether the connection is open and in no transaction, as far as its driver reports."""
    return _in_transaction(driver) is False


def is_in_transaction(driver: Any) -> bool:
    """Whether the connection is open and in a transaction, as far as its driver reports."""
    return _in_transaction(driver) is True


def has_failed(driver: Any) -> bool:
    """Whether it is in a transaction that has failed, as far as its driver reports."""
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    return status is not None and int(status) == 3


def commits_each(connection: Any) -> bool:
    """Whether the next statement on it is a transaction of its own, as far as the driver says."""
    driver = driver_of(connection)
    told = getattr(driver, "autocommit", None)  # psycopg, psycopg2
    if told is None:  # SQLAlchemy's own connection around asyncpg's
        told = getattr(getattr(connection.connection, "dbapi_connection", None), "autocommit", None)
    return bool(told) and not is_in_transaction(driver)


def _in_transaction(driver: Any) -> bool | None:
    """Return whether it is in a transaction; None if the connection is lost or the driver doesn't
    say.
    """
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    if status is not None:  # psycopg, psycopg2: libpq's number; 4 is a lost connection
        return None if int(status) == 4 else int(status) > 0
    asked = getattr(driver, "is_in_transaction", None)  # asyncpg
    return None if asked is None or driver.is_closed() else bool(asked())


def cut(driver: Any) -> None:
    """Close the connection itself, whatever its driver waits for. Callable from any thread."""
    number = getattr(driver, "fileno", None)
    if number is None:  # asyncpg: only its transport knows
        transport = getattr(driver, "_transport", None)
        own = transport.get_extra_info("socket") if transport is not None else None
        number = getattr(own, "fileno", None)
    if number is None or number() < 0:
        return
    # if it is already closed, that is fine
    with socket.socket(fileno=os.dup(number())) as cutting, contextlib.suppress(OSError):
        cutting.shutdown(socket.SHUT_RDWR)
