"""A script's file, read once: its hashes, and the header if `surefoot dump` wrote it."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from surefoot.scripts.header import FIRST, ContentHash, Header, split_header
from surefoot.system.files import open_file

_CHUNK = 1 << 18


class Hashed(NamedTuple):
    """A script's hashes.

    `sha256` is of the file's bytes. `content` is of what follows the header (of everything, without
    one), independent of line ends.
    """

    sha256: str
    content: str
    header: Header | None

    @property
    def edited(self) -> bool:
        """Whether it differs from what its header says."""
        return self.header is not None and self.header.content != self.content


def sha256_of(path: Path) -> str:
    """Return the hash of the file's bytes. Raises OSError."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashed(path: Path, name: str) -> Hashed:
    """Hash a file.

    Raises OSError, and SurefootError `init-script-header-invalid`, which calls it `name`.
    """
    whole, content = hashlib.sha256(), ContentHash()
    with open_file(path) as file:
        piece = file.read(FIRST)
        whole.update(piece)
        found = split_header(piece, name)
        header, rest = found if found is not None else (None, piece)
        content.update(rest)
        while piece := file.read(_CHUNK):
            whole.update(piece)
            content.update(piece)
    return Hashed(whole.hexdigest(), content.hexdigest(), header)
