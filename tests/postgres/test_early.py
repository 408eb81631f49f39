"""The further replays of a build run at the same time, and its result is the same as without."""

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.project import Application, Running

FILE = "migrations/surefoot-catalog.txt"

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="this machine has one processor, or doesn't say how many",
)

# The first replay is alone. Each of the others waits for another one, here or not.
TOGETHER = """\
import os, time
from pathlib import Path
here = Path("here")
op.execute("create role reader nologin")
if not here.exists():
    here.mkdir()
else:
    (here / str(os.getpid())).touch()
    limit = time.monotonic() + 60
    while len(list(here.iterdir())) < 2:
        assert time.monotonic() < limit, "no other replay came"
        time.sleep(0.01)
"""
ONE_FAILS = """
    both = sorted(int(file.name) for file in here.iterdir())
    assert len(both) > 2 or os.getpid() == both[0], "another replay is in the way"
"""
NEVER_ENDS = """
    time.sleep(600)
"""


@contextmanager
def one_processor() -> Generator[None, None, None]:
    """For the runs that start within."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def history(application: Application, body: str) -> None:
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", body=body)
    application.revision("r3", "r2", "create index people_name on people (name)")


def built(application: Application, pg_bin: Path) -> str:
    """Build with a server that surefoot starts, and return the file."""
    command = ("catalog", "build", "--no-downgrade", "--server", str(pg_bin))
    done = application.run(*command, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.code == 0, done.err
    assert "fails" not in done.err
    assert "the history in another schema: 3 revisions" in done.err
    assert "the history, one revision per run: 3 revisions" in done.err
    return (application.root / FILE).read_text()


@pytest.mark.slow
@several
def test_two_replays_meet_and_the_catalogue_is_that_of_one_after_the_other(
    application: Application, pg_bin: Path
) -> None:
    """Each makes the same role, which belongs to a whole server."""
    history(application, TOGETHER)
    together = built(application, pg_bin)
    assert len(list((application.root / "here").iterdir())) == 2
    for file in (application.root / "here").iterdir():
        file.unlink()
    (application.root / "here").rmdir()
    (application.root / FILE).unlink()
    (application.root / "here").mkdir()
    for name in ("one", "two"):  # now none waits
        (application.root / "here" / name).touch()
    with one_processor():
        assert built(application, pg_bin) == together


@pytest.mark.slow
@several
def test_a_replay_that_fails_beside_another_is_run_again_alone(
    application: Application, pg_bin: Path
) -> None:
    history(application, TOGETHER + ONE_FAILS)
    text = built(application, pg_bin)
    assert len(list((application.root / "here").iterdir())) == 3
    assert "\n? " not in text


@pytest.mark.slow
@several
def test_a_stopped_build_leaves_no_replay_behind(application: Application, pg_bin: Path) -> None:
    history(application, TOGETHER + NEVER_ENDS)
    here = application.root / "here"
    running = Running(application, "catalog", "build", "--no-downgrade", "--server", str(pg_bin))
    limit = time.monotonic() + 60
    while not here.exists() or len(list(here.iterdir())) < 2:
        assert time.monotonic() < limit
        time.sleep(0.02)
    running.signal(signal.SIGTERM)
    assert running.end().error == "interrupted"
    for file in here.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name), 0)
