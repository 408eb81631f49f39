"""Find PgBouncer: this machine's own, or Debian's, unpacked below .cache/.

apt keeps its lists and the packages there too, so no root is needed and nothing is installed.
"""

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SUREFOOT_CACHE") or ROOT / ".cache")

_APT = """\
Dir::State "{home}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{home}/packages";
Debug::NoLocking "1";
APT::Sandbox::User "";
Acquire::Retries "1";
Acquire::http::Timeout "20";
"""


class NotHere(Exception):
    """There is no PgBouncer, and it can't be fetched; the message says why."""


@dataclass(frozen=True)
class Program:
    """The program, and the directories of libraries that this machine may lack."""

    path: Path
    libraries: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        found = {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}
        return {**os.environ, **found}

    def version(self) -> tuple[int, ...]:
        """The version, as in 1.18.0. Raises NotHere if the program doesn't run."""
        said = _run(str(self.path), "--version", environment=self.environment)
        return tuple(int(part) for part in said.split()[1].split("."))


def program(*, cache: Path = CACHE, on_path: bool = True) -> Program:
    """Return a PgBouncer that runs: from PATH, or (fetched once) from `cache`. Raises NotHere."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    installed = shutil.which("pgbouncer", path=places) if on_path else None
    if installed is not None:
        return Program(Path(installed))
    home = cache / "pgbouncer"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:  # several test processes may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "root").exists():
            _fetch(home)
    libraries = next((home / "root" / "usr" / "lib").glob("*-linux-*"), None)
    return Program(home / "root" / "usr" / "sbin" / "pgbouncer", libraries)


def _fetch(home: Path) -> None:
    """Unpack Debian's package, and the libraries that it needs, into `home`/root."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotHere("pgbouncer isn't on PATH, and without apt-get it can't be fetched")
    for directory in ("state/lists/partial", "packages/archives/partial"):
        (home / directory).mkdir(parents=True, exist_ok=True)
    configuration = home / "apt.conf"
    configuration.write_text(_APT.format(home=home))
    apt = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
    _run("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", environment=apt)
    depends = _run("apt-cache", "depends", "--important", "pgbouncer", environment=apt)
    names = [line.split()[-1] for line in depends.splitlines() if "Depends: lib" in line]
    wanted = ["pgbouncer", *(name for name in names if name != "libc6")]
    packages = home / "packages"
    _run("apt-get", "download", "-q", *wanted, environment=apt, directory=packages)
    beside = home / "unpacked"
    shutil.rmtree(beside, ignore_errors=True)
    for package in sorted(packages.glob("*.deb")):
        _run("dpkg-deb", "-x", str(package), str(beside))
    # older packages have libraries in /lib, newer ones in /usr/lib
    if (beside / "lib").is_dir() and not (beside / "lib").is_symlink():
        shutil.copytree(beside / "lib", beside / "usr" / "lib", symlinks=True, dirs_exist_ok=True)
    beside.rename(home / "root")
    shutil.rmtree(home / "state")
    shutil.rmtree(packages)


def _run(*command: str, environment: dict[str, str] | None = None, directory: Path = ROOT) -> str:
    """Return a command's output. Raises NotHere with its last lines."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"pgbouncer can't be had: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise NotHere(f"pgbouncer can't be had: {' '.join(command[:2])}: {' '.join(words)}")
    return done.stdout
