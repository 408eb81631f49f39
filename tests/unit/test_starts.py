"""A forked run is what a run that starts from nothing is: see tests/starts."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import starts
from tests.starts.forked import Forked

# What a process can know of itself, but for what differs from one to the next anyway.
KNOWS = """
import asyncio, locale, os, random, signal, sys, threading, warnings
from pathlib import Path
print(sys.argv, sys.path, sys.flags, sys.orig_argv, sorted(sys.modules["__main__"].__dict__))
print(sorted(os.environ.items()), os.getcwd(), os.getpgid(0) == os.getpid(), os.umask(0))
streams = sys.stdin, sys.stdout, sys.stderr
print(sorted(os.listdir("/proc/self/fd")), sys.stdout.line_buffering)
print([(s.encoding, s.errors) for s in streams])
print([str(signal.getsignal(n)).split(" at ")[0] for n in sorted(signal.valid_signals())])
print(threading.active_count(), threading.current_thread().name, locale.getlocale())
for name in ("cmdline", "environ"):
    print(Path("/proc/self", name).read_bytes().rstrip(b"\\0").split(b"\\0")[-2:])
print([m for m in sys.modules if m.startswith(("tests", "server"))])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), sys.dont_write_bytecode)
"""


def both(*arguments: str, cwd: Path, **environ: str) -> list[tuple[int, str, str]]:
    """Code, output and errors of a forked run, and of a real one."""
    ends: list[tuple[int, str, str]] = []
    for real in (False, True):
        env = {**os.environ, **environ}
        done = starts.run(*arguments, cwd=cwd, env=env, input="", real=real)
        ends.append((done.returncode, done.stdout, done.stderr))
    return ends


def test_what_it_knows_of_itself(tmp_path: Path) -> None:
    forked, real = both("-c", KNOWS, "one", "two", cwd=tmp_path, SOME="thing")
    assert forked[0] == 0, forked[2]
    assert forked[1].splitlines() == real[1].splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit",
        "raise SystemExit(7)",
        "raise SystemExit(300)",
        "raise SystemExit('why')",
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit; atexit.register(print, 'the end')",
        "import threading, time\n"
        "threading.Thread(target=lambda: time.sleep(0.1) or print('late')).start()",
        "import sys; sys.stdout.close()",
        "import os; os._exit(3)",
        "print(input())",
    ],
)
def test_how_it_ends(tmp_path: Path, text: str) -> None:
    """The same code and output, and the same last words."""
    (code, out, err), real = both("-c", text, cwd=tmp_path)
    assert (code, out, err.splitlines()[-1:]) == (*real[:2], real[2].splitlines()[-1:])


@pytest.mark.parametrize(
    "command", ["--version", "up", "status --json", "plan", "explain unknown-revision", "nonsense"]
)
def test_a_command(tmp_path: Path, command: str) -> None:
    """In a directory without a history, to the letter."""
    forked, real = both("-m", "surefoot", *command.split(), cwd=tmp_path)
    assert forked == real


def test_it_is_killed_and_stays_until_it_is_asked() -> None:
    """As with every process: its number and its group are nobody else's before."""
    process = starts.start("-c", "import time; time.sleep(60)", start_new_session=True)
    assert isinstance(process, Forked) is starts.may_be_forked(("-c", ""), Path(), os.environ)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
        pass
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=20) == -signal.SIGKILL
    assert not Path(f"/proc/{process.pid}").exists()


def test_one_that_takes_too_long() -> None:
    process = starts.start("-c", "import time; time.sleep(60)", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.1)
    process.kill()
    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == -signal.SIGKILL


def test_what_is_not_forked(tmp_path: Path) -> None:
    """Where a start sees what a fork would not: other modules, other variables of Python's."""
    run = ("-m", "surefoot", "up")
    here = dict(os.environ)
    forkable = os.environ.get("SUREFOOT_TEST_STARTS") != "real"
    assert starts.may_be_forked(run, tmp_path, here) is forkable
    assert not starts.may_be_forked(run, tmp_path, {**here, "PYTHONPATH": "."})
    assert not starts.may_be_forked(run, tmp_path, {**here, "PSYCOPG_IMPL": "python"})
    assert not starts.may_be_forked((*run, "--", "true"), tmp_path, here)
    assert not starts.may_be_forked(("-m", "flask"), tmp_path, here)
    (tmp_path / "click.py").touch()
    assert not starts.may_be_forked(run, tmp_path, here)
