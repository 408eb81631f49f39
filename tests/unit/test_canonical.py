"""One spelling for what servers spell in several ways, and for nothing else.

The texts are what real servers printed; docs/concepts/facts.md has the rules' names.
"""

import itertools

import pytest

from surefoot.schema.canonical import canonical, canonical_view, is_weak, loosened
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.kinds import Kind

IN_13 = "((name)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"
IN_AGAIN = (
    "((name)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))"
)

# what, one text, another text that means the same
EQUAL = [
    ("D2 AT TIME ZONE", "timezone('utc'::text, now())", "(now() AT TIME ZONE 'utc'::text)"),
    (
        "D2 AT TIME ZONE twice",
        "timezone('a'::text, timezone('b'::text, x))",
        "((x AT TIME ZONE 'b'::text) AT TIME ZONE 'a'::text)",
    ),
    ("D2 SUBSTRING", '"substring"(s, 1, 2)', "SUBSTRING(s FROM 1 FOR 2)"),
    ("D2 SUBSTRING FROM", '"substring"(s, (a + 1))', "SUBSTRING(s FROM (a + 1))"),
    (
        "D2 SIMILAR",
        "\"substring\"(s, '%#\"x#\"%'::text, '#'::text)",
        "SUBSTRING(s SIMILAR '%#\"x#\"%'::text ESCAPE '#'::text)",
    ),
    ("D2 POSITION", "\"position\"(s, 'a'::text)", "POSITION(('a'::text) IN (s))"),
    ("D2 POSITION of more", '"position"((s || t), u)', "POSITION((u) IN ((s || t)))"),
    ("D2 OVERLAY", "\"overlay\"(s, 'x'::text, 2, 1)", "OVERLAY(s PLACING 'x'::text FROM 2 FOR 1)"),
    ("D2 TRIM", "btrim(s)", "TRIM(BOTH FROM s)"),
    ("D2 TRIM LEADING", "ltrim(s, 'x'::text)", "TRIM(LEADING 'x'::text FROM s)"),
    ("D2 TRIM TRAILING", "rtrim(s, (a || b))", "TRIM(TRAILING (a || b) FROM s)"),
    ("D2 NORMALIZE", "\"normalize\"(s, 'nfkd'::text)", "NORMALIZE(s, NFKD)"),
    ("D2 NORMALIZE alone", '"normalize"(s)', "NORMALIZE(s)"),
    ("D2 NORMALIZED", "(NOT is_normalized(s, 'nfc'::text))", "(NOT (s IS NFC NORMALIZED))"),
    ("D2 NORMALIZED alone", "(NOT is_normalized(s))", "(NOT (s IS NORMALIZED))"),
    ("D2 OVERLAPS", '"overlaps"(a, (a + b), c, d)', "((a, (a + b)) OVERLAPS (c, d))"),
    ("D2 COLLATION FOR", "pg_collation_for(s)", "COLLATION FOR (s)"),
    ("D2 XMLEXISTS", "\"xmlexists\"('//a'::text, x)", "XMLEXISTS(('//a'::text) PASSING (x))"),
    ("D3 IN", IN_13, IN_AGAIN),
    ("D3 within", f"CHECK (({IN_13} AND b))", f"CHECK (({IN_AGAIN} AND b))"),
    (
        "D3 columns, two words",
        "(x = ANY ((ARRAY[a, (b + 1)])::double precision[]))",
        "(x = ANY (ARRAY[(a)::double precision, ((b + 1))::double precision]))",
    ),
    (
        "D3 with a length",
        "(ARRAY['a'::character varying])::character varying(3)[]",
        "ARRAY[('a'::character varying)::character varying(3)]",
    ),
    ("D4 AND", "(((n >= 1) AND (n <= 5)) AND (n <> 3))", "((n >= 1) AND (n <= 5) AND (n <> 3))"),
    ("D4 OR", "((a = 1) OR ((b = 2) OR (c = 3)))", "((a = 1) OR (b = 2) OR (c = 3))"),
    (
        "D9 NO INDENT",
        "XMLSERIALIZE(CONTENT x AS text)",
        "XMLSERIALIZE(CONTENT x AS text NO INDENT)",
    ),
    ("D22 keywords", "(json || system_user)", '("json" || "system_user")'),
    ("D22 index", "USING btree (json, a)", 'USING btree ("json", a)'),
    ("space", "(a  +\n b)", "(a + b)"),
]

