"""The files on which a look at the code relied, and one hash over their names and contents.

The quick look hashes them again and compares. It doesn't read revisions, so it works for every
history, however it is written. This module needs the standard library only.
"""

import os
import sys
from collections.abc import Iterable, Iterator

try:  # hashlib loads OpenSSL, which takes longer than all the hashing
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# At the end of a directory's path: including everything below it.
BELOW = "/**"
_CHUNK = 1 << 20


def digest(
    root: str,
    files: Iterable[str],
    directories: Iterable[str],
    arguments: Iterable[str],
    variables: Iterable[tuple[str, str]],
) -> str:
    """Return one hash over these files, Python files in these directories, and env.py's arguments.

    Names and contents count. Paths are absolute or relative to `root`; a missing file counts as
    missing. The installed packages count with their names and versions, and so do the `variables`
    that set keys of the configuration.
    """
    found = blake2b(digest_size=32)
    for name, content in _entries(root, files, directories):
        found.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    for argument in arguments:
        found.update(f"{argument}\0argument\n".encode("utf-8", "surrogateescape"))
    for name, value in variables:
        found.update(f"{name}\0{value!r}\n".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _entries(
    root: str, files: Iterable[str], directories: Iterable[str]
) -> Iterator[tuple[str, str]]:
    for name in files:
        yield name, _hash(os.path.join(root, name))
    for name in directories:
        top = os.path.join(root, name.removesuffix(BELOW))
        below = _tree(top) if name.endswith(BELOW) else [top]
        for directory in below:
            yield os.path.join(name, os.path.relpath(directory, top)), "directory"
            for file in _python_files(directory):
                yield file, _hash(os.path.join(directory, file))
    for package in sorted(_packages()):
        yield package, "installed"


def _hash(file: str) -> str:
    """Return the hash of a file's content; "missing" if it isn't a readable regular file."""
    if not os.path.isfile(file):
        return "missing"
    found = blake2b(digest_size=32)
    try:
        with open(file, "rb", buffering=0) as opened:
            while piece := opened.read(_CHUNK):
                found.update(piece)
    except OSError:
        return "missing"
    return found.hexdigest()


def _python_files(directory: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(".py"))
    except OSError:
        return []


def _tree(top: str) -> list[str]:
    """Return the directory and everything below it."""
    found: list[str] = []
    for directory, below, _ in os.walk(top, followlinks=True):
        below[:] = sorted(name for name in below if name != "__pycache__")
        found.append(directory)
    return found


def _packages() -> set[str]:
    """Return the installed packages with their versions, from where this Python finds them."""
    own = (sys.prefix, sys.base_prefix)
    found: set[str] = set()
    for entry in sys.path:
        installed = entry.endswith(("site-packages", "dist-packages")) and entry.startswith(own)
        if installed and os.path.isdir(entry):
            found.update(n for n in os.listdir(entry) if n.endswith((".dist-info", ".egg-info")))
    return found
