"""Forks runs of Python off a process that has imported already what they import.

Started by `forked.py` as a script, so that nothing of the tests is loaded here. It imports and
runs nothing else: no thread, no connection, no event loop. An order comes as one message with four
descriptors: the run's three streams, and a channel that gets the process id and then how it ended.
Whoever gave the order closes the channel once it knows; only then is the process reaped, so its id
and its group are nobody else's before.

A run of surefoot that starts processes of its own, one for each replay, orders them here, too.
"""

import array
import atexit
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import pkgutil
import resource
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
import types
from typing import Any, NoReturn

# What runs of surefoot and of Alembic import, with every driver that the tests use.
_PRELOADED = (
    "alembic.command",
    "alembic.config",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "sqlalchemy.orm",
    "logging.config",
    "mako.template",
    "psycopg",
    "psycopg2",
    "asyncpg",
)
_LONGEST_ORDER = 100_000
_NUMBER = struct.Struct("!i")
_FIRST_FREE = 3


def _preload() -> None:
    import surefoot

    for module in pkgutil.walk_packages(surefoot.__path__, "surefoot."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):  # the drivers aren't dependencies
            importlib.import_module(name)
    # Here, once: a child that touches each module copies two thousand pages of memory first.
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType):  # some put an object of another kind there
            vars(module).pop("__warningregistry__", None)


class _Server:
    """The loop. In a child, `serve` returns its order."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._further: set[socket.socket] = set()  # those of runs that start processes themselves
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # in the abstract namespace, so no file is left
        self.address = f"\0surefoot-tests-{os.getpid()}"
        self._listening.bind(self.address)
        self._listening.listen()
        self._selector = selectors.DefaultSelector()
        self._channels: dict[int, socket.socket] = {}  # by the process's descriptor

    def serve(self) -> tuple[dict[str, Any], list[int]]:
        self._selector.register(self._orders, selectors.EVENT_READ)
        self._selector.register(self._listening, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listening:
                    further, _ = self._listening.accept()
                    self._further.add(further)
                    self._selector.register(further, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket) and key.data is None:
                    order = self._take(key.fileobj)
                    if order is not None:
                        return order
                elif key.data is not None:
                    self._reap(key.fileobj, key.data)
                else:
                    self._tell(key.fd)

    def _take(self, orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
        size = array.array("i").itemsize * 4
        message, ancillary, _, _ = orders.recvmsg(_LONGEST_ORDER, socket.CMSG_SPACE(size))
        if not message:
            if orders is self._orders:
                os._exit(0)
            self._selector.unregister(orders)
            self._further.discard(orders)
            orders.close()
            return None
        files = array.array("i")
        for _, _, data in ancillary:
            files.frombytes(data)
        *streams, channel = files
        pid = os.fork()
        if not pid:
            self._forget()
            return json.loads(message), [*streams, channel]
        for stream in streams:
            os.close(stream)
        process = os.pidfd_open(pid)
        self._channels[process] = socket.socket(fileno=channel)
        self._selector.register(process, selectors.EVENT_READ)
        return None

    def _forget(self) -> None:
        """A child has no part in it. What it closed only when these are collected could be its own
        by then: a descriptor's number is given out again.
        """
        mine = (self._orders, self._listening, *self._further)
        for channel in (*mine, *self._channels.values()):
            channel.close()
        self._selector.close()

    def _tell(self, process: int) -> None:
        """How it ended, negative for a signal, as subprocess has it."""
        end = os.waitid(os.P_PIDFD, process, os.WEXITED | os.WNOWAIT)
        assert end is not None
        self._selector.unregister(process)
        # its end is the sign that the process may be reaped
        self._selector.register(self._channels[process], selectors.EVENT_READ, process)
        number = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        with contextlib.suppress(OSError):  # nobody wants to know
            self._channels[process].sendall(_NUMBER.pack(number))

    def _reap(self, channel: Any, process: int) -> None:
        os.waitid(os.P_PIDFD, process, os.WEXITED)
        os.close(process)
        self._selector.unregister(channel)
        del self._channels[process]
        channel.close()


class _Replays:
    """Stands for the module subprocess where surefoot starts the process of a replay."""

    PIPE = subprocess.PIPE

    def __init__(self, address: str) -> None:
        self._address = address

    def Popen(self, command: list[str], *, env: dict[str, str], **streams: Any) -> Any:
        """With the hashes that it was forked with, whatever PYTHONHASHSEED says."""
        file = os.path.join(os.path.dirname(__file__), "forked.py")
        spec = importlib.util.spec_from_file_location("surefoot_tests_forked", file)
        assert spec is not None
        assert spec.loader is not None
        forked = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(forked)
        orders = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        orders.connect(self._address)
        arguments = command[1:]
        told = forked.order(arguments, os.getcwd(), env, session=False)
        return forked.Forked(told, arguments, **streams, orders=orders)


def _fork_replays(address: str) -> None:
    """The process that surefoot starts for each replay is forked as well."""
    passes: Any = importlib.import_module("surefoot.catalogue_build.passes")
    passes.subprocess = _Replays(address)


def _become(order: dict[str, Any], files: list[int], handlers: dict[int, Any]) -> None:
    """What a new process is: its streams, its directory, its environment, and nothing more. Who
    waits for its number sees it as it is then.
    """
    if order["new_session"]:
        os.setsid()
    *streams, channel = files
    for number, stream in enumerate(streams):  # all of them are above 2, which the server has
        os.dup2(stream, number)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    _show(order)  # where the former environment was
    os.write(channel, _NUMBER.pack(os.getpid()))
    os.closerange(_FIRST_FREE, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.orig_argv[1:] = order["arguments"]


def _stream(number: int, former: Any) -> io.TextIOWrapper:
    unbuffered = bool(number) and former.write_through
    mode, size = "wb" if number else "rb", 0 if unbuffered else -1
    return io.TextIOWrapper(
        open(number, mode, buffering=size, closefd=False),
        encoding=former.encoding,
        errors=former.errors,
        newline=None if number == 0 else "\n",
        line_buffering=number == 2 or os.isatty(number),
        write_through=unbuffered,
    )


def _show(order: dict[str, Any]) -> None:
    """The command and the environment, where /proc has those of a process."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    arguments, behind, environment, end = (int(field) for field in fields[45:49])
    command = [sys.executable, *order["arguments"]]
    given = [f"{name}={value}" for name, value in order["env"].items()]
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for texts, start, room in (
            (command, arguments, behind - arguments),
            (given, environment, end - environment),
        ):
            shown = b"".join(os.fsencode(text) + b"\0" for text in texts)[: room - 1]
            memory.seek(start)
            memory.write(shown.ljust(room, b"\0"))


