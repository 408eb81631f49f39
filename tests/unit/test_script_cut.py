"""Where statements end and on which line they begin: psql's rules, one case each."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import SurefootError
from surefoot.scripts.lexer import NotSql, Unfinished, cut, cut_fast, cut_run
from surefoot.scripts.reader import CopyBlock, Script, Statement, read

CASES: dict[str, tuple[bytes, list[tuple[int, bytes]]]] = {
    "two": (b"SELECT 1;\nSELECT 2;\n", [(1, b"SELECT 1;"), (2, b"SELECT 2;")]),
    "two on a line": (b"SELECT 1; SELECT 2;", [(1, b"SELECT 1;"), (1, b"SELECT 2;")]),
    "no semicolon at the end": (b"SELECT 1;\nSELECT 2\n", [(1, b"SELECT 1;"), (2, b"SELECT 2\n")]),
    "empty file": (b"", []),
    "nothing but space": (b" \t\r\n\f\n", []),
    "empty statements": (b";\n;; /* c */ ; -- d\n;", []),
    "comment first": (b"-- one;\n/* two; */ SELECT 1;", [(2, b"SELECT 1;")]),
    "comment last": (b"SELECT 1;\n-- the end; 'quite", [(1, b"SELECT 1;")]),
    "comment ended by a carriage return": (b"-- x\rSELECT 1;", [(1, b"SELECT 1;")]),
    "comment inside": (b"SELECT 1 -- it's; not\n;", [(1, b"SELECT 1 -- it's; not\n;")]),
    "nested comment": (b"/* a /* b; */ c; */SELECT 1;", [(1, b"SELECT 1;")]),
    "comment that starts in an operator": (b"SELECT 1+/*;*/2;", [(1, b"SELECT 1+/*;*/2;")]),
    "comment with stars": (b"/***;**/ SELECT/**/1;", [(1, b"SELECT/**/1;")]),
    "line comment in an operator": (b"SELECT 1+--;\n2;", [(1, b"SELECT 1+--;\n2;")]),
    "string": (b"SELECT 'a;''b\\';\n", [(1, b"SELECT 'a;''b\\';")]),
    "string of lines": (b"SELECT '\n;\n';SELECT 2", [(1, b"SELECT '\n;\n';"), (3, b"SELECT 2")]),
    "escape string": (b"SELECT E'a\\';''b\\\\';", [(1, b"SELECT E'a\\';''b\\\\';")]),
    "escape string, lower case": (b"SELECT e'\\';';", [(1, b"SELECT e'\\';';")]),
    "a name that ends in e": (b"SELECT type'\\';", [(1, b"SELECT type'\\';")]),
    "a number before a quote": (b"SELECT 1e'\\';", [(1, b"SELECT 1e'\\';")]),
    "a dollar string before E": (b"SELECT $$$$E'\\';';", [(1, b"SELECT $$$$E'\\';';")]),
    # psql reads line by line, and takes the second part for a plain string
    "string continued": (b"SELECT E'a'\n'\\';", [(1, b"SELECT E'a'\n'\\';")]),
    "string continued after \\r": (b"SELECT E'a'\r'\\';';", [(1, b"SELECT E'a'\r'\\';';")]),
    "other strings": (
        b"SELECT B'1;', x'f;', N'\\;', U&'\\;' UESCAPE '!';",
        [(1, b"SELECT B'1;', x'f;', N'\\;', U&'\\;' UESCAPE '!';")],
    ),
    "quoted names": (b'SELECT "a;""b", U&"\\;";', [(1, b'SELECT "a;""b", U&"\\;";')]),
    "dollar string": (b"DO $$ a; 'b $x$ $$;", [(1, b"DO $$ a; 'b $x$ $$;")]),
    "tagged dollar string": (b"DO $a$;$$;$b$;$a$;", [(1, b"DO $a$;$$;$b$;$a$;")]),
    "tag with other bytes": ("DO $é$;$é$;".encode(), [(1, "DO $é$;$é$;".encode())]),
    "a dollar in a name": (b"SELECT a$b$; SELECT 1;", [(1, b"SELECT a$b$;"), (1, b"SELECT 1;")]),
    "a parameter": (b"PREPARE p AS SELECT $1;", [(1, b"PREPARE p AS SELECT $1;")]),
    "parentheses": (
        b"CREATE RULE r AS DO (a; (b); c);",
        [(1, b"CREATE RULE r AS DO (a; (b); c);")],
    ),
    "one parenthesis too many": (b"SELECT 1); SELECT 2;", [(1, b"SELECT 1);"), (1, b"SELECT 2;")]),
    "body in standard SQL": (
        b"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT CASE WHEN true THEN 1 END; END;\nA;",
        [
            (
                1,
                b"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT CASE WHEN true THEN 1 END;"
                b" END;",
            ),
            (2, b"A;"),
        ],
    ),
    "body of a procedure": (
        b"create or replace procedure p() begin atomic delete from t; end;select 1;",
        [
            (1, b"create or replace procedure p() begin atomic delete from t; end;"),
            (1, b"select 1;"),
        ],
    ),
    "begin elsewhere": (b"CREATE TABLE begin (a int);", [(1, b"CREATE TABLE begin (a int);")]),
    "a cast and an assignment": (
        b"SELECT a::text, f(b:=1), c[1:2], c[:d];",
        [(1, b"SELECT a::text, f(b:=1), c[1:2], c[:d];")],
    ),
    "byte order mark": (b"\xef\xbb\xbfSELECT 1;", [(1, b"SELECT 1;")]),
    "CRLF": (b"SELECT 1;\r\nSELECT\r\n2;\r\n", [(1, b"SELECT 1;"), (2, b"SELECT\r\n2;")]),
    "other bytes": (b"SELECT '\xe9;' AS \xe9$\xff;", [(1, b"SELECT '\xe9;' AS \xe9$\xff;")]),
    "insert": (
        b"INSERT INTO t VALUES (1, 'a;', ';', -2.5, now()::text);\n\nUPDATE t SET a = (((1)));\n",
        [
            (1, b"INSERT INTO t VALUES (1, 'a;', ';', -2.5, now()::text);"),
            (3, b"UPDATE t SET a = (((1)));"),
        ],
    ),
    "insert with all there is": (
        b"INSERT INTO t VALUES (E'\\';', $$;$$, ((((';')))), 'a'':') -- ;\n;delete from t;",
        [
            (1, b"INSERT INTO t VALUES (E'\\';', $$;$$, ((((';')))), 'a'':') -- ;\n;"),
            (2, b"delete from t;"),
        ],
    ),
    "backslashes count once the setting is off": (
        b"SET standard_conforming_strings = off;\nINSERT INTO t VALUES ('\\';');\nSELECT '\\';';\n"
        b"SET standard_conforming_strings TO 'on';\nSELECT '\\';",
        [
            (1, b"SET standard_conforming_strings = off;"),
            (2, b"INSERT INTO t VALUES ('\\';');"),
            (3, b"SELECT '\\';';"),
            (4, b"SET standard_conforming_strings TO 'on';"),
            (5, b"SELECT '\\';"),
        ],
    ),
    "the setting by set_config, put back by RESET": (
        b"SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);\n"
        b"SELECT '\\';';\nRESET ALL;\nSELECT '\\';",
        [
            (1, b"SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);"),
            (2, b"SELECT '\\';';"),
            (3, b"RESET ALL;"),
            (4, b"SELECT '\\';"),
        ],
    ),
    "silent psql commands": (
        b"\\set QUIET on\n\\set ON_ERROR_STOP on\nSELECT 1 \\echo 'a;' ;\n;\n\\pset border 2\n",
        [(3, b"SELECT 1 " + b" " * 12 + b"\n;")],
    ),
    "a psql command and SQL after its end": (
        b"\\echo 'x' \\\\ SELECT 1;\n\\timing off \\pset pager off\nSELECT 2;",
        [(1, b"SELECT 1;"), (3, b"SELECT 2;")],
    ),
    "a dump's first and last line": (
        b"\\restrict k1\nSELECT 1;\n\\unrestrict k1\n\\restrict k2\\\\SELECT 2;\n\\unrestrict k2",
        [(2, b"SELECT 1;"), (4, b"SELECT 2;")],
    ),
    "copy": (
        b"COPY t (a, b) FROM stdin;\n1\t;\n\\.x\n\n\\.\nSELECT 1;",
        [(1, b"COPY t (a, b) FROM stdin;"), (2, b"1\t;\n\\.x\n\n"), (6, b"SELECT 1;")],
    ),
    "copy of nothing": (
        b'\ncopy "a;"."b" from STDIN with (format csv); -- data\n\\.\nSELECT 1;',
        [(2, b'copy "a;"."b" from STDIN with (format csv);'), (3, b""), (4, b"SELECT 1;")],
    ),
    "copy with CRLF": (
        b"COPY t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;",
        [(1, b"COPY t FROM stdin;"), (2, b"1\r\n"), (4, b"SELECT 1;")],
    ),
    "copy at the end of the file": (
        b"COPY t FROM stdin;\n1\n\\.",
        [(1, b"COPY t FROM stdin;"), (2, b"1\n")],
    ),
    "copy out": (
        b"COPY (SELECT 1) TO STDOUT;\n1;",
        [(1, b"COPY (SELECT 1) TO STDOUT;"), (2, b"1;")],
    ),
    "copy from a file": (b"COPY t FROM '/stdin';\n1;", [(1, b"COPY t FROM '/stdin';"), (2, b"1;")]),
}


def pieces(path: Path, content: bytes, chunk: int) -> list[tuple[int, bytes]]:
    """Every statement with its line; the data of COPY too, with the line of its first row."""
    path.write_bytes(content)
    found: list[tuple[int, bytes]] = []
    for item in read(Script(path), server_version=180000, chunk=chunk):
        if isinstance(item, CopyBlock):
            found.append((item.line, item.sql))
            found.append((item.data_line, b"".join(item.data)))
        else:
            found += [(line, sql) for line, _, sql in item.statements()]
    return found


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("name", CASES)
def test_statements_are_those_that_psql_sends(name: str, chunk: int, tmp_path: Path) -> None:
    """Whatever the size of the pieces that the file is read in."""
    content, expected = CASES[name]
    assert pieces(tmp_path / "script.sql", content, chunk) == expected


def test_data_of_copy_that_nobody_reads_is_passed_over(tmp_path: Path) -> None:
    """The next item stands after the data, not in it."""
    script = tmp_path / "script.sql"
    script.write_bytes(b"COPY t FROM stdin;\n1\n2\n\\.\nSELECT 1;")
    items = list(read(Script(script), server_version=180000, chunk=4))
    assert [(item.line, item.sql) for item in items[1:]] == [(5, b"SELECT 1;")]


PARTS = st.sampled_from(
    [
        *(
            b"INSERT INTO t VALUES (",
            b"UPDATE t SET a = ",
            b"delete from t",
            b"SELECT ",
            b"CREATE ",
        ),
        *(b"OR REPLACE ", b"FUNCTION f() ", b"BEGIN ATOMIC ", b" CASE ", b" END ", b"COPY t FROM "),
        *(b"stdin", b";", b";\n", b"(", b")", b"[", b"]", b"'", b"''", b"E'", b"e'", b"N'", b"U&'"),
        *(b'U&"', b'"', b"\\", b"\\\\", b"\\'", b"$", b"$$", b"$a$", b"$1", b"a$", b"--", b"-"),
        *(
            b"/*",
            b"*/",
            b"/",
            b"*",
            b"::",
            b":",
            b":=",
            b"[:b",
            b":b",
            b"a",
            b"E",
            b"1",
            b"1.5",
            b" ",
            b"\n",
        ),
        *(b"\r", b"\r\n", b"\t", b"\xc3\xa9", b"\xff", b",", b"\n\\.\n", b"\\.", b"{?a}"),
        *(b"SET standard_conforming_strings = off;\n", b"RESET ALL;\n"),
    ]
)
TEXTS = st.lists(PARTS, max_size=40).map(b"".join)
Result = list[tuple[int, bytes]] | str


def outcome(path: Path, content: bytes, chunk: int) -> Result:
    """The pieces, or the refusal."""
    try:
        return pieces(path, content, chunk)
    except SurefootError as error:
        return f"{error.finding.code}: {error}"


@given(text=TEXTS, chunk=st.sampled_from([1, 2, 3, 7, 64]))
@settings(max_examples=400, deadline=None)
def test_the_size_of_the_pieces_changes_nothing(
    text: bytes, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Same statements, same lines, same refusals."""
    path = tmp_path_factory.getbasetemp() / "chunks.sql"
    assert outcome(path, text, chunk) == outcome(path, text, 1 << 20)


