"""The header of an init script, what makes a dump steady, and when a script is outdated."""

from pathlib import Path

import pytest

from surefoot.catalogue_build.pg_dump import steady
from surefoot.errors import SurefootError
from surefoot.look.code import read_scripts
from surefoot.project.config import load
from surefoot.scripts.check import outdated
from surefoot.scripts.header import ContentHash, Header, content_hash, header_text, read_header

CONTENT = b"create table people (id int);\n"

FULL = Header(
    "shop",
    "v1.1",
    ("b47e0a9d13c8",),
    "v1.0 (8c1d5e6b2f90)",
    "a" * 64,
    content_hash(CONTENT),
)

TEXT = f"""\
-- surefoot init script
-- application: shop
-- release: v1.1
-- revision: b47e0a9d13c8
-- compatible-with: v1.0 (8c1d5e6b2f90)
-- catalogue: {"a" * 64}
-- content: {content_hash(CONTENT)}
-- end of header
"""


def test_a_header_is_plain_comments_for_people() -> None:
    assert header_text(FULL) == TEXT


@pytest.mark.parametrize(
    "header",
    [
        FULL,
        Header("shop", None, ("r1",), None, None, "0" * 64),
        Header("shöp & söns", "v 1: beta", ("r1", "r2"), None, "1" * 64, "0" * 64),
    ],
)
def test_what_is_written_is_read(header: Header) -> None:
    """With all keys, with the fewest, with several revisions."""
    assert read_header(header_text(header).encode() + CONTENT) == header


def test_a_value_cannot_break_out_of_its_line() -> None:
    """A release that somebody names with a line end in it is still a comment."""
    header = Header("shop\ndrop table people;", "v1\r\n", ("r1",), None, None, "0" * 64)
    text = header_text(header)
    assert all(line.startswith("--") for line in text.splitlines())
    read = read_header(text.encode())
    assert read is not None
    assert (read.application, read.release) == ("shop drop table people;", "v1")


def test_line_ends_a_byte_order_mark_and_other_keys_do_not_matter() -> None:
    later = TEXT.replace("-- content", "-- signed-by: somebody\n-- content")
    above = "-- Copyright (c) the shop\n\n" + TEXT
    for text in (TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT, later, above):
        assert read_header(text.encode() + CONTENT) == FULL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "create table people (id int);\n",
        "-- our init script\ncreate table people (id int);\n",
        f"create table people (id int);\n{TEXT}",
    ],
)
def test_other_scripts_have_none(text: str) -> None:
    """Only what is above the first statement counts."""
    assert read_header(text.encode()) is None


@pytest.mark.parametrize(
    ("was", "becomes", "line", "words"),
    [
        ("-- application: shop\n", "", 7, 'no "application"'),
        ("-- revision: b47e0a9d13c8\n", "", 7, 'no "revision"'),
        ("-- content: ", "-- contents: ", 8, 'no "content"'),
        ("-- content: ", "-- content: x", 8, "no SHA-256"),
        ("-- catalogue: a", "-- catalogue: ", 8, "no SHA-256"),
        ("-- release: v1.1", "-- release:", 3, "neither a key nor the end"),
        ("-- release: v1.1", "<<<<<<< HEAD", 3, "neither a key nor the end"),
        ("-- release: v1.1", "-- release: v1\n-- release: v2", 9, "more than once"),
        ("-- end of header\n", "", 1, "has no line"),
    ],
)
def test_a_garbled_header_is_told_with_its_line(
    was: str, becomes: str, line: int, words: str
) -> None:
    garbled = TEXT.replace(was, becomes)
    assert garbled != TEXT
    content = b"" if words == "has no line" else CONTENT
    with pytest.raises(SurefootError) as raised:
        read_header(garbled.encode() + content, "sql/00_init.sql")
    finding = raised.value.finding
    assert finding.code == "init-script-header-invalid"
    assert finding.message.startswith(f"sql/00_init.sql:{line}: ")
    assert words in finding.seen[0]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_the_contents_hash_does_not_depend_on_pieces_or_line_ends(size: int) -> None:
    text = b"a\nb\n\r\rc\r\n\r\nd\r"
    plain = text.replace(b"\r\n", b"\n")
    found = ContentHash()
    for begin in range(0, len(text), size):
        found.update(text[begin : begin + size])
    assert found.hexdigest() == content_hash(plain)
    assert content_hash(plain) != content_hash(plain + b"\n")


