"""A compose file's services as real containers, by podman-compose: no daemon, and no registry.

The compose file is used unchanged. Its `postgres` image is one of the tests': a server that does
with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB what the official image does. podman's health
checks need systemd, so services start without waiting for the server's; surefoot waits itself.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import Engine

_PACKAGE = "podman-compose==1.6.0"
_POSTGRES = "docker.io/library/postgres:17"
_PREFIX = re.compile(r"^(?:\x1b\[[\d;]*m)*\[([\w-]+)\] *\|(?:\x1b\[[\d;]*m)* ?", re.M)
# podman 4.3 can't start a container whose requirement requires another (compose orders them by
# itself), and takes one that was never started for a stopped one.
_PODMAN = """\
#!/bin/sh
for word; do
    shift
    case $word in --requires=*) ;; *) set -- "$@" "$word" ;; esac
done
if [ "$1 $2" = "wait --condition=stopped" ]; then
    shift 2
    for name; do
        until {podman} inspect --format '{{{{.State.Status}}}}' "$name" | grep -qx exited; do
            sleep 0.2
        done
    done
    exit
fi
exec {podman} "$@"
"""
_SERVER = """\
#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    initdb --encoding=UTF8 --locale=C.UTF-8 --username="$POSTGRES_USER" --pwfile=/tmp/password \\
        --auth-host=scram-sha-256 --auth-local=trust > /dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -w -o "-c listen_addresses=" start > /dev/null
    createdb --host=/tmp --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
    pg_ctl -w stop > /dev/null
fi
exec postgres -c listen_addresses='*'
"""
# {programs} is an image with the embedded server's.
_DOCKERFILE = """\
FROM {programs}
USER root
COPY server.sh /server.sh
RUN ln -s "$(python -c 'from surefoot.server import embedded_bin; print(embedded_bin())')" \\
    /usr/local/pg && useradd --system postgres && install -d -m 700 -o postgres \\
    /var/lib/postgresql/data
ENV PATH=/usr/local/pg:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
USER postgres
WORKDIR /
ENTRYPOINT ["sh", "/server.sh"]
CMD []
"""


class Logs:
    """The output of `compose up`."""

    def __init__(self, file: Path, process: subprocess.Popen[bytes]) -> None:
        self._file, self._process = file, process

    def of(self, service: str) -> str:
        """Return what a service has printed, without compose's prefix."""
        lines = self._file.read_text("utf-8", "replace").splitlines()
        found = ((_PREFIX.match(line), line) for line in lines)
        kept = (line[one.end() :] for one, line in found if one and one[1] == service)
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(kept))

    def until(self, service: str, text: str, seconds: float = 90) -> str:
        """Wait until a service prints this. Raises AssertionError after `seconds`."""
        end = time.monotonic() + seconds
        while text not in self.of(service):
            said = self._file.read_text("utf-8", "replace")
            assert time.monotonic() < end, f"{service} did not print {text!r}:\n{said}"
            assert self._process.poll() is None, f"compose ended before {text!r}:\n{said}"
            time.sleep(0.1)
        return self.of(service)


class Compose:
    """The project in a directory."""

    def __init__(self, engine: Engine, cache: Path, project: Path) -> None:
        self._engine, self._project = engine, project
        self._program = _program(cache)
        podman = project.parent / "podman"
        podman.write_text(_PODMAN.format(podman=engine.command_line), encoding="utf-8")
        podman.chmod(0o755)
        # without a pod, each service has a network of its own, as with Docker
        self._options = ["--podman-path", str(podman), "--in-pod", "false"]

    def call(self, *arguments: str) -> str:
        """Run `compose ARGUMENTS`. Raises RuntimeError with its output."""
        return self._engine.call(str(self._program), *self._options, *arguments, cwd=self._project)

    def build(self) -> None:
        """`compose build`."""
        given = "--isolation chroot --network host --pull=never"
        self.call("--podman-build-args", given, "build")

    def psql(self, statement: str) -> str:
        """Run a statement in the server's container."""
        client = ("psql", "-h", "/tmp", "-U", "whisperengine", "-qAt", "-c", statement)
        return self.call("exec", "-T", "postgres", *client).strip()

    @contextmanager
    def up(self) -> Iterator[Logs]:
        """`compose up`; at the end `compose down`, which leaves the volume."""
        file = self._project.parent / "up.log"
        with file.open("wb") as output:
            process = subprocess.Popen(
                [self._program, *self._options, "up", "--no-build"],
                cwd=self._project,
                env=self._engine.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Logs(file, process)
        finally:
            self.call("down", "--timeout", "5")
            process.wait(60)


def server_image(engine: Engine, programs: str, made: Path) -> None:
    """Build the server's image, from an image with PostgreSQL's programs."""
    context = made / "postgres"
    context.mkdir()
    (context / "server.sh").write_text(_SERVER, encoding="utf-8")
    engine.build(_POSTGRES, context, _DOCKERFILE.format(programs=programs))


def _program(cache: Path) -> Path:
    """podman-compose, from the PATH or from PyPI. Raises RuntimeError if pip can't fetch it."""
    named = shutil.which("podman-compose")
    if named is not None:
        return Path(named)
    venv = cache / "compose"
    if not (venv / "bin" / "podman-compose").exists():
        for command in (
            [sys.executable, "-m", "venv", str(venv)],
            [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", _PACKAGE],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return venv / "bin" / "podman-compose"
