"""Whose is what a query of the operator's or the maintainer's calls by itself?"""

from collections.abc import Iterator

import pytest

from surefoot.errors import SurefootError
from surefoot.look.sources import require_trusted_sources
from surefoot.postgres.embedded import Server
from tests.postgres.test_identify import DRIVER, EVIDENCE, catalogue, data_only, lose_version_row
from tests.support.database import Database
from tests.support.next_steps import steps_of
from tests.support.planted import HIT, ROLE, Planted, role_of_a_stranger
from tests.support.project import Application

SCHEMA = f"{ROLE}; grant usage on schema {ROLE} to public"
FUNCTION = """create function {name}(integer, {type}) returns boolean language plpgsql immutable as
    $$ begin perform mallory.hit('{name}'); return true; end $$"""
OPERATOR = "create operator {name} (function = {function}, leftarg = int4, rightarg = numeric)"

# What is planted, and a query that would run it.
PLANTED = {
    "an operator": (
        (
            FUNCTION.format(name="mallory.same", type="numeric"),
            OPERATOR.format(name="public.=", function="mallory.same"),
        ),
        "select count(*) from t where a = 2.0",
        "operator public.=(integer,numeric)",
    ),
    "an operator that the query names nowhere": (
        (
            FUNCTION.format(name="mallory.same", type="numeric"),
            OPERATOR.format(name="public.=", function="mallory.same"),
        ),
        "select count(*) from t where a in (2.0, 3.0)",
        "operator public.=(integer,numeric)",
    ),
    "a function": (
        (FUNCTION.format(name="public.mod", type="bigint"),),
        "select count(*) from t where Mod(a, 2::bigint)::text <> '0'",
        "function public.mod(integer,bigint)",
    ),
    "a function of a schema that the query names": (
        (FUNCTION.format(name="mallory.even", type="integer"),),
        "select count(*) from t where mallory.even(a, 2)",
        "function mallory.even(integer,integer)",
    ),
    "a function whose name is in quotes": (
        (FUNCTION.format(name='public."is it"', type="integer"),),
        'select count(*) from t where "is it"(a, 2)',
        'function public."is it"(integer,integer)',
    ),
    "an aggregate": (
        (
            FUNCTION.format(name="mallory.both", type="integer")
            .replace("boolean", "integer")
            .replace("true", "1"),
            "create aggregate public.total (integer) (sfunc = mallory.both, stype = integer)",
        ),
        "select total(a) from t",
        "aggregate public.total(integer)",
    ),
    "a domain": (
        (
            "create function mallory.yes(integer) returns boolean language plpgsql immutable as"
            " $$ begin perform mallory.hit('domain'); return true; end $$",
            "create domain public.number as integer check (mallory.yes(value))",
        ),
        "select a::number from t",
        "domain public.number",
    ),
}


# What a trusted role has made, and which calls a stranger's function.
OURS = {
    "an operator": (
        FUNCTION.format(name="mallory.same", type="numeric"),
        OPERATOR.format(name="public.=", function="mallory.same"),
        "select count(*) from t where a = 2.0",
        "function mallory.same(integer,numeric)",
    ),
    "an aggregate": (
        *PLANTED["an aggregate"][0],
        PLANTED["an aggregate"][1],
        'function mallory."both"(integer,integer)',
    ),
    "a domain": (*PLANTED["a domain"][0], PLANTED["a domain"][1], "function mallory.yes(integer)"),
}


@pytest.fixture
def stranger(server: Server, database: Database) -> Iterator[Planted]:
    """A role that may create objects in schema public, and has a schema."""
    with role_of_a_stranger(server):
        database.execute("create table t (a int); insert into t values (1), (2)")
        database.execute(f"grant create on database {database.name} to {ROLE}")
        database.execute(f"grant create on schema public to {ROLE}")
        planted = Planted(database)
        planted.plant(f"create schema {SCHEMA}", HIT.format(schema=ROLE))
        yield planted
        database.execute(f"reassign owned by {ROLE} to postgres; drop owned by {ROLE} cascade")


@pytest.mark.parametrize("what", PLANTED)
def test_what_a_query_calls(database: Database, stranger: Planted, what: str) -> None:
    statements, text, named = PLANTED[what]
    stranger.plant(*statements)
    with database.connect() as connection:
        with (
            connection.transaction(),
            pytest.raises(SurefootError, match="somebody else") as refused,
        ):
            require_trusted_sources(connection, text, "The query")
        assert f"{named} belongs to {ROLE}" in refused.value.finding.seen
        assert stranger.hits() == []
        connection.execute(text.encode())
        assert stranger.hits() != []  # it would have run
        for statement in steps_of(refused.value.finding.next or "").sql:
            database.execute(statement)
        with connection.transaction():
            require_trusted_sources(connection, text, "The query")


@pytest.mark.parametrize("what", OURS)
def test_what_is_ours_and_calls_theirs(database: Database, stranger: Planted, what: str) -> None:
    function, ours, text, named = OURS[what]
    stranger.plant(function)
    database.execute(ours)
    with database.connect() as connection, connection.transaction():
        with pytest.raises(SurefootError, match="somebody else") as refused:
            require_trusted_sources(connection, text, "The query")
        assert f"{named} belongs to {ROLE}" in refused.value.finding.seen
    assert stranger.hits() == []
    database.execute(text)
    assert stranger.hits() != []  # it would have run


def test_what_a_query_does_not_call(database: Database, stranger: Planted) -> None:
    """Functions and types of others that it doesn't name."""
    stranger.plant(*PLANTED["a function"][0], *PLANTED["a domain"][0])
    text = "select count(*) as models from t where a between 1 and 2"
    with database.connect() as connection, connection.transaction():
        require_trusted_sources(connection, text, "The query")


def test_an_evidence_probe_calls_nothing_of_others(
    application: Application, server: Server, database: Database
) -> None:
    data_only(application, EVIDENCE.replace("a = 2", "a in (2.0)"))
    catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url(DRIVER))
    lose_version_row(database)
    with role_of_a_stranger(server):
        database.execute(f"grant create on schema public to {ROLE}")
        database.execute(f"create schema {ROLE} authorization {SCHEMA}")
        planted = Planted(database)
        planted.plant(HIT.format(schema=ROLE), *PLANTED["an operator"][0])
        refused = application.run("up", "--json", url=database.url())
        assert (refused.code, refused.error) == (4, "object-not-trusted"), refused.out
        assert planted.hits() == []
        # the next step's other way: the object goes
        database.execute(f"drop owned by {ROLE} cascade")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert result.json["done"][0]["name"] == "r1"
