"""What a script may not hold: each refusal with its code, its line and a way out."""

import os
from pathlib import Path

import pytest

from surefoot.errors import CODES, Finding, SurefootError
from surefoot.scripts.reader import Script, check


def refusal(path: Path, content: bytes, *, server_version: int = 180000) -> Finding:
    """The finding that ends the first pass."""
    path.write_bytes(content)
    script = Script(path, name="sql/init.sql")
    with pytest.raises(SurefootError) as caught:
        check([script], server_version=server_version)
    assert caught.value.finding.code in CODES
    assert caught.value.finding.next
    return caught.value.finding


NEEDS_PSQL: dict[bytes, tuple[int, str, str]] = {
    b"SELECT 1;\n\\i other.sql\n": (2, r"\i", "init ="),
    b"\\ir other.sql": (1, r"\ir", "init ="),
    b"\n\n\\connect prod\n": (3, r"\connect", "without -C"),
    b"SELECT 1; \\c prod": (1, r"\c", "without -C"),
    b"\\set name 'x'\n": (1, r"\set", "its value"),
    b"\\set ECHO_HIDDEN on\n": (1, r"\set", "its value"),
    b"SELECT 'a' \\gexec\n": (1, r"\gexec", "DO block"),
    b"\\if true\nSELECT 1;\n\\endif": (1, r"\if", "DO block"),
    b"\\copy t FROM 'x'": (1, r"\copy", "COPY"),
    b"SELECT 1\\; SELECT 2;": (1, r"\;", "; alone"),
    b"SELECT 1 \\g\n": (1, r"\g", "; alone"),
    b"\\echo hello \\i x\n": (1, r"\i", "init ="),
    b"\\echoes\n": (1, r"\echoes", "remove the line"),
    b"\\set ON_ERROR_STOP off\n": (1, r"\set", "its value"),
    b"\\pset format nonsense\n": (1, r"\pset", "remove the line"),
    b"\\timing perhaps\n": (1, r"\timing", "remove the line"),
    b"\n\\restrict\n": (2, r"\restrict", "remove the line"),
    b"\\restrict a\n\\unrestrict b\n": (2, r"\unrestrict", "remove the line"),
    b"\\restrict a\n\\echo hello\n\\unrestrict a\n": (2, r"\echo", "remove the line"),
    b"SELECT 1;\n\\unrestrict a\n": (2, r"\unrestrict", "remove the line"),
    b"\\! rm x\n": (1, r"\!", "remove the line"),
    b"SELECT\n:'name';": (2, ":'name'", "its value"),
    b'SELECT :"name";': (1, ':"name"', "its value"),
    b"SELECT :{?name};": (1, ":{?name}", "its value"),
    b"SELECT a FROM t LIMIT :n;": (1, ":n", "its value"),
    b"INSERT INTO t VALUES (:n);": (1, ":n", "its value"),
    b"SELECT a[1:2], :n;": (1, ":n", "its value"),
    b"COPY t FROM stdin; SELECT 1;\n1\n\\.\n": (1, "COPY", "after the line"),
}


@pytest.mark.provokes("script-needs-psql")
@pytest.mark.parametrize("content", NEEDS_PSQL)
def test_what_needs_psql(content: bytes, tmp_path: Path) -> None:
    """By name and line, with what to do instead."""
    line, name, way_out = NEEDS_PSQL[content]
    finding = refusal(tmp_path / "s.sql", content)
    assert finding.code == "script-needs-psql"
    assert finding.message.startswith(f"sql/init.sql:{line}: ")
    assert name in finding.message
    assert way_out in finding.next


TRUNCATED: dict[bytes, tuple[int, str]] = {
    b"SELECT 1;\nSELECT 'a;\n": (2, "string"),
    b"SELECT E'a\\'": (1, "string"),
    b'SELECT "a;': (1, "quoted name"),
    b"SELECT 1,\n$a$ b; $$": (2, "$a$ string"),
    b"\n/* a /* b */": (2, "comment"),
    b"SELECT\n(1;\n\nSELECT 2;": (2, "parenthesis"),
    b"CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC SELECT 1;": (2, "BEGIN"),
    b"SELECT 1;\nCOPY t FROM stdin;\n1\t2\n": (2, "COPY"),
    b"COPY t FROM stdin;": (1, "COPY"),
    b"COPY t FROM stdin": (1, "COPY"),
    b"COPY t FROM stdin;\n1\n \\.\n\\.x\n": (1, "COPY"),
    b"SELECT 1;\nBEGIN;\nSELECT 2;\n": (2, "transaction"),
    b"--\n\\restrict k\nSELECT 1;\n": (2, "dump"),
    b"COPY t FROM stdin;\n1\n\\.\r": (1, "COPY"),
    b"COPY t FROM stdin (FORMAT csv);\n1\n\\.": (1, "COPY"),
    b"COPY t FROM stdin;\n1\r\n\\.": (1, "COPY"),
}


@pytest.mark.provokes("script-truncated")
@pytest.mark.parametrize("content", TRUNCATED)
def test_what_does_not_end(content: bytes, tmp_path: Path) -> None:
    """Named by the line where it was opened."""
    line, what = TRUNCATED[content]
    finding = refusal(tmp_path / "s.sql", content)
    assert finding.code == "script-truncated"
    assert finding.message.startswith(f"sql/init.sql:{line}: ")
    assert what in finding.message


