"""SQL scripts made by hypothesis: ordinary, odd, encoded in every way, cut off and damaged."""

import re
from collections.abc import Callable

from hypothesis import strategies as st

FRAGMENTS = [
    *("a", "'", "''", '"', "\\", "\\\\", "\\'", ";", ";\n", "\n", "\r\n", "$", "$$", "$a$"),
    *("--", "/*", "*/", "(", ")", "é", "日本", "\t", "::", ":a", "BEGIN", "END;", "\n\\.\n"),
]
TEXT = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


def plain(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dollar(text: str) -> str:
    return f"$tag${text}$tag$"


def tagged(text: str) -> str:
    """A dollar quote in a dollar quote."""
    return f"$é_1$$$ {text} $tag$ $É_1$é_1$"


def unicode_escaped(text: str) -> str:
    return (
        "U&'"
        + "".join(f"\\{ord(letter):04x}" if letter in "\\'" else letter for letter in text)
        + "'"
    )


def national(text: str) -> str:
    return "n" + plain(text)


def continued(text: str) -> str:
    """A literal that goes on on another line; psql and the server must see one string."""
    return plain(text) + " \n\n  " + plain(text)


def in_bits(text: str) -> str:
    return f"X'{text.encode().hex()}'::text"


def copied(text: str) -> str:
    codes = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(codes.get(letter, letter) for letter in text)


def as_csv(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\\.", ".") + '"'


def statement(make: Callable[[str], str]) -> st.SearchStrategy[str]:
    return TEXT.map(make)


FORMS = [plain, plain, escaped, dollar, tagged, unicode_escaped, national, continued, in_bits]
LITERAL = st.builds(lambda how, text: how(text), st.sampled_from(FORMS), TEXT)
NUMBER = st.integers(min_value=-9, max_value=9)
NAMES = [
    "f",
    "g",
    '"odd;name"',
    "e",
    "a$b$",
    '"it\'s"',
    'U&"d\\0061t\\+000061"',
    '"日;本"',
    "é",
    "_$1",
]
NAME = st.sampled_from(NAMES)
ROW = st.builds("{}\t{}\n".format, NUMBER, TEXT.map(copied))
SEPARATED = st.builds("{},{}\n".format, NUMBER, TEXT.map(as_csv))
COPY_ENDS = st.sampled_from(["\\.\n"] * 6 + ["\\.\r\n", "\\.\n\n", "\\.\n;\n", "\\. \n\\.\n"])
COPY_HEADS = st.sampled_from(
    [
        *("COPY t (a, b) FROM stdin;\n", "copy t from STDIN;\n", "COPY t\n(a,b)\nFROM stdin\n;\n"),
        *("COPY t(a,b)FROM stdin;\n", 'COPY "t" FROM stdin; -- rows\n', "COPY t FROM stdout;\n"),
        *("COPY public . t FROM/**/stdin /* ; */ ;\n", "COPY t FROM stdin (FORMAT text);\r\n"),
        *("COPY t FROM stdin WITH (FREEZE false);  \n", "COPY t FROM stdin WITH NULL AS '';\n"),
        *("COPY t FROM stdin WHERE a > 0;\n", "COPY t FROM stdin (ENCODING 'UTF8');\n"),
        *("COPY t FROM stdin WITH DELIMITER AS E'\\t';\n", "COPY t FROM stdin;/* ; */\n"),
    ]
)
CSV_HEADS = st.sampled_from(
    [
        *("COPY t FROM stdin (FORMAT csv);\n", "COPY t FROM stdin CSV;\n"),
        *("COPY t FROM stdin WITH (FORMAT csv, HEADER);\n", "COPY t FROM stdin CSV QUOTE '\"';\n"),
        *("COPY t FROM stdin (FORMAT csv, NULL 'a', FORCE_NULL (b));\n",),
        *("COPY t (a, b) FROM stdin WITH CSV ESCAPE '\\';\n",),
    ]
)
COPIES = st.one_of(
    st.builds(
        lambda head, rows, end: head + "".join(rows) + end,
        COPY_HEADS,
        st.lists(ROW, max_size=3),
        COPY_ENDS,
    ),
    st.builds(
        lambda head, rows, end: head + "".join(rows) + end,
        CSV_HEADS,
        st.lists(SEPARATED, max_size=3),
        COPY_ENDS,
    ),
    st.builds(
        lambda row, end: "COPY t FROM stdin;\n" + row.replace("\n", "\r\n") + end,
        ROW,
        st.sampled_from(["\\.\r\n", "\\.\n"]),
    ),
)
OPERATORS = st.sampled_from(
    [
        *("1 --1\n", "1-- ;\n+ 2", "2 */* ; */ 3", "1 - -1", "@-1", "- /* ' */ 1", "1+/**/+2"),
        *("2*-/*/**/*/3", "'[1]'::jsonb->>0", "'{\"a\":1}'::jsonb#>>'{a}'", "1!=-1", "1<>-+1"),
        *("'a'||$$;$$", "1 OPERATOR(pg_catalog.+) 2", "'a' ~~* 'A'", "~1", "|/4", "1::int::text"),
        *("(ARRAY[1,2,3])[1:2]", "(ARRAY[1])[ 1 : 1 ]", "1.5e3", "0.1", ".5", "'a' COLLATE \"C\""),
        *("date '2024-01-01'", "interval '1' day", "U&'d!0061t' UESCAPE '!'", "B'101'", "'\\'"),
        *(
            "ARRAY[[1],[2]]",
            "(SELECT 1)",
            "CASE WHEN true THEN 'x;' END",
            "make_interval(days := 1)",
        ),
    ]
)
ATOMIC = st.sampled_from(
    [
        *("SELECT 1;", "SELECT CASE WHEN i = 1 THEN 'x' ELSE 'y;' END;", "SELECT (SELECT 1);"),
        *(
            "INSERT INTO log VALUES ('begin; end');",
            "SELECT 1; SELECT 2;",
            "/* ; END; */ SELECT 1;",
        ),
        *("SELECT CASE i WHEN 1 THEN CASE WHEN true THEN 2 END END;", 'SELECT 1 AS "end";'),
        *("-- END;\nSELECT 1;", "SELECT $$END;$$;", "UPDATE t SET b = ';' WHERE a = i;", ""),
    ]
)
SETTINGS = st.sampled_from(
    [
        *(
            "\nSET standard_conforming_strings = off;\n",
            "\nSET standard_conforming_strings = on;\n",
        ),
        *("set Standard_Conforming_Strings to 'off';", "SET LOCAL standard_conforming_strings=0;"),
        *("SELECT set_config('standard_conforming_strings', 'off', false);", "RESET ALL;\n"),
        *("SELECT pg_catalog.set_config('standard_conforming_strings', 'on', true);",),
        *("RESET standard_conforming_strings;", "SET standard_conforming_strings TO DEFAULT;"),
        *("SET client_encoding = 'LATIN1';\n", "SET NAMES 'UTF8';", "SET client_encoding TO utf8;"),
        *("SET client_encoding TO DEFAULT;", "RESET client_encoding;", "SET NAMES latin9;"),
        *('SET search_path = "a;b", public;', "SET search_path TO DEFAULT;"),
        *("SELECT pg_catalog.set_config('search_path', 'public', false);",),
        *(
            "SET backslash_quote = on;",
            "SET escape_string_warning = off;",
            "SET DateStyle = 'SQL';",
        ),
        *("SET SESSION AUTHORIZATION DEFAULT;", "RESET ROLE;", "SET TIME ZONE 'UTC';"),
        *("SAVEPOINT s;", "ROLLBACK TO s;", "RELEASE s;", "ROLLBACK TO SAVEPOINT s;"),
        *("SAVEPOINT s; SET standard_conforming_strings = off; ROLLBACK TO s;",),
        *("SET CONSTRAINTS ALL DEFERRED;", "SET check_function_bodies = false;"),
    ]
)
COMMANDS = st.sampled_from(
    [
        *("\\echo hello\n", "\\echo 'it''s; \"' \"a;b\"\n", "\\qecho a \\\\ SELECT 1;\n"),
        *("\\set ON_ERROR_STOP on\n", "\\timing off\n", "\\pset pager off\n", "\\echo :a ;\n"),
        *("SELECT 1 \\echo in its midst\n;", "\\warn ; \n", "\\set QUIET on\n", "\\echo a\\\\;\n"),
        *(
            "\\restrict k\nSELECT 1;\n\\unrestrict k\n",
            "-- \\i nowhere.sql\n",
            "/* \\q */",
            "\\echo\n",
        ),
        *("\\timing\n", "\\echo \\echo b\n"),
    ]
)
STATEMENTS = st.one_of(
    st.builds("INSERT INTO t VALUES ({}, {});".format, NUMBER, LITERAL),
    st.builds("INSERT INTO t (b) VALUES ({}), ((({})));".format, LITERAL, LITERAL),
    st.builds("UPDATE t SET b = {} WHERE a = {};".format, LITERAL, NUMBER),
    st.builds("COMMENT ON TABLE t IS {};".format, LITERAL),
    st.builds("CREATE TABLE {} (a int DEFAULT {}, b text);".format, NAME, NUMBER),
    st.builds("INSERT INTO t (b) SELECT ({})::text;".format, OPERATORS),
    st.builds('CREATE VIEW {} AS SELECT {} AS "x;";'.format, NAME, OPERATORS),
    st.builds(
        "CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE plpgsql AS {};".format,
        NAME,
        LITERAL.map(lambda text: f"$f$BEGIN RETURN {text}; END;$f$"),
    ),
    st.builds(
        "CREATE FUNCTION {}(i int) RETURNS text BEGIN ATOMIC SELECT {}; SELECT CASE WHEN i = 1 THEN"
        " 'x' ELSE 'y;' END; END;".format,
        NAME,
        LITERAL,
    ),
    st.builds(
        "CREATE OR REPLACE PROCEDURE {}(i int) BEGIN ATOMIC {} {} END;".format, NAME, ATOMIC, ATOMIC
    ),
    st.builds("create or replace function {}(i int) returns int return {};".format, NAME, NUMBER),
    st.builds(
        "CREATE RULE {} AS ON UPDATE TO t DO ALSO (INSERT INTO log VALUES ({}); SELECT 1;);".format,
        NAME,
        LITERAL,
    ),
    st.builds(
        "CREATE RULE {} AS ON DELETE TO t DO ALSO (DELETE FROM log; INSERT INTO log VALUES ({});"
        " NOTIFY x);".format,
        NAME,
        LITERAL,
    ),
    st.builds(
        "CREATE SCHEMA app CREATE TABLE {} (a int, b text DEFAULT {}) CREATE VIEW v AS SELECT 1"
        ' AS "a;b" CREATE SEQUENCE s;'.format,
        NAME,
        LITERAL,
    ),
    st.builds("DO $do$BEGIN INSERT INTO log VALUES ({}); END$do$;".format, LITERAL),
    st.builds("DO $$DECLARE x text := $x${}$x$; BEGIN NULL; END$$;".format, st.just(";'\"(")),
    st.builds("SELECT {} AS e, 1 --x;\n, (ARRAY[1,2])[1:2];".format, LITERAL),
    st.builds("PREPARE p{} AS INSERT INTO t VALUES ($1, $2);".format, st.integers(0, 99)),
    st.integers(2, 60).map(lambda n: f"SELECT {'(' * n}1{')' * n};"),
    st.integers(2, 60).map(lambda n: f"{'/* ; ' * n}{' * / */' * n} SELECT 1;"),
    st.integers(2, 20).map(
        lambda n: (
            "DO LANGUAGE plpgsql $o$BEGIN PERFORM "
            + "".join(f"$a{i}$" for i in range(n))
            + ";"
            + "".join(f"$a{i}$" for i in reversed(range(n)))
            + "; END$o$;"
        )
    ),
    COPIES,
    COPIES,
    SETTINGS,
    COMMANDS,
    statement(lambda text: f"/* {text.replace('*/', '').replace('/*', '')} /* ; */ */"),
    statement(lambda text: "-- " + text.replace("\n", " ").replace("\r", " ") + "\n"),
    st.sampled_from(
        [
            *(
                "COPY t TO stdout;\n",
                ";",
                ";;;",
                'CREATE SCHEMA "a;b";',
                "TABLE t;",
                "\r\n",
                "\n\n",
            ),
            *("COPY (SELECT ';') TO STDOUT (FORMAT csv);", "BEGIN;\nSELECT 1;\nCOMMIT;\n", "\r"),
            *(
                "SELECT 1 -- lone\r, 2;",
                "start transaction; END;",
                "/* a */;/* b */",
                "SELECT 1\f;",
            ),
            *(
                'CREATE TABLE IF NOT EXISTS u AS SELECT 1 AS "a\'b";',
                "EXPLAIN SELECT 1;",
                "VALUES (1);",
            ),
            *("DECLARE c CURSOR FOR SELECT 1; FETCH c; CLOSE c;", "ANALYZE t;", "LOCK TABLE t;"),
        ]
    ),
)
BROKEN = st.one_of(
    st.sampled_from(
        [
            *(
                "SELEC 1;",
                "INSERT INTO nowhere VALUES (1);",
                "SELECT 1/0;",
                "SELECT (1;",
                "'",
                "$$",
            ),
            *("COPY t (a) FROM stdin;\nx\n\\.\n", "/*", "SELECT 1); ", "ALTER TABLE t ADD CHECK;"),
            *("INSERT INTO log VALUES (NULL);", "COPY nowhere FROM stdin;\n1\n\\.\n", '"', "E'\\'"),
            *("COMMIT;", "ROLLBACK;", "VACUUM;", "BEGIN;", "CREATE INDEX CONCURRENTLY i ON t (a);"),
            *("COPY t FROM stdin;\n1\ta\n", "COPY t FROM stdin; SELECT 1;\n\\.\n", "\\.\n", "\\"),
            *("SET client_encoding = 'SJIS';", "SET TRANSACTION READ ONLY;", "U&'\\zz'", "$1$$;$$"),
            *(
                "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1';",
                "SELECT 1 AS end;",
            ),
            *(
                "\\i nowhere.sql\n",
                "SELECT 1 \\g\n",
                "SELECT 1\\;SELECT 2;",
                "\\if false\n",
                "\\q\n",
            ),
            *(
                "SELECT :'a';",
                'SELECT :"a";',
                "\\set a 1\n",
                "\\restrict a\n\\echo b\n",
                "\\echo 'a\n",
            ),
            *("\\unrestrict a\n", "\\restrict\n", "\\pset format x\n", "\\set ON_ERROR_STOP off\n"),
            *("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;", "COPY t FROM stdin;\n1\n\\.", "[:a"),
        ]
    ),
    TEXT,
)
PREPARED = (
    "CREATE TABLE t (a int, b text);\nCREATE TABLE log (entry text NOT NULL);\n"
    "CREATE RULE told AS ON INSERT TO log DO ALSO (SELECT 1; SELECT 2);\n"
)
BETWEEN = st.sampled_from(["\n", " ", "", "\r\n", " -- x\n", "\r", "\t/**/\n"])
SCRIPTS = st.builds(
    lambda parts, broken, at, between: (
        PREPARED
        + between.join([*parts[:at], *([broken] if broken is not None else []), *parts[at:]])
    ),
    st.lists(STATEMENTS, max_size=10),
    st.one_of(st.none(), st.none(), st.none(), BROKEN),
    st.integers(min_value=0, max_value=10),
    BETWEEN,
)


def in_latin1(text: str) -> bytes:
    """With the setting that says so, as an editor of old would have saved it."""
    return b"SET client_encoding = 'LATIN1';\n" + text.encode("latin-1", "replace")


ENCODINGS: list[Callable[[str], bytes]] = [
    *(str.encode, str.encode, str.encode, str.encode, in_latin1),
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.replace("\r", "").replace("\n", "\r\n").encode(),
    lambda text: text.encode("latin-1", "replace"),  # and nothing that says so
]
ENCODED = st.builds(lambda text, how: how(text), SCRIPTS, st.sampled_from(ENCODINGS))

BYTES = [
    *(b"'", b'"', b"\\", b";", b"\n", b"\r", b"$", b"(", b")", b"/*", b"*/", b"--", b"E'", b"$$"),
    *(b"\xff", b"\xc3", b"\0", b":", b"[", b"]", b"\\.\n", b" ", b"a", b"U&'", b"\x1a", b"\xa0"),
]


def damaged(script: bytes, damages: list[tuple[float, int, bytes]]) -> bytes:
    """Pieces of the script taken out, and others put in their place."""
    # not in what PREPARED makes: without its tables everything fails
    for where, length, put in damages:
        first = min(len(PREPARED), len(script))
        at = first + int(where * (len(script) - first))
        script = script[:at] + put + script[at + length :]
    return script


DAMAGED = st.builds(
    damaged,
    ENCODED,
    st.lists(
        st.tuples(
            st.floats(0, 1, width=16),
            st.sampled_from([0, 0, 1, 2, 9]),
            st.sampled_from([b"", *BYTES]),
        ),
        min_size=1,
        max_size=3,
    ),
)
CUT = st.builds(
    lambda script, at: script[: int(at * len(script))], ENCODED, st.floats(0, 1, width=16)
)

# psql 18.6 takes what follows an empty statement for data, if COPY FROM stdin comes right before.
# A command of psql's between them doesn't count; so whatever begins with one is kept apart, too.
_NOTHING = rb"(?:\s|--[^\r\n]*[\r\n]|/\*(?:/\* ; \*/|[^*/]|\*(?!/)|/(?!\*))*\*/)*"
EMPTY_AFTER_COPY = re.compile(rb"(\n\\\.\r?\n)(?=" + _NOTHING + rb"[;\\])")
BINARY = st.builds(
    lambda before, content: before + content,
    st.sampled_from(
        [b"", b"PGDMP", b"\x1f\x8b\x08", b"SELECT 1;\n", b"\xff\xfe", PREPARED.encode()]
    ),
    st.binary(max_size=200),
)

# A database with what is odd in names and texts, for pg_dump.
RICH = r"""
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('so;so', 'it''s fine');
CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 9);
CREATE TABLE app.person (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name app.short NOT NULL DEFAULT 'a\b',
  mood app.mood, "odd;""name" jsonb DEFAULT '{"a": ";"}', b bytea, tags text[]
);
CREATE TABLE app.part (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW app.v AS SELECT name, tags[1:2] AS "first;" FROM app.person WHERE name <> E'\\;';
CREATE FUNCTION app.f(i int) RETURNS int LANGUAGE plpgsql AS $$BEGIN -- it's; "
  RETURN CASE WHEN i > 1 THEN $q$1;$q$::text ELSE '2' END; END$$;
CREATE FUNCTION app.log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END;';
CREATE TRIGGER logs BEFORE INSERT ON app.person FOR EACH ROW EXECUTE FUNCTION app.log();
CREATE RULE r AS ON DELETE TO app.person DO INSTEAD (SELECT 1; SELECT 2);
CREATE INDEX i ON app.person (lower(name)) WHERE name <> ';';
ALTER TABLE app.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.person USING (name <> ';');
COMMENT ON TABLE app.person IS E'one\ntwo; it''s \\ a "comment"';
CREATE MATERIALIZED VIEW app.m AS SELECT count(*) FROM app.person;
INSERT INTO app.person (name, mood, b, tags)
  SELECT 'n' || i || E'\t\\;', 'it''s fine', '\x00ff', ARRAY['a;', E'b\n\\.\n', 'é'] FROM
  generate_series(1, 300) AS i;
INSERT INTO app.person (name) VALUES (E'\\.'), (E'\r\n'), (''), ('$$');
INSERT INTO app.part VALUES (1, '2024-05-05');
"""
BODY = """
CREATE FUNCTION app.g(a int) RETURNS int BEGIN ATOMIC
  SELECT CASE WHEN a = 1 THEN 2 ELSE 3 END; SELECT 4; END;
"""