Place = tuple[int, int, tuple[tuple[int, int], ...]] | tuple[type[Exception], tuple[object, ...]]


def place(text: bytes, standard_strings: bool) -> Place | None:
    """What `cut` says of the first statement, but for its skeleton."""
    try:
        found = cut(text, 0, final=True, standard_strings=standard_strings)
    except (NotSql, Unfinished) as error:
        return type(error), error.args
    return found and (found.begin, found.end, found.blanks)


STRINGS = st.lists(st.sampled_from([b"a", b"''", b"\\", b"\\'", b"\\\\", b";", b"\n"]), max_size=6)
VALUES = st.one_of(
    STRINGS.map(lambda parts: b"'" + b"".join(parts) + b"'"),
    STRINGS.map(lambda parts: b"E'" + b"".join(parts) + b"'"),
    STRINGS.map(lambda parts: b"type'" + b"".join(parts) + b"'"),
    st.sampled_from([b"1", b"-1", b"a::b", b"(1;2)", b"now()", b'"a;"', b"((((1))))", b"f(a:=1)"]),
    PARTS,
)
INSERTS = st.builds(
    lambda head, values, tail: head + b", ".join(values) + tail,
    st.sampled_from([b"INSERT INTO t VALUES (", b"\n insert into t select ", b"UPDATE t SET x = "]),
    st.lists(VALUES, max_size=8),
    st.sampled_from([b");", b";", b");\nINSERT INTO t VALUES (1);", b"'", b""]),
)