ENCODING: dict[bytes, str] = {
    b"PGDMP\x01\x0e\x00": "pg_restore",
    b"toc.dat" + b"\0" * 93: "pg_restore",
    b"\x1f\x8b\x08\x00": "uncompress",
    b"\x28\xb5\x2f\xfd\x00": "uncompress",
    b"PK\x03\x04": "unpack",
    "SELECT 1;".encode("utf-16"): "iconv -f UTF-16",
    b"SELECT 1;\nSELECT '\0';": "UTF-8",
    b"COPY t FROM stdin;\n\0\n\\.\n": "UTF-8",
    b"SET client_encoding = 'SJIS';": "iconv -f SJIS",
    b"set names 'shift_jis_2004';": "iconv",
    b"SET SESSION client_encoding TO big5;": "iconv",
    b"SELECT set_config('client_encoding', 'GB18030', false);": "iconv",
}


@pytest.mark.provokes("script-encoding")
@pytest.mark.parametrize("content", ENCODING)
def test_what_is_not_a_readable_text(content: bytes, tmp_path: Path) -> None:
    """With the command that makes it one."""
    finding = refusal(tmp_path / "s.sql", content)
    assert finding.code == "script-encoding"
    assert ENCODING[content] in finding.next


def test_a_zero_byte_is_found_with_its_line(tmp_path: Path) -> None:
    """However far into the file."""
    finding = refusal(tmp_path / "s.sql", b"SELECT 1;\n" * 200_000 + b"SELECT '\0'")
    assert finding.message.startswith("sql/init.sql:200001: ")


@pytest.mark.provokes("script-not-found")
def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    """A directory is no script either (pg_dump has a directory format), nor what may never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (
        *(tmp_path / "nowhere.sql", tmp_path, tmp_path / "pipe", tmp_path / "loop"),
        Path("/dev/zero"),
    ):
        with pytest.raises(SurefootError) as caught:
            check([Script(path)], server_version=180000)
        assert caught.value.finding.code == "script-not-found"


ENDS_TRANSACTION = [
    *(b"COMMIT", b"END", b"COMMIT WORK", b"ROLLBACK", b"ABORT", b"ROLLBACK WORK"),
    *(b"BEGIN; COMMIT AND CHAIN", b"BEGIN; ROLLBACK; BEGIN; COMMIT", b"end transaction"),
]


@pytest.mark.provokes("script-not-transactional")
@pytest.mark.parametrize("content", ENDS_TRANSACTION)
def test_what_would_end_the_transaction(content: bytes, tmp_path: Path) -> None:
    """A COMMIT of nothing that the script began, and every ROLLBACK."""
    finding = refusal(tmp_path / "s.sql", content + b";")
    assert finding.code == "script-not-transactional"


def test_all_statements_of_all_scripts_are_told_at_once(tmp_path: Path) -> None:
    """One run is enough to know them all."""
    one, two = tmp_path / "one.sql", tmp_path / "two.sql"
    one.write_bytes(b"VACUUM;\nSELECT 1;\nCREATE INDEX\n  CONCURRENTLY i ON t (a);\n")
    two.write_bytes(b"\nDROP DATABASE " + b"x" * 200 + b";")
    with pytest.raises(SurefootError) as caught:
        check([Script(one, name="one"), Script(two, name="two")], server_version=180000)
    seen = caught.value.finding.seen
    assert seen[:2] == ("one:1: VACUUM;", "one:3: CREATE INDEX …")
    assert seen[2].startswith("two:2: DROP DATABASE xxx")
    assert len(seen[2]) < 120


FINE = [
    *(b"SAVEPOINT a", b"RELEASE SAVEPOINT a", b"ROLLBACK TO a", b"rollback work to savepoint a"),
    *(b"ROLLBACK TRANSACTION TO SAVEPOINT a", b"CREATE TABLE vacuum_log (a int)", b"ANALYZE"),
    *(b"CREATE INDEX i ON t (a)", b"REINDEX TABLE t", b"CLUSTER t USING i", b"DISCARD TEMP"),
    *(b'CLUSTER "t"', b"ALTER DATABASE d SET search_path = x", b"PREPARE p AS SELECT 1"),
    b"CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
    b"ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
    *(b"ALTER TABLE t DETACH PARTITION p", b"COMMENT ON TABLE t IS 'VACUUM'", b"SELECT 'COMMIT'"),
    *(b"BEGIN; COMMIT", b"begin work; END", b"START TRANSACTION; COMMIT AND NO CHAIN"),
    *(b"BEGIN; SELECT 1; COMMIT; BEGIN TRANSACTION; COMMIT WORK", b"BEGIN; BEGIN; COMMIT"),
]


@pytest.mark.parametrize("content", FINE)
def test_what_is_fine_in_a_transaction(content: bytes, tmp_path: Path) -> None:
    """Lookalikes of what is not, and the script's own pairs."""
    path = tmp_path / "s.sql"
    path.write_bytes(content + b";")
    check([Script(path)], server_version=180000)


def test_what_is_left_out_is_noticed(tmp_path: Path) -> None:
    """By line, with the reason: the pair, a setting too new, the search_path of pg_dump."""
    path = tmp_path / "s.sql"
    path.write_bytes(
        b"BEGIN ISOLATION LEVEL SERIALIZABLE;\nSET transaction_timeout = 0;\n"
        b"SELECT pg_catalog.set_config('search_path', '', false);\nSELECT 1;\nCOMMIT;\n"
    )
    script = Script(path, name="s", search_path="public")
    (old,) = check([script], server_version=160004)
    assert [notice.split("(")[0].strip() for notice in old.notices] == [
        "s:1: left out: BEGIN ISOLATION LEVEL SERIALIZABLE;",
        "s:2: left out: SET transaction_timeout = 0;",
        "s:3: left out: SELECT pg_catalog.set_config",
        "s:5: left out: COMMIT;",
    ]
    (new,) = check([Script(path, name="s")], server_version=170000)
    assert len(new.notices) == 2
    assert new.sha256 == old.sha256
