"""From a cause to what to try: values only, no database."""

import pytest

from surefoot.catalogue.catalogue import Catalogue
from surefoot.diagnosis import names
from surefoot.diagnosis.cause import About, Cause, Holder, Object, lines, statement_lines
from surefoot.diagnosis.connection_loss import Loss, explain_loss, loses_connection
from surefoot.diagnosis.diagnose import explain, mentioned, readers_matter
from surefoot.diagnosis.history import expected_at, known_as, makers, removers, tables_of
from surefoot.diagnosis.refused import before_anything, refusal
from surefoot.diagnosis.renamed_aside import put_aside
from surefoot.diagnosis.server import of_server, script_code
from surefoot.diagnosis.sessions import holder_lines, numbers
from surefoot.errors import CODES
from surefoot.schema.fact import SchemaFact
from tests.support.histories import TABLE, column, linear
from tests.support.next_steps import steps_of

INDEX = SchemaFact("index", "public.t.t_a", "USING btree (a)")
CATALOGUE = linear(
    (TABLE, column("a")), (TABLE, column("a", "int"), INDEX), (TABLE, column("a", "int"))
)

LANGUAGES = [
    ('relation "people" already exists', ("people",)),
    ('column "name" of relation "My pets" already exists', ("name", "My pets")),
    ("Relation »people« existiert bereits", ("people",)),
    ("Spalte »name« von Relation »people« existiert bereits", ("name", "people")),
    ("la relation « people » existe déjà", ("people",)),
    ("la relación «people» ya existe", ("people",)),
    ('リレーション"people"はすでに存在します', ("people",)),
    ("关系 “people” 已经存在", ("people",)),
    ("must be owner of table people", ()),
]


@pytest.mark.parametrize(("message", "found"), LANGUAGES)
def test_names_are_found_in_every_language(message: str, found: tuple[str, ...]) -> None:
    assert names.quoted_names(message) == found


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (("public", "people"), "public.people"),
        (("", "people"), "people"),
        (("public", "Order"), 'public."Order"'),
        (("user",), '"user"'),
        (('a "b"',), '"a ""b"""'),
        (("1st",), '"1st"'),
    ],
)
def test_names_for_sql(given: tuple[str, ...], written: str) -> None:
    """Quoted where they must be, and else not."""
    assert names.identifier(*given) == written


def test_texts_for_sql() -> None:
    assert names.literal("O'Neill") == "'O''Neill'"
    assert names.literal("a\\b") == "E'a\\\\b'"


def test_words_of_a_statement() -> None:
    """As the server stores names: folded, unless they're quoted; strings are read as well."""
    found = names.words('ALTER TABLE App."Order" add X int; do $$ begin lock pets; end $$')
    assert {"app", "Order", "x", "pets"} <= set(found)
    assert "order" not in found


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("select * from t where a = 'secret' and b = 42", "select * from t where a = ? and b = ?"),
        ("select 'it''s' || E'a\\'b' || $tag$ x $y$ z $tag$", "select ? || ? || ?"),
        ("select 'never ends", "select ?"),
        ("update people\nset a = 1", "update people …"),
        ("select t1.a from t1", "select t1.a from t1"),
        ("select " + "a, " * 40, "select " + "a, " * 17 + "a, …"),
    ],
)
def test_somebodys_query_without_its_literals(query: str, shown: str) -> None:
    assert names.without_literals(query, 60) == shown


RENAMED = [
    (Object("table", "public", "t"), ("alter table public.t rename to t_before;",)),
    (
        Object("materialized view", "public", "m"),
        ("alter materialized view public.m rename to m_before;",),
    ),
    (
        Object("trigger", "public", "g", "t"),
        (
            "alter trigger g on public.t rename to g_before;",
            "alter table public.t disable trigger g_before;",
        ),
    ),
    (
        Object("procedure", "public", "p", arguments="integer, text"),
        ("alter procedure public.p(integer, text) rename to p_before;",),
    ),
    (
        Object("index", "public", "i" * 63, "t"),
        (f"alter index public.{'i' * 63} rename to {'i' * 56}_before;",),
    ),
    (
        Object("sequence", "public", "\u00e4" * 31),
        (f'alter sequence public."{"ä" * 31}" rename to "{"ä" * 28}_before";',),
    ),
]