@given(text=st.one_of(TEXTS, INSERTS), standard_strings=st.booleans())
@settings(max_examples=1000, deadline=None)
def test_the_fast_way_and_the_slow_way_agree(text: bytes, standard_strings: bool) -> None:
    """What the one expression cuts, reading token by token cuts in the same place.

    A first word that doesn't exist is what makes `cut` read every token: there is no short cut.
    """
    fast = cut_fast(text, 0, standard_strings)
    if fast is not None:
        unknown = text[: fast[0]] + b"X" + text[fast[0] + 1 :]
        assert place(unknown, standard_strings) == (*fast, ())


@given(
    texts=st.lists(st.one_of(TEXTS, INSERTS), max_size=6),
    limit=st.integers(1, 400),
    standard_strings=st.booleans(),
)
@settings(max_examples=1000, deadline=None)
def test_a_run_is_its_statements_one_after_the_other(
    texts: list[bytes], limit: int, standard_strings: bool
) -> None:
    """Cut as a run and told apart again, or cut one by one: the same statements."""
    text = b"\n".join(texts)
    run = cut_run(text, 0, limit, standard_strings)
    if run is None:
        return
    begin, end = run
    line = 1 + text.count(b"\n", 0, begin)
    told_apart = Statement(line, text[begin:end], run=standard_strings).statements()
    at, one_by_one = 0, []
    while at < end:
        found = cut_fast(text, at, standard_strings)
        assert found is not None
        one_by_one.append(
            (1 + text.count(b"\n", 0, found[0]), found[0] - begin, text[slice(*found)])
        )
        at = found[1]
    assert told_apart == one_by_one
    assert at == end <= limit


@given(text=st.one_of(TEXTS, INSERTS), standard_strings=st.booleans())
@settings(max_examples=1000, deadline=None)
def test_runs_of_tokens_are_what_their_tokens_are(text: bytes, standard_strings: bool) -> None:
    """In statements that no rule looks into, tokens are read in runs."""
    in_runs = place(b"INSERT " + text, standard_strings)
    assert in_runs == place(b"XNSERT " + text, standard_strings)


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO t VALUES (1, 'it''s; \\ fine', E'\\';', -1, '{}'::jsonb);",
        b"\n\nupdate t set a = (1), b = coalesce((c), (d));",
        b'DELETE FROM "a;b" WHERE c <> 4/2;',
    ],
)
def test_plain_statements_go_the_fast_way(text: bytes) -> None:
    """Or the speed would be lost without anybody seeing it."""
    assert cut_fast(text, 0, True) is not None
