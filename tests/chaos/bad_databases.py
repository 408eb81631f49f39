"""Version tables and journals that aren't what they should be."""

import random

from tests.chaos.bad_cases import (
    ACTING,
    ANYTHING,
    LOOKING,
    Case,
    a_case,
)
from tests.chaos.bad_world import NotTaken, World

_VERSION_VALUES = [
    *(
        "''",
        "' '",
        "'r2 '",
        "'R2'",
        "'r1,r2'",
        "'é'",
        "'r9'",
        "'r1'",
        "'r3'",
        "E'r2\\n'",
        "'rr2'",
        "'head'",
    ),
    *("repeat('x', 32)", "'<script>'", "E'\\x1b[31m'", "'base'", "'r2'", "'None'", "'%s'", "'{}'"),
]
VERSION_TABLES = [
    "UPDATE alembic_version SET version_num = {v}",
    "INSERT INTO alembic_version VALUES ({v})",
    "DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ({v}), ({w})",
    "ALTER TABLE alembic_version ALTER version_num TYPE text; UPDATE alembic_version SET"
    " version_num = repeat('x', 1000000)",
    "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc; ALTER TABLE alembic_version"
    " ALTER version_num DROP NOT NULL; INSERT INTO alembic_version VALUES (NULL), (NULL), ({v})",
    "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc; INSERT INTO alembic_version"
    " VALUES ('r2'), ('r2')",
    "ALTER TABLE alembic_version ALTER version_num TYPE {t} USING NULL",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num {t})",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (other text)",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version ()",
    "ALTER TABLE alembic_version ADD version text; UPDATE alembic_version SET version = {v}",
    'ALTER TABLE alembic_version RENAME version_num TO "VERSION_NUM"',
    "DROP TABLE alembic_version; CREATE VIEW alembic_version AS SELECT {v}::varchar AS version_num",
    "DROP TABLE alembic_version; CREATE MATERIALIZED VIEW alembic_version AS SELECT {v} AS"
    " version_num",
    "DROP TABLE alembic_version; CREATE VIEW alembic_version AS SELECT (1/0)::text AS version_num",
    "DROP TABLE alembic_version; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA"
    " WRAPPER w; CREATE FOREIGN TABLE alembic_version (version_num text) SERVER s",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num text) PARTITION BY LIST"
    " (version_num); CREATE TABLE v1 PARTITION OF alembic_version DEFAULT; INSERT INTO"
    " alembic_version VALUES ({v})",
    "DROP TABLE alembic_version; CREATE SEQUENCE alembic_version",
    "DROP TABLE alembic_version; CREATE TYPE alembic_version AS (version_num text)",
    "DROP TABLE alembic_version; CREATE INDEX alembic_version ON people (id)",
    "ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY; ALTER TABLE alembic_version FORCE ROW"
    " LEVEL SECURITY; CREATE POLICY p ON alembic_version USING (1/0 > 0)",
    "CREATE SCHEMA other; ALTER TABLE alembic_version SET SCHEMA other",
    "CREATE SCHEMA other; CREATE TABLE other.alembic_version AS SELECT {v}::text AS version_num",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; CREATE"
    " TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$; CREATE"
    " TRIGGER t BEFORE UPDATE OR INSERT ON alembic_version FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON UPDATE TO alembic_version DO INSTEAD NOTHING",
    "INSERT INTO alembic_version SELECT 'x' || i FROM generate_series(1, 5000) AS i",
    "DELETE FROM alembic_version",
    "CREATE TABLE alembic_version_child () INHERITS (alembic_version); INSERT INTO"
    " alembic_version_child VALUES ({v})",
    "ALTER TABLE alembic_version SET UNLOGGED",
    "ALTER TABLE alembic_version ALTER version_num TYPE varchar(2)",
]
TYPES = [
    *(
        "int",
        "text",
        "bytea",
        "uuid",
        "json",
        "text[]",
        "char(32)",
        "name",
        "boolean",
        "xml",
        "int4range",
    ),
    *("timestamptz", "point", "bigint", "numeric", "oid", '"char"', "money", "bit(8)", "regclass"),
]