@pytest.mark.parametrize(("found", "statements"), RENAMED)
def test_how_something_is_put_aside(found: Object, statements: tuple[str, ...]) -> None:
    """In 63 bytes, however many a letter takes."""
    assert put_aside((found,), About("r1", objects=(found,))) == statements


def test_a_name_that_is_taken_is_not_given() -> None:
    found = Object("table", "public", "t")
    about = About("r1", objects=(found,), taken=frozenset(("t_before", "t_before2")))
    assert put_aside((found,), about) == ("alter table public.t rename to t_before3;",)


def test_a_statement_is_cut() -> None:
    """Six lines, each to a bearable length, with the indentation that they share taken away."""
    assert statement_lines("") == []
    assert statement_lines("  select 1\n") == ["statement: select 1"]
    written = "create table t (\n" + "".join(f"      c{n} int,\n" for n in range(9)) + "  )"
    assert statement_lines(written) == [
        "statement: create table t (",
        *(f"    c{n} int," for n in range(5)),
        "    … 5 more lines",
    ]
    (line,) = statement_lines("x" * 500)
    assert len(line) < 180


def test_the_lines_of_a_cause() -> None:
    cause = Cause("42P01", "no table", "some\ndetail", "a hint", statement="select 1\nfrom t")
    assert lines(cause) == [
        "no table (SQLSTATE 42P01)",
        "detail: some detail",
        "hint: a hint",
        "statement: select 1",
        "    from t",
    ]


def test_what_the_catalogue_knows_of_a_name() -> None:
    """A change of what is there makes nothing; what is gone again isn't expected."""
    assert makers(CATALOGUE, "public.t.a") == ("r1",)
    assert makers(CATALOGUE, "public.t.t_a") == ("r2",)
    assert removers(CATALOGUE, "public.t.t_a") == ("r3",)
    assert known_as(CATALOGUE, "a") == known_as(CATALOGUE, "a", "t") == ("public.t.a",)
    assert known_as(CATALOGUE, "a", "other") == ()
    applied = frozenset(("r1", "r2"))
    assert expected_at(CATALOGUE, applied, ("public.t.t_a",))
    assert not expected_at(CATALOGUE, applied | {"r3"}, ("public.t.t_a",))
    assert tables_of(CATALOGUE, "r2") == ("t",)


def missing(message: str, revision: str, *applied: str) -> str:
    about = About(revision, catalogue=CATALOGUE, applied=frozenset(applied))
    state = {"column": "42703", "index": "42704", "relation": "42P01"}[message.split()[0]]
    return " ".join(explain(Cause(state, message), about).seen)


def test_a_name_that_is_missing() -> None:
    """Dropped by hand, removed before, made further down, made by nobody."""
    index, column = 'index "t_a" does not exist', 'column "a" of relation "t" does not exist'
    assert missing(index, "r3", "r1", "r2") == "the catalogue has t_a here: r2 makes it"
    assert missing(column, "r2", "r1") == "the catalogue has a here: r1 makes it"
    assert missing(index, "r2", "r1") == "this revision makes t_a itself, further down"
    assert missing(index, "r1").startswith("r2 makes t_a")
    assert missing('relation "x" does not exist', "r2", "r1") == "no revision makes x"


def test_what_is_in_the_way_of_the_schema_that_the_statement_names() -> None:
    """Two of one name: the statement says which, else it's the one where bare names lead."""
    there = (Object("table", "app", "t"), Object("table", "public", "t"))

    def seen(statement: str) -> str:
        cause = Cause("42P07", 'relation "t" already exists', statement=statement)
        return explain(cause, About("r9", objects=there)).next

    assert "alter table public.t rename" in seen("create table t ()")
    assert "alter table app.t rename" in seen('create table "app"."t" ()')