# D1: before 16, and since
VIEWS = [
    (" SELECT c.a\n FROM app.c\n WHERE (c.a > 1);", " SELECT a\n FROM app.c\n WHERE (a > 1);"),
    ("SELECT p.a AS b FROM app.c p ORDER BY p.a", "SELECT a AS b FROM app.c p ORDER BY a"),
    ('SELECT "C d"."A" FROM app."C d"', 'SELECT "A" FROM app."C d"'),
    ("SELECT sum(c.a) AS s FROM ONLY app.c", "SELECT sum(a) AS s FROM ONLY app.c"),
    ("SELECT app.id FROM app.app", "SELECT id FROM app.app"),
    ("SELECT app.f(app.id) AS x FROM app.app", "SELECT app.f(id) AS x FROM app.app"),
    ("SELECT app.id::app.t AS x FROM app.app", "SELECT id::app.t AS x FROM app.app"),
    ("SELECT q.a FROM ( SELECT 1 AS a) q", "SELECT a FROM ( SELECT 1 AS a) q"),
    ("SELECT g.i FROM app.many(1) g(i, m)", "SELECT i FROM app.many(1) g(i, m)"),
    ("SELECT s.a FROM c s TABLESAMPLE system (10)", "SELECT a FROM c s TABLESAMPLE system (10)"),
    (
        "WITH x AS (SELECT c.a FROM c) SELECT x.a FROM x",
        "WITH x AS (SELECT c.a FROM c) SELECT a FROM x",
    ),
    (
        "SELECT c.a FROM c WHERE (c.a IN ( SELECT d.b FROM d WHERE (d.x = c.x)))",
        "SELECT a FROM c WHERE (a IN ( SELECT d.b FROM d WHERE (d.x = c.x)))",
    ),
]

