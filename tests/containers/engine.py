"""Images built and containers run without a daemon: buildah, podman and runc, as root.

A Dockerfile is used unchanged. Where the machine has no image for its FROM line, one of Debian with
Python is made and gets that name: what is shown here does not depend on the Python version.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# What `make containers` needs besides Python; Debian's packages have these names.
PROGRAMS = ("buildah", "podman", "runc", "debootstrap", "netavark", "aardvark-dns", "iptables")
BASE = "docker.io/library/python:3.13-slim"
_DEBIAN = "bookworm"
_PACKAGES = "python3,python3-pip,python3-venv,python-is-python3,ca-certificates"
# As root without systemd, runc may not raise its own limits.
_LIMITS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
"""


class Container:
    """A container that runs. Its output goes to a file as long as it lives."""

    def __init__(self, engine: "Engine", name: str, process: subprocess.Popen[str], log: Path):
        self._engine, self.name, self._process, self._log = engine, name, process, log

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text("utf-8", "replace")

    def until(self, text: str, seconds: float = 60) -> None:
        """Wait until this is printed. Raises AssertionError if it isn't within `seconds`."""
        end = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < end, f"{text!r} was not printed:\n{self.output}"
            assert self._process.poll() is None, f"ended before {text!r}:\n{self.output}"
            time.sleep(0.05)

    def stop(self, seconds: int = 30) -> None:
        """SIGTERM to process 1, and SIGKILL if it is still there after `seconds`."""
        self._engine.podman("stop", "--time", str(seconds), self.name)

    def end(self, seconds: float = 120) -> "Ended":
        """Wait for its end."""
        code = self._process.wait(seconds)
        return Ended(code, self.output)


class Ended:
    """The exit code, and the whole output in one text."""

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output = code, output

    @property
    def words(self) -> str:
        """The output with every white space as one blank."""
        return " ".join(self.output.split())


class Engine:
    """Images and containers in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        limits = directory / "containers.conf"
        limits.write_text(_LIMITS, encoding="utf-8")
        self.environ = {**os.environ, "CONTAINERS_CONF": str(limits), "STORAGE_DRIVER": "vfs"}
        self._storage = ["--root", str(directory / "storage"), "--runroot", str(directory / "run")]
        self._number = 0

    @property
    def command_line(self) -> str:
        """podman with this store, for a shell."""
        words = ["podman", *self._storage, "--runtime=runc", "--cgroup-manager=cgroupfs"]
        return shlex.join(words)

    def podman(self, *arguments: str) -> str:
        return self.call("podman", *self._storage, "--cgroup-manager=cgroupfs", *arguments)

    def buildah(self, *arguments: str) -> str:
        return self.call("buildah", *self._storage, *arguments)

    def has(self, image: str) -> bool:
        """Whether there is an image of this name."""
        command = ["buildah", *self._storage, "inspect", "--type", "image", image]
        return not subprocess.run(
            command, env=self.environ, capture_output=True, check=False
        ).returncode

    def make_base(self) -> None:
        """Debian's Python under the name of `BASE`, unless it is there."""
        if self.has(BASE):
            return
        with tempfile.TemporaryDirectory(dir=self._directory) as made:
            root = Path(made) / "root"
            include = f"--include={_PACKAGES}"
            self.call("debootstrap", "--variant=minbase", include, _DEBIAN, str(root))
            for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
                marker.unlink()  # as in an image of Python's own
            _like_this_machine(root)
            container = self.buildah("from", "scratch").strip()
            self.buildah("copy", "--quiet", container, str(root), "/")
            for name, value in os.environ.items():
                if name.startswith("PIP_"):
                    self.buildah("config", "--env", f"{name}={value}", container)
            self.buildah("commit", "--quiet", container, BASE)
            self.buildah("rm", container)

    def build(self, image: str, context: Path, dockerfile: str | None = None) -> None:
        """`docker build` of the directory, with its own Dockerfile or this text."""
        arguments = ["--isolation", "chroot", "--network", "host", "--pull-never", "--quiet"]
        if dockerfile is not None:
            file = self._directory / "Dockerfile"
            file.write_text(dockerfile, encoding="utf-8")
            arguments += ["--file", str(file)]
        self.buildah("bud", *arguments, "--tag", image, str(context))

    def start(
        self,
        image: str,
        *command: str,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> Container:
        """`docker run`, on the host's network; without a command, the image's own."""
        self._number += 1
        name = f"surefoot-{os.getpid()}-{self._number}"
        log = self._directory / f"{name}.log"
        variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
        line = ["podman", *self._storage, "--runtime=runc", "--cgroup-manager=cgroupfs"]
        line += ["run", "--rm", f"--name={name}", "--network=host", "--pull=never"]
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [*line, *variables, *options, image, *command],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return Container(self, name, process, log)

    def run(
        self,
        image: str,
        *command: str,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> Ended:
        """The same, to its end."""
        return self.start(image, *command, env=env, options=options).end()

    def call(self, *command: str, cwd: Path | None = None) -> str:
        """Run a program with the engine's settings. Raises RuntimeError with its output."""
        done = subprocess.run(
            command, cwd=cwd, env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout


def missing() -> list[str]:
    """What this machine lacks of `PROGRAMS`, and "root" where this isn't."""
    found = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    return found if os.geteuid() == 0 else [*found, "root"]


_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/lib/podman"))


def _like_this_machine(root: Path) -> None:
    """pip in the image finds packages where pip here does."""
    for name in ("etc/pip.conf", "etc/xdg/pip", "etc/ssl/certs/ca-certificates.crt"):
        here = Path("/") / name
        there = root / name
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        elif here.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, there)
