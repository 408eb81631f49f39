"""Types between which nothing is lost: the server converts their extremes there and back."""

import itertools

import pytest

from surefoot.schema.definitions import keeps_values
from tests.support.database import Database

EXTREMES = {
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "2147483647"),
    "bigint": ("-9223372036854775808", "9223372036854775807", "9007199254740993"),
    "real": ("1.1", "3.4e38", "1.4e-45"),
    "double precision": ("1.1", "1.7e308", "5e-324"),
    "numeric": ("0.000000000000000000000000001", "1e400"),
    "numeric(10,0)": ("9999999999",),
    "numeric(12,2)": ("9999999999.99",),
    "numeric(11,2)": ("999999999.99",),
    "numeric(19,0)": ("9999999999999999999",),
}


@pytest.mark.parametrize(("was", "to"), list(itertools.permutations(EXTREMES, 2)))
def test_what_is_said_to_be_kept_is_kept(database: Database, was: str, to: str) -> None:
    """Also in arrays."""
    assert keeps_values(f"{was}[]", f"{to}[]") == keeps_values(was, to)
    if not keeps_values(was, to):
        return
    for value in EXTREMES[was]:
        there = f"cast(cast(cast('{value}' as {was}) as {to}) as {was})"
        assert database.query(f"select {there} = cast('{value}' as {was})") == [(True,)]


def test_an_integer_fits_into_a_number_with_enough_digits() -> None:
    assert keeps_values("integer", "numeric")
    assert keeps_values("integer", "numeric(12,2)")
    assert not keeps_values("integer", "numeric(11,2)")
    assert not keeps_values("bigint", "double precision")
    assert not keeps_values("numeric", "integer")
    assert not keeps_values("timestamp without time zone", "date")
    assert keeps_values("uuid", "text")
