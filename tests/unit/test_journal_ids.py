"""Lists of ids in the journal."""

import pytest

from surefoot.sql import ids_of, ids_text, named_in


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a b"),
        (("a b",), "a b\n"),
        (("a b", "c"), "a b\nc\n"),
        ((" a", "tab\there"), " a\ntab\there\n"),
    ],
)
def test_there_and_back(ids: tuple[str, ...], text: str) -> None:
    assert ids_text(ids) == text
    assert ids_of(text) == ids


def test_a_row_of_one_revision() -> None:
    assert named_in("revision", "a b") == ("a b",)
    assert named_in("adopt", "a b") == ("a", "b")
