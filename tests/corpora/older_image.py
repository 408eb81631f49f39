"""The older image of a real application: the same one, without the files of its newer revisions."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import msgspec
from environments import Failed
from run import create_database, timed

from surefoot.catalogue.catalogue import Catalogue, Way
from surefoot.catalogue.write import dumps
from surefoot.model.history import History
from surefoot.postgres.embedded import Server


class OlderImage:
    """An installed application whose newest revision files are put aside, one after the other."""

    def __init__(
        self,
        made: Path,
        work: Path,
        variables: dict[str, str],
        server: Server,
        database: str,
        catalogue: Catalogue,
    ) -> None:
        self._program, self._work, self._server = made / "bin" / "surefoot", work, server
        self._database, self._catalogue = database, catalogue
        self._variables = {**variables, "SUREFOOT_DATABASE_URL": server.url(database)}
        self._files = _revision_files(
            next((made / "lib").glob("python3*/site-packages")), catalogue
        )
        self._aside = work / "aside"
        self._aside.mkdir()
        self._committed = next(work.rglob("surefoot-catalog.txt"))

    def put_aside(self, id: str) -> None:
        """From now on this revision, the newest one, is unknown to the code and its catalogue."""
        shutil.move(self._files[id], self._aside / self._files[id].name)
        self._catalogue = without(self._catalogue, id)
        self._committed.write_text(dumps(self._catalogue), encoding="utf-8")

    def restore(self) -> None:
        """Put every file back."""
        for file in self._files.values():
            if (self._aside / file.name).exists():
                shutil.move(self._aside / file.name, file)

    def up(self) -> None:
        """Bring an empty database to this image's head."""
        create_database(self._server, self._database)
        timed([str(self._program), "up"], self._work, self._variables)

    def down(self) -> None:
        """Take back what this image doesn't know. Raises Failed."""
        words = ["down", "--to", "head", "--accept-data-loss", "--trust-journal", "--yes"]
        timed([str(self._program), *words], self._work, self._variables)


@contextmanager
def restored(image: OlderImage) -> Generator[OlderImage, None, None]:
    """Whatever happens, the installed application is whole afterwards."""
    try:
        yield image
    finally:
        image.restore()


def _revision_files(site: Path, catalogue: Catalogue) -> dict[str, Path]:
    """Each revision's file, by name and content: two histories may have equal names."""
    there: dict[str, list[Path]] = {}
    for file in site.rglob("*.py"):
        there.setdefault(file.name, []).append(file)
    same = {
        id: [f for f in there.get(revision.path, ()) if _sha256(f) == revision.sha256]
        for id, revision in catalogue.history.revisions.items()
    }
    # of two files that are the same (another database's history), the one among the others
    homes = Counter(files[0].parent for files in same.values() if len(files) == 1)
    found: dict[str, Path] = {}
    for id, files in same.items():
        if not files:
            raise Failed(f"the file of {id} is not known")
        found[id] = max(files, key=lambda file: homes[file.parent])
    return found


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def without(catalogue: Catalogue, *removed: str) -> Catalogue:
    """The catalogue as it was before these revisions."""

    def kept(ids: Iterable[str]) -> list[str]:
        return [id for id in ids if id not in removed]

    history = catalogue.history.revisions
    return msgspec.structs.replace(
        catalogue,
        history=History({id: history[id] for id in kept(history)}),
        ways=tuple(
            Way(w.name, w.start, w.initial, {id: w.changes[id] for id in kept(w.changes)})
            for w in catalogue.ways
        ),
        downgrades={id: catalogue.downgrades[id] for id in kept(catalogue.downgrades)},
    )
