"""surefoot for applications that migrate in their own start: `up`, `plan` and `status`.

    from surefoot import api

    outcome = api.up()

Whether there is nothing to do is decided in this process, in milliseconds. Everything else happens
in a process of its own, so nothing of the caller's is changed: its logging, event loop, signal
handlers, threads, working directory and environment. What is returned are frozen values, with the
keys of --json (docs/reference/json-output.md). docs/guides/in-the-application.md is the guide.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar, cast

from surefoot.errors.masking import hidden, keep_secrets
from surefoot.model.answers import (
    STEPS,
    Address,
    Adopt,
    Beside,
    Database,
    Difference,
    Done,
    DropIndexes,
    Finding,
    Install,
    Interruption,
    Issue,
    Loss,
    Match,
    Mend,
    Name,
    OneWay,
    Outcome,
    Plan,
    Probe,
    Promise,
    Record,
    Revision,
    Seed,
    Setting,
    Status,
    Step,
    Structure,
    Undone,
    Upgrade,
    Verified,
)
from surefoot.quick import settled
from surefoot.system.successor import WORDS

if TYPE_CHECKING:
    import subprocess

__all__ = [
    "Address",
    "Adopt",
    "Beside",
    "Database",
    "Difference",
    "Done",
    "DropIndexes",
    "Error",
    "Finding",
    "Install",
    "Interruption",
    "Issue",
    "Loss",
    "Match",
    "Mend",
    "Name",
    "OneWay",
    "Outcome",
    "Plan",
    "Probe",
    "Promise",
    "Record",
    "Revision",
    "Seed",
    "Setting",
    "Status",
    "Step",
    "Structure",
    "Undone",
    "Upgrade",
    "Verified",
    "plan",
    "status",
    "up",
    "up_async",
]

Path = str | os.PathLike[str]
# A file, its descriptor, or subprocess.DEVNULL; None is the caller's own standard error.
Stream = IO[Any] | int | None


_P = TypeVar("_P", bound=Plan)
_T = TypeVar("_T")


class Error(Exception):
    """surefoot refused, failed, or could not begin.

    `findings` say why, the first one first; the other attributes are those of the first. `outcome`
    is what `up` did, None if it ended before that was known.
    """

    def __init__(
        self, findings: tuple[Finding, ...], exit_code: int, outcome: Outcome | None = None
    ) -> None:
        super().__init__(findings, exit_code, outcome)
        self.findings, self.exit_code, self.outcome = findings, exit_code, outcome

    @property
    def code(self) -> str:
        """The condition, such as "unknown-revision"; `surefoot explain CODE` prints its page."""
        return self.findings[0].code

    @property
    def message(self) -> str:
        """What happened, in a sentence or two."""
        return self.findings[0].message

    @property
    def database(self) -> str:
        """The state of the database now."""
        return self.findings[0].database

    @property
    def next(self) -> str:
        """What to do next; copy lines that begin with four spaces as they are."""
        return self.findings[0].next

    def __str__(self) -> str:
        """Return the message, the state of the database and the next step, for a traceback."""
        return "\n".join(
            (f"{self.message} ({self.code})", f"database: {self.database}", f"next: {self.next}")
        )


def up(
    *,
    config: Path | None = None,
    database_url: str | None = None,
    arguments: Sequence[str] = (),
    directory: Path | None = None,
    shared: bool = False,
    accept_data_loss: bool = False,
    stderr: Stream = None,
) -> Outcome:
    """Bring the database to the code's head, as `surefoot up` does. Returns once head was seen.

    `config` and `database_url` are the options of these names, `arguments` those of -x (each a
    string "NAME=VALUE"), `shared` and `accept_data_loss` the flags. `directory` is where the
    project is, by default the working directory. The report for people goes to `stderr`.

    Blocks until all is done, in an event loop too; `up_async` doesn't. An exception that is raised
    meanwhile (KeyboardInterrupt, or by a signal handler of the caller's) stops the run as SIGTERM
    would, and is raised again when the run has ended. Raises Error if the database isn't at head
    afterwards; OSError if no process can be started.
    """
    call = _call("up", config, database_url, arguments, directory)
    call = call.with_flags(shared=shared, accept_data_loss=accept_data_loss)
    return _up(call, _Child(stderr))


async def up_async(
    *,
    config: Path | None = None,
    database_url: str | None = None,
    arguments: Sequence[str] = (),
    directory: Path | None = None,
    shared: bool = False,
    accept_data_loss: bool = False,
    stderr: Stream = None,
) -> Outcome:
    """Do the same as `up` without blocking the event loop.

    A cancellation stops the run as SIGTERM would; it is raised when the run has ended, which may
    take some seconds.
    """
    call = _call("up", config, database_url, arguments, directory)
    call = call.with_flags(shared=shared, accept_data_loss=accept_data_loss)
    child = _Child(stderr)
    return await _in_a_thread(lambda: _up(call, child), child.stop)


def status(
    *,
    config: Path | None = None,
    database_url: str | None = None,
    arguments: Sequence[str] = (),
    directory: Path | None = None,
    stderr: Stream = None,
) -> Status:
    """Report where the database stands, as `surefoot status` does. Reads only, and blocks.

    The parameters are those of `up`. A database that `up` would refuse is no error: `findings` say
    why. `exit_code` is 0 at head, 3 if something is pending. Raises Error if the look failed.
    """
    call = _call("status", config, database_url, arguments, directory)
    return _looked(call, _Child(stderr), Status)


def plan(
    *,
    config: Path | None = None,
    database_url: str | None = None,
    arguments: Sequence[str] = (),
    directory: Path | None = None,
    shared: bool = False,
    stderr: Stream = None,
) -> Plan:
    """Report what `up` would do, as `surefoot plan` does. Reads only, and blocks.

    The parameters are those of `up`. A database that `up` would refuse is no error: `findings` say
    why. Raises Error if the look failed.
    """
    call = _call("plan", config, database_url, arguments, directory)
    return _looked(call.with_flags(shared=shared), _Child(stderr), Plan)


class _Call(NamedTuple):
    """A request, with the environment at that moment."""

    command: str
    config: str | None
    database_url: str | None
    arguments: tuple[str, ...]
    directory: str
    environ: Mapping[str, str]
    flags: tuple[str, ...] = ()

    def with_flags(self, **given: bool) -> "_Call":
        flags = (f"--{name.replace('_', '-')}" for name, is_set in given.items() if is_set)
        return self._replace(flags=tuple(flags))

    @property
    def words(self) -> list[str]:
        """Return the options, in which an address or an argument of env.py may be a secret."""
        words = list(self.flags)
        if self.config is not None:
            words += ["--config", self.config]
        if self.database_url is not None:
            words += ["--database-url", self.database_url]
        for argument in self.arguments:
            words += ["-x", argument]
        return words


def _call(
    command: str,
    config: Path | None,
    database_url: str | None,
    arguments: Sequence[str],
    directory: Path | None,
) -> _Call:
    if isinstance(arguments, str):
        raise TypeError("arguments must be a sequence of strings, not a string")
    environ = dict(os.environ)
    environ.pop("SUREFOOT_SERVE", None)  # the application listens there itself
    return _Call(
        command,
        None if config is None else os.fspath(config),
        database_url,
        tuple(arguments),
        os.path.realpath("." if directory is None else directory),  # as the child will see it
        environ,
    )


def _up(call: _Call, child: "_Child") -> Outcome:
    try:
        found = settled(
            call.config, call.database_url, call.environ, call.directory, call.arguments
        )
    except Exception:  # noqa: BLE001 - whatever it is, the child meets it again and reports it
        found = None
    if found is None:
        return _carried_out(call, child)
    keep_secrets(found.target.parameters, *found.target.resolved.values())
    return Outcome(
        exit_code=0,
        database=Address(address=hidden(found.target.label), source=found.target.source),
        state="at-head",
        current=found.rows,
        remarks=tuple(map(hidden, found.remarks)),
    )


def _carried_out(call: _Call, child: "_Child") -> Outcome:
    answer = child.answer(call)
    outcome = _value(answer, Outcome) if "done" in answer else None
    if answer["exit_code"] or outcome is None:
        raise _error(answer, outcome)
    return outcome


def _looked(call: _Call, child: "_Child", kind: type[_P]) -> _P:
    answer = child.answer(call)
    if "plan" not in answer:
        raise _error(answer, None)
    return _value(answer, kind)


def _value(answer: Mapping[str, Any], kind: type[_T]) -> _T:
    import msgspec

    return msgspec.convert(answer, kind, dec_hook=_step)


def _step(_: type, given: Any) -> Step:
    import msgspec

    return msgspec.convert(given, STEPS[given["step"]])


def _error(answer: Mapping[str, Any], outcome: Outcome | None) -> Error:
    findings = _value(answer["findings"], tuple[Finding, ...])
    return Error(findings, answer["exit_code"], outcome)


class _Child:
    """The child process. `stop` may be called from any thread."""

    def __init__(self, stderr: Stream) -> None:
        self._stderr = stderr
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ask it to stop, as by SIGTERM: it ends with its report. Without effect afterwards."""
        with self._starting:
            self._stopped = True
            if self._process is not None:
                self._process.terminate()

    def answer(self, call: _Call) -> Mapping[str, Any]:
        """Return the object that it wrote at its end. Raises Error `account-missing`, OSError."""
        with _file() as file:
            code = self._run(call, file)
            file.seek(0)
            lines = file.read().split(b"\n")
        import msgspec

        last = next((line for line in reversed(lines) if line), b"")
        try:
            answer = msgspec.json.decode(last, type=dict[str, Any])
        except msgspec.DecodeError:  # nothing, truncated, or not surefoot's
            raise _no_account(code) from None
        # if the caller ignores SIGCHLD, the code is lost, and seems to be 0
        if "exit_code" not in answer or code not in (0, answer["exit_code"]):
            raise _no_account(code)
        return answer

    def _run(self, call: _Call, file: BinaryIO) -> int:
        """Run it; returns its exit code, negative for a signal."""
        import json
        import subprocess

        with self._starting:
            if self._stopped:
                raise InterruptedError("stopped before it was started")
            # -P: a module in the working directory must not shadow surefoot's or the library's
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", "-m", "surefoot", call.command, "--json", WORDS],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=self._stderr,
                cwd=call.directory,
                env=call.environ,
            )
        pipe = cast("IO[bytes]", process.stdin)  # open until its end: see system/caller.py
        try:
            with contextlib.suppress(BrokenPipeError):  # it has ended: the exit code says why
                pipe.write(json.dumps(call.words).encode() + b"\n")
                pipe.flush()
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            with contextlib.suppress(OSError):
                pipe.close()


