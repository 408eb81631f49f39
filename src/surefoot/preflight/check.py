"""A check of the preflight: its input and its results."""

from collections.abc import Mapping

import msgspec

from surefoot.catalogue.match import Difference
from surefoot.errors import Finding
from surefoot.model.history import Revision
from surefoot.preflight.created import Created
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.surroundings import Need, Surroundings
from surefoot.revision_source.source import Statement
from surefoot.schema.fact import Key


class Given(msgspec.Struct, frozen=True):
    """The input of every check."""

    path: UpgradePath | None
    """What the pending revisions do; None if no catalogue says it."""
    around: Surroundings
    """The server's answers."""
    live: Mapping[Key, str] = {}
    """The structure, without what another check has reported."""
    needed: tuple[Need, ...] = ()
    """The privileges that `around` was asked for."""
    pieces: tuple[tuple[PathChange, ...], ...] = ()
    """The path, split into the transactions in which it runs."""
    differences: tuple[Difference, ...] = ()
    """Differences from the recorded structure."""
    nearer: str = ""
    """The revisions that the structure resembles more than the recorded ones, in words."""
    committing: frozenset[str] = frozenset()
    """The revisions that commit by themselves midway."""
    ids: tuple[str, ...] = ()
    """The ids that the version table must hold."""
    has_version_table: bool = False
    """Whether there is a version table."""
    statements: tuple[tuple[Revision, Statement], ...] = ()
    """What the pending revisions' sources do to indexes, in order."""
    going: frozenset[Key] = frozenset()
    """Names that will be gone."""
    schema: str = ""
    """The schema of names without a schema."""
    accepted: frozenset[Key] = frozenset()
    """Names whose differences a person has accepted."""
    others: Mapping[Key, str] = {}
    """What another application's revision has made, with that revision in words."""
    histories: str = ""
    """Where other applications keep their histories, in words."""
    version_table: str = ""
    """This application's version table, with its schema."""
    creates: Created = frozenset()
    """What the pending revisions' sources certainly create without IF NOT EXISTS."""
    handling: frozenset[tuple[str, str]] = frozenset()
    """Which pending revisions mention a kind of object that no facts describe: id and kind."""
    mentioned: frozenset[str] = frozenset()
    """Such kinds that any file of the application mentions, if a schema is dropped."""
    renaming: frozenset[str] = frozenset()
    """The revisions that certainly rename the schema that they seem to drop."""


class Found(msgspec.Struct, frozen=True):
    """The results of a check."""

    findings: tuple[Finding, ...] = ()
    """They stop every upgrade of this database."""
    of_role: tuple[Finding, ...] = ()
    """They stop only the role that would do it."""
    remarks: tuple[str, ...] = ()
    """They stop nothing."""
    reported: frozenset[Key] = frozenset()
    """Names that later checks needn't report again."""
