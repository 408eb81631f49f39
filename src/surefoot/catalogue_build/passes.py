"""One replay in a separate process, as seen by the process that ordered it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from surefoot.catalogue.catalogue import Change, Downgrade, Origin
from surefoot.catalogue_build.messages import (
    Begun,
    DowngradeTrial,
    Ended,
    Finished,
    Message,
    Opened,
    Orders,
    ProbeFailed,
    Refused,
    ReplayStopped,
    Spoilt,
)
from surefoot.errors import Finding, SurefootError
from surefoot.model.target import Target
from surefoot.project.config import Project
from surefoot.system import signals

_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

Tell = Callable[[str, int, int], None]
"""Told of each revision that begins: its id, its number, how many there are."""


class Replayed(msgspec.Struct):
    """The result of one replay.

    `stopped` says why it did not reach its end, `failed` at which revision ("": before the first).
    `spoilt` is the revision whose downgrade has ruined the database: begin again without it.
    `refused` is what the application's code tried to reach outside the scratch server: revision
    and target, in words. `questions` are revisions that change only data and have no evidence
    probe, with a suggested one ("": none). `probes` are those that can't be executed, with the
    reason. `seconds` is how long it took.
    """

    opened: Opened
    changes: dict[str, tuple[Change, ...]] = {}
    downgrades: dict[str, Downgrade] = {}
    stopped: Finding | None = None
    failed: str = ""
    spoilt: str = ""
    refused: list[tuple[str, str]] = []
    questions: dict[str, str] = {}
    probes: dict[str, str] = {}
    seconds: float = 0.0


def relayed(line: str) -> None:
    """Print a line of the application's through surefoot's own stream, above its progress."""
    sys.stderr.write(line)


def _relay(stream: IO[bytes], said: Callable[[str], None]) -> None:
    for line in stream:
        said(line.decode("utf-8", "replace"))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield each line. Raises StopRequested after a signal."""
    while True:
        with signals.interruptible():
            line = stream.readline()
        if not line:
            return
        yield line


def replayed(
    project: Project,
    target: Target,
    tell: Tell,
    *,
    one_by_one: bool = False,
    downgrades: bool = False,
    passed_over: tuple[str, ...] = (),
    committing: tuple[str, ...] = (),
    upto: str | None = None,
    scripts: bool = True,
    whole_server: bool = False,
    seed: int = 1,
    origin: Origin | None = None,
    further: bool = False,
    said: Callable[[str], None] = relayed,
    began: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> Replayed:
    """Replay the revisions that are pending on `target`, to the heads or `upto` a revision.

    `seed` is that of Python's hashes, which decide the order of a set: differences between two
    replays with different seeds aren't deterministic. `origin`: the call with which the application
    first makes its tables without the history. `further`: an earlier replay has read the revisions'
    sources. `said` gets each line that the application prints, in another thread; `began` gets the
    process.

    Raises the SurefootError that ended it before the first revision.
    """
    orders = Orders(
        parameters=target.parameters,
        directory=str(Path.cwd()),
        config_file=str(project.file) if project.file else None,
        one_by_one=one_by_one,
        downgrades=downgrades,
        passed_over=passed_over,
        committing=committing,
        upto=upto,
        scripts=scripts,
        whole_server=whole_server,
        create=origin.create if origin else "",
        rows=origin.rows if origin else (),
        arguments=project.given,
        tenant=project.tenant,
        further=further,
    )
    started = time.monotonic()
    child = subprocess.Popen(
        # -P: no module of the application may replace one of Python's
        [sys.executable, "-P", "-m", "surefoot.catalogue_build.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
    )
    began(child)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    relay = threading.Thread(target=_relay, args=(child.stderr, said), daemon=True)
    relay.start()
    found: Replayed | None = None
    refused: list[tuple[str, str]] = []
    ended = False
    try:
        # a password goes through the pipe, because a process list shows arguments
        child.stdin.write(msgspec.json.encode(orders) + b"\n")
        child.stdin.close()
        for line in _lines(child.stdout):
            message: Message = _DECODER.decode(line)
            match message:
                case Opened():
                    found = Replayed(message)
                case Begun(revision):
                    assert found is not None
                    total = len(found.opened.order)
                    tell(revision, found.opened.order.index(revision) + 1, total)
                case Ended(revision, changes, question):
                    assert found is not None
                    found.changes[revision] = changes
                    if question is not None:
                        found.questions[revision] = question
                case ProbeFailed(revision, why):
                    assert found is not None
                    found.probes[revision] = why
                case Refused(revision, what):
                    refused.append((revision, what))
                case DowngradeTrial(revision, downgrade):
                    assert found is not None
                    found.downgrades[revision] = downgrade
                case ReplayStopped(revision, finding):
                    if found is None:
                        raise SurefootError.of(finding)
                    found.stopped, found.failed = finding, revision
                    ended = True
                case Spoilt(revision, downgrade):
                    assert found is not None
                    found.downgrades[revision], found.spoilt = downgrade, revision
                    ended = True
                case Finished():
                    ended = True
    finally:
        if child.poll() is None and not ended:
            child.terminate()
        child.stdout.close()
        child.wait()
        relay.join()
    if found is None or not ended:
        raise SurefootError(
            "application-environment-failed",
            "The process that ran the application's history ended early.",
            seen=[f"it returned {child.returncode}; its output is above"],
            database="Only a scratch database was touched.",
            next="check whether a revision or env.py calls sys.exit()",
        )
    found.refused = refused
    found.seconds = time.monotonic() - started
    return found