HOLDER = Holder(
    7, ("pets",), "web", "app", "10.0.0.7", "active", 8000.0, "select pg_sleep(1)\nfrom pets"
)


def test_functions_of_one_name() -> None:
    """Which of them it is, nobody can tell from the message: neither is renamed."""
    there = tuple(Object("function", "public", "f", arguments=a) for a in ("integer", "text"))
    cause = Cause("42723", 'function "f" already exists with same argument types')
    found = explain(cause, About("r2", objects=there))
    assert found.seen == ("in the way is one of public.f(integer); public.f(text)",)
    assert "rename" not in found.next


def test_what_nobody_looked_for_is_not_said_to_be_gone() -> None:
    """A policy is no object that is read; that it isn't among them tells nothing."""
    cause = Cause("42710", 'policy "p" for table "t" already exists')
    assert explain(cause, About("r2")).seen == ()


def test_a_column_is_one_of_the_statements_tables() -> None:
    """Another table's column of the same name is another matter."""
    bare = 'column "a" does not exist'
    about = About("r2", catalogue=CATALOGUE, applied=frozenset(("r1",)))
    assert "r1 makes it" in str(
        explain(Cause("42703", bare, statement="update t set a = 1"), about)
    )
    assert "no revision" in str(
        explain(Cause("42703", bare, statement="update x set a = 1"), about)
    )


def test_holders_in_lines() -> None:
    """Who, since when, doing what; no more than a screen can bear."""
    assert holder_lines((HOLDER,)) == (
        "web (pid 7, user app, from 10.0.0.7) holds a lock on pets",
        "    active; in a transaction for 2 h; select pg_sleep(?) …",
    )
    assert holder_lines((Holder(8, ("a", "b")),)) == ("a session (pid 8) holds a lock on a, b",)
    assert holder_lines((HOLDER,) * 7)[-1] == "and 3 more"


def test_the_tables_of_a_deadlock() -> None:
    detail = "Process 12 waits for AccessExclusiveLock on relation 16384 of database 5; blocked by"
    assert 16384 in numbers(Cause("40P01", "", detail))
    assert numbers(Cause("55P03", "", detail)) == ()


def test_whose_reading_is_in_the_way() -> None:
    assert readers_matter("ALTER TABLE t add c int")
    assert readers_matter("do $$ begin end $$")
    assert not readers_matter("  insert into t values (1)")
    assert not readers_matter("create index i on t (a)")


def test_the_names_that_a_cause_is_about() -> None:
    cause = Cause("42501", "must be owner of table people", table="t", column="c")
    assert {"people", "t", "c"} <= set(mentioned(cause))
    assert {"app.pets", "app", "pets"} <= set(
        mentioned(Cause("42P01", 'relation "app.pets" does not exist'))
    )


STATES = (
    "42P07 42701 42710 42P06 42723 42P01 42703 42704 42883 3F000 2BP01 42501 22P02 22003 22001"
    " 22007 22008 23505 23502 23503 23514 55P03 40P01 57014 53200 53100 53300 25006 0A000 XX000"
)


@pytest.mark.parametrize("sqlstate", STATES.split())
@pytest.mark.parametrize("catalogue", [None, CATALOGUE])
def test_every_cause_has_a_next_step_though_nothing_is_known(
    sqlstate: str, catalogue: Catalogue | None
) -> None:
    """A server that speaks another language, a statement that nobody kept: still a next step."""
    found = explain(Cause(sqlstate, "etwas ging schief"), About("r2", catalogue=catalogue))
    assert found.code in CODES
    assert len(found.next) > 20
    assert "None" not in found.next


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("alter table t add check (a <> ')')", "select * from t where not (a <> ')');"),
        ("alter table t add check ((a > 0) and (b > 0)), add c int", "not ((a > 0) and (b > 0));"),
        ("create table x (); alter table t add constraint c check (a\n > 0)", "not (a > 0);"),
    ],
)
def test_the_rows_that_a_check_does_not_allow(statement: str, query: str) -> None:
    found = explain(Cause("23514", "", statement=statement, table="t"), About("r2"))
    (line,) = steps_of(found.next).sql
    assert line.endswith(query)