def version_table(world: World, rng: random.Random) -> Case:
    form = rng.choice(VERSION_TABLES)
    value, other = rng.sample(_VERSION_VALUES, 2)
    statements = form.replace("{v}", value).replace("{w}", other).replace("{t}", rng.choice(TYPES))
    commands = [*LOOKING, *ACTING]
    try:
        return a_case(
            world,
            rng,
            statements[:100],
            world.application(),
            commands,
            ANYTHING,
            "behind",
            statements,
        )
    except NotTaken:
        return version_table(world, rng)


JOURNALS = [
    "DROP TABLE surefoot.journal",
    "DROP TABLE surefoot.journal; CREATE TABLE surefoot.journal ()",
    "DROP TABLE surefoot.journal; CREATE TABLE surefoot.journal (id int, step int, name bytea)",
    "DROP TABLE surefoot.journal; CREATE VIEW surefoot.journal AS SELECT 1 AS id",
    "DROP TABLE surefoot.journal; CREATE VIEW surefoot.journal AS SELECT 1/0 AS id",
    "DROP TABLE surefoot.journal; CREATE SEQUENCE surefoot.journal",
    "DROP TABLE surefoot.journal; CREATE TYPE surefoot.journal AS (id int)",
    "ALTER TABLE surefoot.journal ADD other int NOT NULL DEFAULT 1",
    "ALTER TABLE surefoot.journal ADD other int CHECK (other > 0) NOT NULL DEFAULT 1; ALTER TABLE"
    " surefoot.journal ALTER other DROP DEFAULT",
    "ALTER TABLE surefoot.journal DROP COLUMN {c}",
    "ALTER TABLE surefoot.journal RENAME COLUMN {c} TO other",
    "ALTER TABLE surefoot.journal ALTER {c} DROP NOT NULL; UPDATE surefoot.journal SET {c} = NULL",
    "ALTER TABLE surefoot.journal ALTER {c} TYPE text USING {c}::text; UPDATE surefoot.journal"
    " SET {c} = {v}",
    "ALTER TABLE surefoot.journal ALTER {c} TYPE {t} USING NULL",
    "UPDATE surefoot.journal SET step = {v}",
    "UPDATE surefoot.journal SET name = {v}",
    "DELETE FROM surefoot.journal",
    "DELETE FROM surefoot.journal WHERE step = 'revision'",
    "ALTER TABLE surefoot.journal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE RULE r AS ON INSERT TO surefoot.journal DO INSTEAD NOTHING",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; CREATE"
    " TRIGGER t BEFORE INSERT ON surefoot.journal FOR EACH ROW EXECUTE FUNCTION f()",
    "INSERT INTO surefoot.journal SELECT * FROM surefoot.journal",
    "ALTER SCHEMA surefoot RENAME TO other",
    "CREATE TABLE surefoot.other (a int)",
    "DROP SCHEMA surefoot CASCADE; CREATE SCHEMA surefoot",
    "INSERT INTO surefoot.journal (step, name) VALUES ({v}, {w})",
    "INSERT INTO surefoot.journal (step, name) VALUES ('begun', {v}), ('reached', {w})",
]


def journal(world: World, rng: random.Random) -> Case:
    state = rng.choice(["behind", "head"])
    form = rng.choice(JOURNALS)
    values = [
        *_VERSION_VALUES,
        "'interrupted'",
        "'begun'",
        "'reached'",
        "'adopted'",
        "'seed'",
        "'{'",
    ]
    value, other = rng.sample(values, 2)
    columns = [
        name
        for (name,) in world.looking[world.database(state)].execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'surefoot.journal'::regclass"
            " AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
    ]
    statements = form.replace("{c}", rng.choice(columns)).replace("{t}", rng.choice(TYPES))
    statements = statements.replace("{v}", value).replace("{w}", other)
    commands = [*LOOKING, *ACTING]
    try:
        return a_case(
            world,
            rng,
            statements[:100],
            world.application(),
            commands,
            ANYTHING,
            state,
            statements,
        )
    except NotTaken:
        return journal(world, rng)
