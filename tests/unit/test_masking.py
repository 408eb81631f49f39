"""Passwords in texts of others: whole, in any form, cut in two, or part of a cut URL."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from surefoot.errors import masking
from surefoot.errors.masking import hidden, keep_secrets, masked, passwords_in, redacted

# No word of the texts around it, so that a match is one of the password itself.
PASSWORDS = st.text(
    st.sampled_from("BCDFGHJKLMNQRSTVWXYZ0123456789@:/?#[]%&=+ '\"\\{}<>|~éж數"),
    min_size=12,
    max_size=40,
).filter(lambda text: text.strip() == text and len(set(text)) > 8)
NO_RESET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    secrets, words = list(masking._secrets), set(masking._open_words)
    masking._secrets.clear()
    yield
    masking._secrets[:] = secrets
    masking._open_words.clear()
    masking._open_words.update(words)


def kept(password: str) -> str:
    masking._secrets.clear()
    keep_secrets({"user": "app", "dbname": "shop", "host": "db", "password": password})
    return password


def leaked(text: str, password: str) -> list[str]:
    """The pieces of half its length that are in the text."""
    size = max(6, (len(password) + 1) // 2)
    forms = (password, quote(password, safe=""))
    return [
        f[n : n + size] for f in forms for n in range(len(f) - size + 1) if f[n : n + size] in text
    ]


@NO_RESET
@given(PASSWORDS, st.data())
def test_a_url_that_is_cut_anywhere(password: str, data: st.DataObject) -> None:
    """As pydantic cuts it: its beginning, an ellipsis, its end; quoted as Python does, or not."""
    kept(password)
    url = f"postgresql://app:{quote(password, safe='')}@db:5432/shop"
    first = data.draw(st.integers(18, len(url) - 10))
    last = data.draw(st.integers(1, len(url) - first))
    for cut in ("...", "…"):
        for text in (
            f"input_value='{url[:first]}{cut}{url[-last:]}', input_type=str",
            f"input_value={url[:first]!r}{cut}{url[-last:]!r}, input_type=str",
            f"could not parse {url[:first]}{cut}",
            f"{cut}{url[-last:]} is no URL",
        ):
            shown = masked(text)
            assert not leaked(shown, password), shown
            # right behind the user's name, nothing of it is left, however little it was
            if f"app:{quote(password, safe='')[:1]}" in text:
                assert "app:***" in shown


@NO_RESET
@given(PASSWORDS, st.data())
def test_the_half_of_it(password: str, data: st.DataObject) -> None:
    kept(password)
    size = data.draw(st.integers(max(6, (len(password) + 1) // 2), len(password)))
    start = data.draw(st.integers(0, len(password) - size))
    piece = password[start : start + size]
    assume(piece.strip("'\" ") == piece)
    for text in (f"can't log in with {piece}", f"[{piece!r}]", f"<{piece}>"):
        assert not leaked(redacted(text), password)


@NO_RESET
@given(PASSWORDS)
def test_the_whole_of_it_in_any_form(password: str) -> None:
    import json
    import shlex

    kept(password)
    for form in (password, quote(password), repr(password), json.dumps(password), ascii(password)):
        assert password not in hidden(f"with {form} in it")
        assert not leaked(hidden(f"with {form} in it"), password)
    assert not leaked(redacted(shlex.quote(password)), password)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see http://localhost:8080/health", "see http://localhost:8080/health"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("postgresql://db:5432,other:5433/shop", "postgresql://db:5432,other:5433/shop"),
        ("postgresql://[::1]:5432/shop", "postgresql://[::1]:5432/shop"),
        ("postgresql://app@db/shop", "postgresql://app@db/shop"),
        ("postgresql://app:pw@db/shop", "postgresql://app:***@db/shop"),
        ("postgresql://app:p@w@db/shop", "postgresql://app:***@db/shop"),
        ("'postgresql://app:1234'...", "'postgresql://app:***'..."),
        ("'postgresql://app:Hus'...'h@db/shop'", "'postgresql://app:***@db/shop'"),
        ("'postgresql://app:Hus'...'sh/shop'", "'postgresql://app:***'...'sh/shop'"),
        ("input='...h@db/shop'", "input='...***@db/shop'"),
        ("redis://:pw...", "redis://:***"),
        ("loading... done", "loading... done"),
    ],
)
def test_urls(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_words_are_left_readable() -> None:
    """A password that has a usual word in it doesn't take the word away elsewhere."""
    keep_secrets({"user": "inventory", "password": "inventory-database-7x"})
    text = "the database inventory is not a postgresql database"
    assert redacted(text) == text
    assert redacted("inventory-database-7") == "***"


def test_what_is_no_secret() -> None:
    """The user's name, hardly a word, and what others call a password and is a setting."""
    of_template = passwords_in("driver://user:pass@localhost/dbname")
    keep_secrets({"user": "shop", "password": "shop"}, "abc", "true", "postgres", *of_template)
    assert masking._secrets == []


def test_the_passwords_of_urls() -> None:
    text = "postgresql+asyncpg://app:p%40ss@db/shop redis://:hush@cache:6379 http://localhost:80/@x"
    assert passwords_in(text) == ["p%40ss", "hush", "p@ss"]
