"""What a condition comes to for a row."""

from decimal import Decimal

import pytest

from surefoot.schema.condition import UNSURE, Truth, Value, literal, outcome

ROW: dict[str, Value] = {"a": Decimal(3), "t": "x", "b": True, "n": None, '"O k"': "it's"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("(a = 3)", True),
        ("a <> 3::numeric", False),
        ("(a >= 3) AND (a < 4)", True),
        ("(a > 3) OR (a <= 2)", False),
        ("a > '-1'::integer", True),
        ("a > -1", True),
        ("'10'::integer > '9'::integer", True),
        ("t::character varying(3) = 'x'", UNSURE),
        ("t::text = 'x'::text", True),
        ("t = 'y'", False),
        ("\"O k\" = 'it''s'::text", True),
        ("t > 'a'", UNSURE),  # by which collation?
        ("a = 'x'", UNSURE),
        ("b", True),
        ("NOT b", False),
        ("NOT ((a = 3) AND b)", False),
        ("b = true", True),
        ("n IS NULL", True),
        ("n IS NOT NULL", False),
        ("(a IS NOT NULL) AND (t IS NOT NULL)", True),
        ("n = 1", None),
        ("(n = 1) OR (a = 3)", True),
        ("(n = 1) OR (a = 4)", None),
        ("(n = 1) AND (a = 4)", False),
        ("(n = 1) AND (a = 3)", None),
        ("t::text = ANY (ARRAY[('x'::character varying)::text, 'y'::text])", True),
        ("t = ANY (ARRAY['y'::text, 'z'::text])", False),
        ("t = ANY (ARRAY['y'::text, NULL::text])", None),
        ("a <> ALL (ARRAY[1, 2])", True),
        ("n = ANY (ARRAY[1, 2])", None),
        # what isn't known may be anything
        ("(other = 1) OR (a = 3)", True),
        ("(other = 1) OR (a = 4)", UNSURE),
        ("(other = 1) AND (a = 4)", False),
        ("other IS NULL", UNSURE),
        ("length(t) = 1", UNSURE),
        ("a + 1 = 4", UNSURE),
        ("t ~ '^x'::text", UNSURE),
        ("num_nonnulls(n) = 0", UNSURE),
    ],
)
def test_outcome(condition: str, expected: Truth) -> None:
    """SQL's logic of three values, and UNSURE for everything that it doesn't know."""
    assert outcome(condition, ROW) is expected


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (None, None),
        ("'x'", "x"),
        ("'x'::character varying", "x"),
        ("1.50", Decimal("1.5")),
        ("'-1'::integer", Decimal(-1)),
        ("'abc'::character varying(2)", UNSURE),
        ("true", True),
        ("NULL::text", None),
        ("now()", UNSURE),
        ("nextval('t_id_seq'::regclass)", UNSURE),
        ("CURRENT_USER", UNSURE),
    ],
)
def test_default(default: str | None, expected: Value) -> None:
    """Literals have a value; what is computed hasn't."""
    assert literal(default) == expected