# None of these may be taken for another of its line.
DIFFERENT = [
    ("precedence", "((a OR b) AND c)", "(a OR (b AND c))", "((a AND b) OR c)", "(a AND (b OR c))"),
    ("precedence in NOT", "((NOT a) AND b)", "(NOT (a AND b))"),
    ("arithmetic", "((a + b) * c)", "(a + (b * c))", "((a - b) - c)", "(a - (b - c))"),
    ("literals", "(a = 'x'::text)", "(a = 'X'::text)", "(a = ' x'::text)", "(a = 'x '::text)"),
    ("quotes", "(a = '\"json\"'::text)", "(a = 'json'::text)", '(a = "json")', '(a = "Json")'),
    ("numbers", "(a > 1)", "(a > 10)", "(a > 1.0)", "(a >= 1)", "(a > (- 1))"),
    ("casts", "(a)::text", "(a)::character varying", "a", "(a)::text[]", "((a)::text)::integer"),
    ("casts' places", "((a || b))::text", "(a || (b)::text)", "((a)::text || b)"),
    ("literals' casts", "'1'::text", "'1'::integer", "'1'::character varying"),
    ("lengths", "(a)::numeric(4,2)", "(a)::numeric(4,3)", "(a)::numeric"),
    ("lists", IN_13, IN_13.replace("'b'", "'c'"), IN_13.replace("=", "<>").replace("ANY", "ALL")),
    ("arrays", "ARRAY['a'::text]", "ARRAY['a'::text, 'b'::text]", "(ARRAY['a'::text])[1]"),
    ("columns", "(a = b)", "(b = a)", "(a = a)", "(a <> b)"),
    ("rows", "f(a, b)", "f(ROW(a, b))", "f((a, b))", "f(a)"),
    ("fields", "(addr).city", "addr.city"),
    ("names", '"A"', "a", '"a b"', "'a'"),
    ("arguments", '"position"(a, b)', "POSITION((a) IN (b))", "btrim(a, b)", "btrim(b, a)"),
    ("zones", "(a AT TIME ZONE 'utc'::text)", "(a AT TIME ZONE 'cet'::text)", "timezone(a, b)"),
    ("EXTRACT", "EXTRACT(year FROM a)", "date_part('year'::text, a)", "EXTRACT(month FROM a)"),
    (
        "order",
        "USING btree (a, b)",
        "USING btree (b, a)",
        "USING btree (a, b DESC)",
        "USING gin (a)",
    ),
    ("WHERE", "USING btree (a)", "USING btree (a) WHERE b", "USING btree (a) WHERE (NOT b)"),
    ("queries", "(a = ANY (b))", "(a IN ( SELECT b.b FROM b))", "(a = ( SELECT b.b FROM b))"),
    ("flattened", "((a OR b) OR (c AND d))", "(((a OR b) OR c) AND d)"),
]
DIFFERENT_VIEWS = [
    ("SELECT c.a FROM (c JOIN p ON ((c.a = p.a)))", "SELECT p.a FROM (c JOIN p ON ((c.a = p.a)))"),
    ("SELECT c.a FROM c, p", "SELECT p.a FROM c, p"),
    ("SELECT c.a FROM c UNION SELECT d.a FROM d", "SELECT d.a FROM c UNION SELECT c.a FROM d"),
    ("SELECT a FROM c", "SELECT a FROM d"),
    ("SELECT c.* FROM c", "SELECT * FROM c"),
    ("SELECT addr.city FROM addr", "SELECT (addr).city FROM addr"),
    (
        "SELECT c.a FROM c WHERE (c.a = ( SELECT c.b FROM d))",
        "SELECT c.a FROM c WHERE (c.a = ( SELECT d.b FROM d))",
    ),
]


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in EQUAL], ids=[c[0] for c in EQUAL])
def test_equal(one: str, other: str) -> None:
    """What is printed in two ways and means the same has one canonical form."""
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), VIEWS)
def test_equal_views(one: str, other: str) -> None:
    """D1: a query of one table, with and without the table before the columns."""
    assert canonical_view(one) == canonical_view(other)


