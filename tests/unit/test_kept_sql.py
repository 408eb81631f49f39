"""Which statements of the journal comparing structures can verify, and which it can't."""

import pytest

from surefoot.downgrades.trusted_sql import unverified

VERIFIED = [
    "DROP INDEX ux_orders",
    "DROP TABLE orders",
    "DROP TYPE mood",
    "DROP TRIGGER t ON x",
    "drop function f(int)",
    "ALTER TABLE customers DROP COLUMN phone, DROP COLUMN fax",
    "ALTER TABLE t RENAME COLUMN a TO b",
    "ALTER TABLE t ALTER COLUMN c TYPE TEXT USING c::text",
    "ALTER TABLE t ALTER COLUMN c TYPE VARCHAR(20)",
    "ALTER TABLE t ADD COLUMN id bigserial",
    "alter table t add column x timestamptz default now() not null",
    "alter table t add column x int default nextval('a_seq'::regclass)",
    "alter table t add constraint fk foreign key (a) references other (id) on delete cascade",
    "CREATE TABLE a (id serial primary key, n varchar(30), unique (n), check (n in ('x')))",
    'create table "we(ird" (a int)',
    "CREATE UNIQUE INDEX CONCURRENTLY ix ON public.t USING btree (a) WHERE is_primary",
    "create index i on t using gin (a gin_trgm_ops)",
    "CREATE TYPE mood AS ENUM ('a(b', 'c;d')",
    "alter view v rename to w",
    "comment on column a.b is 'grant all; drop role x'",
    "set search_path = public, app",
    "set local lock_timeout = '5s'",
    "create schema s",
]

UNVERIFIED = [
    "ALTER ROLE mallory SUPERUSER",
    "GRANT owner TO mallory",
    "REVOKE ALL ON t FROM app",
    "DELETE FROM users",
    "UPDATE users SET admin = true",
    "INSERT INTO users VALUES (1)",
    "TRUNCATE users",
    "COPY t FROM PROGRAM 'id'",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "DO $$ begin end $$",
    "SELECT evil()",
    "CALL evil()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'",
    "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql AS 'select 1'",
    "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON INSERT TO t DO ALSO SELECT evil()",
    "CREATE POLICY p ON t USING (evil())",
    "CREATE VIEW v AS SELECT 1",
    "CREATE MATERIALIZED VIEW v AS SELECT evil()",
    "REFRESH MATERIALIZED VIEW v",
    "CREATE EXTENSION dblink",
    "CREATE OPERATOR = (leftarg = a, rightarg = b, function = f)",
    "CREATE CAST (a AS text) WITH FUNCTION f(a)",
    "CREATE TYPE r AS RANGE (subtype = int, canonical = evil)",
    "CREATE TABLE a AS SELECT evil()",
    "CREATE SCHEMA s GRANT ALL ON t TO mallory",
    "CREATE INDEX i ON t (lower(a))",
    "CREATE INDEX i ON t (mallory.f(a))",
    'CREATE INDEX i ON t ("evil"(a))',
    "CREATE INDEX i ON t ((a || b))",
    "CREATE INDEX i ON t ((t.f))",
    "CREATE INDEX i ON t (a) WHERE evil(a)",
    "CREATE STATISTICS s ON (evil(a)), b FROM t",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a operator(mallory.=) a)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (t.f)",
    "ALTER TABLE t ADD COLUMN a mallory.dom",
    "ALTER TABLE t ADD COLUMN a int DEFAULT evil()",
    "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (a + b) STORED",
    "ALTER TABLE t ALTER COLUMN c TYPE text USING evil(c)",
    "ALTER TABLE t ALTER COLUMN c TYPE mallory.dom",
    "ALTER TABLE t ALTER COLUMN c TYPE mood USING c::mood",
    "ALTER TABLE t OWNER TO mallory",
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory",
    "ALTER FUNCTION f() SECURITY DEFINER",
    "ALTER DATABASE d SET search_path = mallory",
    "ALTER SYSTEM SET x = 1",
    "ALTER SEQUENCE s RESTART",
    "COMMENT ON DATABASE d IS 'x'",
    "SET ROLE mallory",
    "SET SESSION AUTHORIZATION mallory",
    "SET session_replication_role = replica",
    "SET search_path = mallory, pg_catalog",
    "LOAD 'x'",
    "COMMIT",
    "DROP INDEX i; ALTER ROLE mallory SUPERUSER",
    "DROP INDEX i -- \r; ALTER ROLE mallory SUPERUSER",
    "DROP INDEX i /* /* */ ; ALTER ROLE mallory SUPERUSER */",
    "DROP ROLE app",
    "DROP OWNED BY app",
    "DROP DATABASE d",
]


@pytest.mark.parametrize("statement", VERIFIED)
def test_comparing_structures_shows_all_that_it_does(statement: str) -> None:
    """It runs without a person's leave: what it makes or drops is compared before the commit."""
    assert unverified(statement) == ""


@pytest.mark.parametrize("statement", UNVERIFIED)
def test_it_can_do_what_the_structure_does_not_show(statement: str) -> None:
    """It needs a person's leave, and the reason is said."""
    assert unverified(statement)
    assert unverified(statement.lower())
    assert unverified(f"/* a comment */ {statement}")
