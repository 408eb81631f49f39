"""An application's Alembic history as a value: revisions, how they hang together, its heads."""

from collections.abc import Iterable

import msgspec


class Revision(msgspec.Struct, frozen=True):
    """One revision file.

    `parents` are its down_revisions, `depends_on` what it needs besides, both as full ids.
    `message` is the first line of its docstring. `release` is the application's release that ends
    with it, where the file says so. `path` is the file's name, for messages. `sha256` is its
    content's hash, None where only a quick look was taken.
    """

    id: str
    parents: tuple[str, ...]
    depends_on: tuple[str, ...]
    message: str
    release: str | None
    path: str
    sha256: str | None = None


class History(msgspec.Struct, frozen=True):
    """Every revision of the application's code, by id."""

    revisions: dict[str, Revision]

    @property
    def heads(self) -> tuple[str, ...]:
        """The revisions that no other revises, sorted."""
        return self._not_in(parent for r in self.revisions.values() for parent in r.parents)

    @property
    def stored_heads(self) -> tuple[str, ...]:
        """The heads that the version table holds at the end: those that no other depends on.

        Alembic leaves out a head that an applied revision depends on; it's implied.
        """
        used = [(*r.parents, *r.depends_on) for r in self.revisions.values()]
        return self._not_in(name for names in used for name in names)

    def _not_in(self, used: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(self.revisions.keys() - set(used)))

    def at_head(self, rows: Iterable[str | None]) -> bool:
        """Whether these version rows say that everything is applied."""
        found = set(rows)
        return found >= set(self.stored_heads) and found <= set(self.heads) and bool(found)

    def unknown(self, rows: Iterable[str | None]) -> tuple[str, ...]:
        """The version rows that no revision file defines, as text; a NULL is "NULL"."""
        return tuple(str(row or "NULL") for row in rows if row not in self.revisions)

    def overlapping(self, rows: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Pairs of version rows of which the first is already implied by the second."""
        found = sorted(set(rows))
        return tuple(
            (older, newer)
            for newer in found
            for older in found
            if older != newer and older in self._lineage(newer)
        )

    def _lineage(self, revision: str) -> set[str]:
        """Every ancestor by down_revision; a dependency may legitimately have a row of its own."""
        seen: set[str] = set()
        todo = list(self.revisions[revision].parents)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(self.revisions[name].parents)
        return seen
