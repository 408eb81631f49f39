"""A check of the preflight: what it is given, and what it finds."""

from collections.abc import Mapping

import msgspec

from surefoot.catalogue.match import Difference
from surefoot.errors import Finding
from surefoot.model.history import Revision
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.surroundings import Need, Surroundings
from surefoot.revision_source.source import Statement
from surefoot.schema.fact import Key


class Given(msgspec.Struct, frozen=True):
    """What every check may use."""

    path: UpgradePath | None
    """What the pending revisions do; None where no catalogue says it."""
    around: Surroundings
    """The server's answers."""
    live: Mapping[Key, str] = {}
    """The structure, without what another check has reported or a person has accepted."""
    needed: tuple[Need, ...] = ()
    """The privileges that `around` was asked for."""
    pieces: tuple[tuple[PathChange, ...], ...] = ()
    """The path in the transactions that it is run in."""
    differences: tuple[Difference, ...] = ()
    """What isn't as recorded."""
    nearer: str = ""
    """Which revisions the structure resembles more than the recorded ones, in words."""
    committing: frozenset[str] = frozenset()
    """The revisions that commit by themselves midway."""
    ids: tuple[str, ...] = ()
    """The revisions' ids that the version table must hold."""
    has_version_table: bool = False
    """Whether there is a version table."""
    statements: tuple[tuple[Revision, Statement], ...] = ()
    """What the pending revisions' sources do to indexes, in order."""
    going: frozenset[Key] = frozenset()
    """Names that are as good as gone."""
    schema: str = ""
    """Where names without a schema are made."""


class Found(msgspec.Struct, frozen=True):
    """What a check has found."""

    findings: tuple[Finding, ...] = ()
    """They stop whoever wants to upgrade this database."""
    of_role: tuple[Finding, ...] = ()
    """They stop only the role that would do it."""
    remarks: tuple[str, ...] = ()
    """They stop nobody."""
    reported: frozenset[Key] = frozenset()
    """Names that later checks needn't report again."""