def test_an_edited_script_is_noticed(tmp_path: Path) -> None:
    """What is behind the header counts, whatever its line ends; seeds have no header."""
    text = TEXT.encode() + CONTENT
    (tmp_path / "surefoot.toml").write_text('init = ["init.sql"]\nseeds = ["init.sql"]\n')
    project = load(None, tmp_path)
    entries = project.config.scripts(project.config.init)
    for content, edited in (
        (text, False),
        (text.replace(b"\n", b"\r\n"), False),
        (text.replace(b"shop", b"another"), False),
        (text.replace(b"people", b"pupils"), True),
        (text + b"-- by hand\n", True),
    ):
        (tmp_path / "init.sql").write_bytes(content)
        (script,) = read_scripts(project, entries, init=True)
        assert script.header is not None
        assert script.edited is edited
        (seed,) = read_scripts(project, entries)
        assert (seed.header, seed.edited, seed.sha256) == (None, False, script.sha256)


# --- what differs from run to run

DUMP = rb"""--
-- PostgreSQL database dump
--

\restrict Zq8

-- Dumped from database version 18.0
-- Dumped by pg_dump version 18.0

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET row_security = off;

--
-- Name: pg_trgm; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;


--
-- Name: EXTENSION pg_trgm; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement';


COPY public.notes (id, text) FROM stdin;
1	\restrict Zq8
2	SET transaction_timeout = 0;
\.

CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$
-- Dumped by pg_dump version 18.0
SET transaction_timeout = 0;
\unrestrict Zq8
$$;

--
-- PostgreSQL database dump complete
--

\unrestrict Zq8

"""


def test_only_pg_dumps_own_noise_is_taken_away() -> None:
    """In the data and in the functions, the same words stay."""
    text = steady(DUMP)
    head, _, rest = text.partition(b"COPY ")
    assert b"restrict" not in head
    assert b"Dumped" not in head
    assert b"transaction_timeout" not in head
    assert b"CREATE EXTENSION" in head
    assert b"COMMENT ON EXTENSION" not in head
    begin, end = DUMP.index(b"public.notes"), DUMP.rindex(b"\n\n\\unrestrict")
    assert rest == DUMP[begin : end + 1]


def test_a_plain_dump_stays_as_it_is() -> None:
    """Of a pg_dump that writes no key."""
    text = b"--\n-- PostgreSQL database dump\n--\n\nSET row_security = off;\n\nselect 1;\n"
    assert steady(text) == text


# --- outdated


def fresh(content: bytes = CONTENT, catalogue: str | None = None) -> bytes:
    header = Header("shop", None, ("r1",), None, catalogue, content_hash(content))
    return header_text(header).encode() + content


def test_the_same_script_is_not_outdated() -> None:
    """With other line ends, too, and with another catalogue or none, and what comes of it."""
    assert outdated("init.sql", fresh(), fresh()) is None
    assert outdated("init.sql", fresh().replace(b"\n", b"\r\n"), fresh()) is None
    assert outdated("init.sql", fresh(catalogue="a" * 64), fresh(catalogue="b" * 64)) is None
    assert outdated("init.sql", fresh(catalogue="a" * 64), fresh()) is None
    known = fresh().replace(b"-- content", b"-- compatible-with: v1.0 (r1)\n-- content")
    assert outdated("init.sql", known, fresh()) is None


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        (
            fresh(catalogue="a" * 64),
            fresh(b"create table pets (id int);\n"),
            (
                "they differ from line 7 on",
                "in the file: create table people (id int);",
                "fresh: create table pets (id int);",
            ),
        ),
        (
            fresh(),
            fresh(CONTENT + b"select 1;\n"),
            ("they differ from line 7 on", "fresh: select 1;"),
        ),
        (
            fresh().replace(content_hash(CONTENT).encode(), b"0" * 64),
            fresh(),
            (
                "they differ from line 4 on",
                f"in the file: -- content: {'0' * 64}",
                f"fresh: -- content: {content_hash(CONTENT)}",
            ),
        ),
    ],
)
def test_the_first_lines_that_differ_are_shown(
    old: bytes, new: bytes, seen: tuple[str, ...]
) -> None:
    finding = outdated("init.sql", old, new)
    assert finding is not None
    assert finding.seen == seen


def test_a_script_without_a_header_is_said_to_have_none() -> None:
    finding = outdated("init.sql", CONTENT, fresh())
    assert finding is not None
    assert "has no header" in finding.seen[1]