def test_keys_of_several_columns() -> None:
    """Which value is whose can't always be told; then there is no query."""

    def seen(detail: str) -> tuple[str, ...]:
        cause = Cause("23505", "", detail, statement="insert into t", schema="s", table="t")
        return steps_of(explain(cause, About("r2", objects=there)).next).sql

    there = (Object("table", "s", "t"), *(Object("column", "s", c, "t") for c in "ab"))
    (line,) = seen("Key (a, b)=(1, x) already exists.")
    assert line == "select * from s.t where (a, b) = ('1', 'x');"
    assert seen("Key (a, b)=(1, x, y) already exists.") == ()


SERVERS_OWN = [
    ("53100", 'could not extend file "base/5/16412": No space left on device', "", "disk-full"),
    ("53200", "out of shared memory", "max_locks_per_transaction", "out-of-shared-memory"),
    ("53200", "Shared Memory erschöpft", "max_pred_locks_per_transaction", "out-of-shared-memory"),
    ("53200", "out of memory", "", "out-of-memory"),
    ("53300", "sorry, too many clients already", "", "revision-failed"),
    ("53400", "temporary file size exceeds temp_file_limit (1kB)", "", "revision-failed"),
    ("57014", "canceling statement due to user request", "", "statement-cancelled"),
    ("57014", "canceling statement due to statement timeout", "", "statement-timeout"),
    ("57014", "storniere Anfrage wegen Zeitüberschreitung", "", "statement-cancelled"),
    ("26000", 'prepared statement "__asyncpg_stmt_1__" does not exist', "", "revision-failed"),
    ("42P05", 'prepared statement "_pg3_0" already exists', "", "revision-failed"),
]


@pytest.mark.parametrize(("sqlstate", "message", "hint", "code"), SERVERS_OWN)
def test_what_is_the_servers_own_doing(sqlstate: str, message: str, hint: str, code: str) -> None:
    """A revision and a script are told the same; of a script nothing is called a revision."""
    cause = Cause(sqlstate, message, hint=hint)
    found = of_server(cause)
    assert found is not None
    assert (explain(cause, About("r2")).code, found.code) == (code, code)
    assert script_code(found) == ("script-failed" if code == "revision-failed" else code)


@pytest.mark.parametrize(
    ("message", "timeout", "code"),
    [
        ("storniere Anfrage wegen Zeitüberschreitung der Anfrage", "", "statement-cancelled"),
        ("storniere Anfrage wegen Zeitüberschreitung der Anfrage", "role", "statement-timeout"),
        ("canceling statement due to user request", "role", "statement-cancelled"),
    ],
)
def test_a_timeout_in_another_language(message: str, timeout: str, code: str) -> None:
    """Both have one SQLSTATE: where the words aren't English, a limit that is set is the cause."""
    assert explain(Cause("57014", message), About("r2", timeout=timeout)).code == code


TABLES = (
    Object("table", "public", "people", owner="boss"),
    Object("schema", "app", "app", owner="boss"),
)


@pytest.mark.parametrize(
    ("message", "statement", "line"),
    [
        (
            "Berechtigung nur für Eigentümer der Tabelle people",
            "alter table people add column n int",
            "alter table public.people owner to me;",
        ),
        (
            "keine Berechtigung für Tabelle people",
            "insert into people values (1)",
            "grant all on public.people to me;",
        ),
        (
            "keine Berechtigung für Schema app",
            "create index i on app.t (a)",
            "grant usage, create on schema app to me;",
        ),
        (
            "keine Berechtigung, um Erweiterung »hstore« zu erzeugen",
            "create extension hstore",
            "create extension hstore;",
        ),
        (
            "keine Berechtigung für Datenbank shop",
            "create schema if not exists surefoot",
            "grant create on database shop to me;",
        ),
    ],
)
def test_privileges_in_another_language(message: str, statement: str, line: str) -> None:
    """What the statement does says whether ownership or a privilege is missing."""
    cause = Cause("42501", message, statement=statement)
    found = explain(cause, About("r2", role="me", database="shop", objects=TABLES))
    assert steps_of(found.next).sql == (line,)