def _run(order: dict[str, Any], address: str) -> NoReturn:
    """As `python -m MODULE …` or `python -c TEXT …` does it, to the end of the process.

    Only that the interpreter isn't taken apart: threads are joined, what is registered for the
    exit is run, streams are flushed.
    """
    given = list(order["arguments"])
    safe = given[0] == "-P"
    how, what, *arguments = given[safe:]
    sys.argv = [how, *arguments]
    if safe:
        del sys.path[0]
    else:
        sys.path[0] = os.getcwd() if how == "-m" else ""
    if what == "surefoot":
        _fork_replays(address)
    main = types.ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    code: Any = 0
    try:
        if how == "-m":
            if not hasattr(sys.modules.get(what), "__path__"):
                sys.modules.pop(what, None)  # it runs as __main__, and runpy would warn
            runpy._run_module_as_main(what)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            main.__dict__["__builtins__"] = __builtins__
            exec(compile(what, "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException as error:  # noqa: BLE001 (as the interpreter ends)
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):  # taken away, or closed
            pass
        except OSError:
            code = code or 120
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


def main() -> NoReturn:
    signals = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in signals}
    handlers = {number: handler for number, handler in handlers.items() if handler is not None}
    _preload()
    gc.collect()
    gc.freeze()
    # the caller's to answer
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    orders = socket.socket(fileno=int(sys.argv[1]))
    server = _Server(orders)
    order, files = server.serve()
    _become(order, files, handlers)
    _run(order, server.address)


if __name__ == "__main__":
    main()