@pytest.mark.parametrize("texts", [case[1:] for case in DIFFERENT], ids=[c[0] for c in DIFFERENT])
def test_different(texts: tuple[str, ...]) -> None:
    """Mutations stay apart, also behind a view's column and within a check."""
    for form in ("{}", "CHECK (({}))", "((x = 1) AND {})"):
        for change in (canonical, canonical_view):
            assert len({change(form.format(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize("texts", DIFFERENT_VIEWS)
def test_different_views(texts: tuple[str, ...]) -> None:
    """Where two tables have the column, or a query is within the query, the qualifier stays."""
    assert len({canonical_view(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("text", [t for case in [*EQUAL, *DIFFERENT] for t in case[1:]])
def test_canonical_is_canonical(text: str) -> None:
    """Again changes nothing: the form can be read as it is written."""
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("text", ["(a", "a)", "f([1)", ""])
def test_what_is_not_understood_stays(text: str) -> None:
    """No server prints such; nothing is made of it."""
    assert canonical(text) == canonical_view(text) == loosened(text) == text


def test_plain_texts_need_no_rules() -> None:
    """The fast way gives what the rules give."""
    for text in ("now()", "public.f()", "true", "1.5", "'a b'::character varying", "'{}'::jsonb"):
        assert canonical(text) == canonical(f"{text} ") == text
    for text in ("nextval('public.t_id_seq'::regclass)", "USING btree (a, b)"):
        assert canonical(text) == canonical(f"{text} ") == text


def compare(one: str, other: str, kind: Kind = "constraint") -> Comparison:
    """Two definitions as facts of the same name."""
    return same(
        SchemaFact(kind, "a.b.c", canonical(one)), SchemaFact(kind, "a.b.c", canonical(other))
    )


UNDECIDED = [
    ("btrim((v)::text)", "TRIM(BOTH FROM v)"),
    (
        "(date_part('year'::text, x) > (3)::double precision)",
        "(EXTRACT(year FROM x) > (3)::numeric)",
    ),
    ("USING btree (date_part('year'::text, x))", "USING btree (EXTRACT(year FROM x))"),
    ("btrim(((x)::character varying)::text)", "TRIM(BOTH FROM (x)::character varying)"),
]


@pytest.mark.parametrize(("one", "other"), UNDECIDED)
def test_cannot_tell(one: str, other: str) -> None:
    """D2: neither equal nor different, in both orders; a mutation of it is different."""
    assert compare(one, other) is compare(other, one) is Comparison.CANNOT_TELL
    assert compare(one, one) is Comparison.SAME
    assert compare(one, other.replace("x", "y").replace("v", "w")) is Comparison.DIFFERENT
    assert is_weak(canonical(one))


def test_what_is_not_weak_differs() -> None:
    """A cast is a difference where nothing hides casts."""
    assert compare("lower((v)::text)", "lower(v)") is Comparison.DIFFERENT
    assert compare("lower(v)", "btrim(v)") is Comparison.DIFFERENT
    one, other = (
        SchemaFact("column", "a.b.c", "btrim(v)"),
        SchemaFact("column", "a.b.d", "btrim(v)"),
    )
    assert same(one, other) is Comparison.DIFFERENT


def test_type_of_an_extracted_column() -> None:
    """D8: a view that reads a column made with EXTRACT has its type, and nothing else shows it."""
    one, other = "(y double precision) as SELECT y FROM v", "(y numeric) as SELECT y FROM v"
    assert compare(one, other, "view") is Comparison.CANNOT_TELL
    assert compare(one, other.replace("FROM v", "FROM w"), "view") is Comparison.DIFFERENT
    assert compare(one, other, "column") is Comparison.DIFFERENT


def test_mutations_of_one_check_stay_apart() -> None:
    """Every pair of a check and its mutations."""
    text = "CHECK ((((a)::text = 'x'::text) AND ((b > 1) OR (c IS NULL))))"
    changes = [
        *(("'x'", "'y'"), ("AND", "OR"), ("OR", "AND"), ("> 1", "> 2"), (">", ">="), ("(b", "(d")),
        *(("IS NULL", "IS NOT NULL"), (")::text =", ")::name ="), ("'x'::text", "'x'::name")),
    ]
    texts = [text, *(text.replace(*change) for change in changes)]
    for one, other in itertools.combinations(texts, 2):
        assert compare(one, other) is Comparison.DIFFERENT


@pytest.mark.parametrize(
    ("fact", "owner"),
    [
        (SchemaFact("relation", "app.t", "table"), "app.t"),
        (SchemaFact("column", "app.t.c", "text"), "app.t"),
        (SchemaFact("index", '"a.b"."c ""d".e', "USING btree (x)"), '"a.b"."c ""d"'),
        (SchemaFact("sequence", "app.s", "integer start 1 cache 1 owned by app.t.c"), "app.t"),
        (SchemaFact("sequence", "app.s", 'bigint cycle identity of app."T 1".c'), 'app."T 1"'),
        (SchemaFact("sequence", "app.s", "integer start 1 cache 1"), None),
        (SchemaFact("function", "app.f(integer)", "()"), None),
        (SchemaFact("enum", "app.e", "'a'"), None),
        (SchemaFact("extension", "citext", ""), None),
    ],
)
def test_table(fact: SchemaFact, owner: str | None) -> None:
    """What a fact is grouped under."""
    assert table(fact) == owner
