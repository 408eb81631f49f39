"""`catalog learn`: write down the structure of an existing database, as an origin."""

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Match
from surefoot.catalogue.variants import recognised
from surefoot.catalogue_build.pg_dump import dumped, find_pg_dump
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.printable import quoted_identifier
from surefoot.look.structure import observe_structure
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.schema.names import schema_of


class Learned(msgspec.Struct, frozen=True):
    """A database's structure as a script, and how it differs from a revision's.

    `own` are objects that no revision makes: they are in the script, and may be the user's.
    """

    script: bytes
    held: Match
    own: tuple[str, ...]


def learn(
    target: Target, catalogue: Catalogue, rows: tuple[str, ...], version_table: VersionTableName
) -> Learned:
    """Look at the database and dump its structure, without data, version table and journal.

    `rows` is the revision that it stands for. Raises SurefootError as `connect` does,
    `pg-dump-missing`, `dump-failed`, `nothing-to-compare`.
    """
    with connect(target, wait=10, say=lambda _: None) as connection:
        facts = recognised(catalogue, observe_structure(connection, version_table))
        program = find_pg_dump(None, connection.info.server_version)
    identifier = Identifier(catalogue, facts)
    held = identifier.stand(catalogue.history.applied(rows))
    standing = identifier.standing()
    if held is None or not standing.taken:
        raise SurefootError(
            "nothing-to-compare",
            "That database contains nothing of the application.",
            seen=["none of the names that revisions make is there"],
            next="give --from the address of a database that the application has made",
        )
    others = sorted({schema_of(fact.kind, fact.name) for fact in identifier.beside} - {""})
    schema = quoted_identifier(version_table.schema) if version_table.schema else "*"
    table = quoted_identifier(version_table.name)
    options = ["--schema-only", f"--exclude-table={schema}.{table}"]
    options += [f"--exclude-schema={quoted_identifier(name)}" for name in others]
    return Learned(dumped(program, target, *options), held, standing.own_objects)