def _file() -> BinaryIO:
    """Return the file for the child's answer.

    Not a pipe, which a process that the application's code leaves behind would hold open.
    """
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("surefoot"), "w+b")
    import tempfile

    return cast(BinaryIO, tempfile.TemporaryFile())


def _no_account(code: int) -> Error:
    import signal

    from surefoot.errors import CODES
    from surefoot.errors.steps import to_type

    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"returned {code}"
    name = "account-missing"
    finding = Finding(
        code=name,
        message="The process that ran surefoot for this application ended without reporting a "
        "result.",
        seen=(f"it {how}", "its earlier messages are in its log (standard error)"),
        database="Unknown: what was committed stays, and the server rolls back the rest.",
        next=to_type(
            "find out from the log why it ended; then check where the database stands",
            "surefoot status",
            then="surefoot up continues from there",
        ),
        exit_code=int(CODES[name]),
    )
    return Error((finding,), finding.exit_code)


async def _in_a_thread(work: Callable[[], _T], stop: Callable[[], None]) -> _T:
    """Do the work in a separate thread, which ends with it.

    A cancellation calls `stop`, and is raised when the work has ended.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    results: list[_T] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            errors.append(error)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=do, name="surefoot", daemon=True)
    thread.start()
    cancelled: BaseException | None = None
    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
            stop()
    thread.join()
    if cancelled is not None:
        raise cancelled
    if errors:
        raise errors[0]
    return results[0]