def test_what_cannot_be_done_in_another_language() -> None:
    """An extension without files, and a column that something is built on."""
    cause = Cause("0A000", "Erweiterung »x« ist nicht verfügbar", statement="create extension x")
    assert "install the package" in explain(cause, About("r2")).next
    cause = Cause(
        "0A000",
        "Typ einer Spalte, die von einer Sicht verwendet wird, kann nicht geändert werden",
        statement="alter table t alter column a type bigint",
    )
    assert "depends on it" in explain(cause, About("r2")).next


def test_a_statement_that_is_wrong_is_not_the_servers_doing() -> None:
    assert of_server(Cause("42601", "syntax error")) is None
    assert script_code(None) == "script-failed"


def test_the_way_past_a_pooler() -> None:
    """The name that goes before the application's own."""
    found = explain(Cause("26000", "prepared statement does not exist"), About("r2"))
    assert "set SUREFOOT_DATABASE_URL" in found.next


def test_the_disk_that_is_full() -> None:
    """As far as the message leads to one."""

    def seen(message: str) -> tuple[str, ...]:
        return explain(Cause("53100", message), About("r2")).seen

    assert seen('could not extend file "pg_tblspc/16385/PG_18_2/5/1": No space left') == (
        "that is in a tablespace: select pg_tablespace_location(16385);",
    )
    assert "data_directory" in seen('could not write to file "base/pgsql_tmp/x": No space')[0]
    assert seen("could not write to COPY file: No space left on device") == ()


REFUSED = [
    ("FATAL:  sorry, too many clients already", "too-many-connections", True),
    (
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "too-many-connections",
        True,
    ),
    ('FATAL:  too many connections for role "app"', "too-many-connections", True),
    ('FATAL:  too many connections for database "shop"', "too-many-connections", True),
    ("FATAL:  no more connections allowed (max_client_conn)", "too-many-connections", True),
    ("FATAL:  query_wait_timeout", "server-unreachable", True),
    ("FATAL:  the database system is starting up", "server-not-ready", True),
    ("FATAL:  the database system is shutting down", "server-not-ready", True),
    ("FATAL:  the database system is in recovery mode", "server-not-ready", True),
    ("FATAL:  the database system is not yet accepting connections", "server-not-ready", True),
    ("FATAL:  the database system is not accepting connections", "server-not-ready", True),
    ("connection to server at x failed: session is read-only", "server-not-ready", True),
    ("FATAL:  unsupported startup parameter: options", "pooler-in-the-way", False),
    (
        "FATAL:  server login has been failing, cached error: connect failed (server_login_retry)",
        "server-unreachable",
        True,
    ),
    ("FATAL:  pgbouncer cannot connect to server", "server-unreachable", True),
]


@pytest.mark.parametrize(("text", "code", "waits"), REFUSED)
def test_why_nobody_gets_a_connection(text: str, code: str, waits: bool) -> None:
    """By the server's words and by PgBouncer's; what may pass is waited for."""
    found = refusal(f"connection failed: connection to server at x failed: {text}")
    assert found is not None
    assert (found.code, found.waits) == (code, waits)
    assert found.code in CODES
    assert len(found.next) > 20


@pytest.mark.parametrize(
    "text", ["Connection refused", 'FATAL:  password authentication failed for user "u"', ""]
)
def test_what_is_no_refusal_of_these(text: str) -> None:
    assert refusal(text) is None


def test_the_limit_that_is_reached() -> None:
    """What is printed raises that one."""

    def next(text: str) -> str:
        found = refusal(text)
        assert found is not None
        return found.next

    assert "max_connections" in next("sorry, too many clients already")
    assert "alter role" in next('too many connections for role "app"')
    assert "alter database" in next('too many connections for database "shop"')
    assert "pooler" in next("no more connections allowed (max_client_conn)")
    assert "default_pool_size" in next("query_wait_timeout")


