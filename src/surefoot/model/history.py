"""An application's Alembic history as a value: revisions, their dependencies, the heads."""

from collections.abc import Iterable

import msgspec

from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type


class Revision(msgspec.Struct, frozen=True):
    """One revision file.

    `parents` are its down_revisions, `depends_on` its other dependencies, both as full ids.
    `message` is the first line of its docstring. `release` is the application's release that ends
    with it, if the file names one. `path` is the file's name, for messages. `sha256` is the hash of
    its content, `evidence` its evidence probe if it has one, and `floor` the oldest release or
    revision whose code can run on a database at this revision, if the file says so; the quick look
    leaves these three None. `resumable`: the file says that it can run again from wherever it was
    cut off. `tree` is the hash of what the file does, including the project's modules that it
    imports; `uses` are those modules, each name with the hash of its bytes. Both are set only in a
    catalogue, and where the code is compared with one.
    """

    id: str
    parents: tuple[str, ...]
    depends_on: tuple[str, ...]
    message: str
    release: str | None
    path: str
    sha256: str | None = None
    evidence: str | None = None
    floor: str | None = None
    resumable: bool = False
    tree: str | None = None
    uses: tuple[tuple[str, str], ...] = ()


class History(msgspec.Struct, frozen=True):
    """Every revision of the application's code, by id."""

    revisions: dict[str, Revision]

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the revisions that no other revises, sorted."""
        return self._not_in(parent for r in self.revisions.values() for parent in r.parents)

    @property
    def stored_heads(self) -> tuple[str, ...]:
        """Return the heads that the version table stores at the end: those that no other depends
        on.

        Alembic omits a head that an applied revision depends on, because it is implied.
        """
        return self._not_in(name for r in self.revisions for name in self.below(r))

    def _not_in(self, used: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(self.revisions.keys() - set(used)))

    def at_head(self, rows: Iterable[str | None]) -> bool:
        """Whether these version rows say that everything is applied."""
        found = set(rows)
        return found >= set(self.stored_heads) and found <= set(self.heads) and bool(found)

    @property
    def branching(self) -> tuple[str, ...]:
        """Return the revisions with more than one child, and "" if there is more than one base."""
        used: dict[str, int] = {}
        for revision in self.revisions.values():
            for name in self.below(revision.id) or ("",):
                used[name] = used.get(name, 0) + 1
        return tuple(sorted(name for name, number in used.items() if number > 1))

    def below(self, revision: str) -> tuple[str, ...]:
        """Return what must be applied before a revision: its parents, then its dependencies."""
        found = self.revisions[revision]
        return (*found.parents, *found.depends_on)

    def applied(self, rows: Iterable[str]) -> frozenset[str]:
        """Return every revision that these version rows name or imply."""
        seen: set[str] = set()
        todo = list(rows)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(self.below(name))
        return frozenset(seen)

    def rows(self, applied: Iterable[str]) -> tuple[str, ...]:
        """Return the version rows that Alembic would store for these applied revisions, sorted."""
        found = set(applied)
        return tuple(sorted(found - {name for r in found for name in self.below(r)}))

    def in_order(self) -> tuple[str, ...] | None:
        """Return the ids, each after all that it needs, otherwise in the order of `revisions`.

        None if there is no such order.
        """
        found: dict[str, None] = {}
        left = list(self.revisions)
        while left:
            later: list[str] = []
            for name in left:
                if all(below in found for below in self.below(name)):
                    found[name] = None
                else:
                    later.append(name)
            if len(later) == len(left):
                return None
            left = later
        return tuple(found)

    def named(self, word: str) -> tuple[str, ...]:
        """Find the revisions that a person means by an id, its beginning, a release, "head" or
        "base".

        If nothing matches, (). If several ids begin so, all of them. "base" is before the first
        revision, so it is (), too.
        """
        if word in self.revisions:
            return (word,)
        if word in ("head", "heads"):
            return self.heads
        released = tuple(id for id, r in self.revisions.items() if r.release == word)
        return released or tuple(id for id in self.revisions if id.startswith(word))

    def is_base(self, words: tuple[str, ...]) -> bool:
        """Whether a person's words mean the state before the first revision."""
        return words == ("base",) and "base" not in self.revisions

    def unknown(self, rows: Iterable[str | None]) -> tuple[str, ...]:
        """Return the version rows that no revision file defines, as text; a NULL becomes "NULL"."""
        return tuple(str(row or "NULL") for row in rows if row not in self.revisions)

    def overlapping(self, rows: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return pairs of version rows of which the second implies the first."""
        found = sorted(set(rows))
        return tuple(
            (older, newer)
            for newer in found
            for older in found
            if older != newer and older in self.applied((newer,))
        )


def one_revision(history: History, word: str) -> str:
    """Find the one revision that a person means. Raises SurefootError `revision-not-found`."""
    found = history.named(word) if word else ()
    if len(found) == 1:
        return found[0]
    raise SurefootError(
        "revision-not-found",
        f"{word} is more than one revision." if found else f"There is no revision {word}.",
        seen=[f"{id}  {history.revisions[id].message}" for id in found[:8]],
        next=to_type(
            "list the revisions, and name one by its id, the beginning of its id, or its release",
            "surefoot catalog show",
        ),
    )


def applied_at(history: History, word: str) -> frozenset[str]:
    """Return what is applied at the revision that a person names, or at head or base.

    Raises SurefootError `revision-not-found`.
    """
    if word in ("base", "head", "heads") and word not in history.revisions:
        return history.applied(history.named(word) if word != "base" else ())
    return history.applied((one_revision(history, word),))