def test_what_the_applications_own_connection_meets_first() -> None:
    """By the SQLSTATE where the driver tells it, in any language, else by the words."""

    def code(sqlstate: str, text: str) -> str | None:
        found = before_anything(Cause(sqlstate, text) if sqlstate else None, text)
        return found.code if found else None

    assert code("53300", "tut mir leid, schon zu viele Verbindungen") == "too-many-connections"
    assert code("", "FATAL: sorry, too many clients already") == "too-many-connections"
    assert code("57P03", "das Datenbanksystem startet") == "server-not-ready"
    assert code("26000", "prepared statement does not exist") == "pooler-in-the-way"
    assert code("42P01", "relation does not exist") is None
    assert code("", "ModuleNotFoundError: No module named 'asyncpg'") is None


LOST = [
    (Loss("57P01", None, "a", "a"), "session-terminated"),
    (Loss("57P01", "", "a", "a"), "session-terminated"),
    (Loss("57P01", "57P01", "a", "b"), "server-restarted"),
    (Loss("", "", "a", "b"), "server-restarted"),
    (Loss("", "57P02", "a", "a"), "server-restarted"),
    (Loss("57P02", "", "a", "a"), "server-restarted"),
    (Loss("25P04", None, "a", "a"), "session-terminated"),
    (Loss("57P05", None, "a", "a"), "session-terminated"),
    (Loss("", None, "a", "a"), "connection-lost"),
    (Loss("08006", "", "a", "a"), "connection-lost"),
]


@pytest.mark.parametrize(("loss", "code"), LOST)
def test_whose_doing_a_lost_connection_was(loss: Loss, code: str) -> None:
    """By what the step's and the lock's connections said, and by when the server came up."""
    what, found = explain_loss(loss)
    assert found.code == code
    assert what
    assert "start again" in found.next


def test_what_loses_the_connection() -> None:
    """Everything else leaves it as it is, though the transaction may be of no use."""
    assert all(map(loses_connection, ("57P01", "57P02", "08006", "25P03", "25P04", "57P05")))
    assert not any(map(loses_connection, ("57014", "40001", "53200", "", "25P02")))


@pytest.mark.parametrize(
    ("detail", "claimed"),
    [
        ("index t_a depends on column a of table t", True),
        ("index t_a depends on column a of table t\nview v depends on column a of table t", False),
        ("view theirs.t depends on column a of table t", False),
        ("cast from t to integer depends on type t", False),
        ("Index t_a hängt von Spalte a von Tabelle t ab", False),
        ("", False),
    ],
)
def test_only_what_the_catalogue_knows_is_nobodys_own(detail: str, claimed: bool) -> None:
    """Otherwise, nobody can tell whose it is."""
    found = explain(Cause("2BP01", "cannot", detail), About("r2", catalogue=CATALOGUE))
    assert ("none of what depends on it is the user's own" in found.seen) == claimed
    assert ("if that is your own" in found.next) != claimed


def test_temporary_objects_and_publications_are_not_the_revisions_fault() -> None:
    """No facts describe them, so they are found by what PostgreSQL says."""
    about = About("r2", catalogue=CATALOGUE)
    detail = "view pg_temp_3.tv depends on column a of table t"
    found = explain(Cause("2BP01", "cannot", detail), about)
    assert steps_of(found.next).sql == ("drop view pg_temp_3.tv;",)
    detail = 'publication of table s.t in publication "p; x" depends on column a of table s.t'
    found = explain(Cause("2BP01", "cannot", detail), about)
    assert 'alter publication "p; x" drop table s.t;' in steps_of(found.next).sql


def test_a_column_that_uses_a_row_type_is_the_users_own() -> None:
    own = (SchemaFact("column", "public.keep.u", "public.t"),)
    message = 'cannot alter table "t" because column "keep.u" uses its row type'
    cause = Cause("0A000", message, statement="alter table t alter a type int")
    found = explain(cause, About("r2", catalogue=CATALOGUE, own=own))
    assert "the user's own: column public.keep.u" in found.seen
    assert "alter table public.keep alter u type text using u::text;" in found.next
