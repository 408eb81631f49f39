"""Names in statements and in facts."""

import random
import re

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".\s(]+)')
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(*parts: str) -> str:
    """Return the name as any statement accepts it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def as_fact(*parts: str) -> str:
    """Return the name as in a fact: quoted only if its characters need it."""
    return ".".join(part if _PLAIN.fullmatch(part) else quoted(part) for part in parts)


def parts(name: str) -> list[str]:
    """Split a fact's name into unquoted parts."""
    return [m[2] if m[1] is None else m[1].replace('""', '"') for m in _PART.finditer(name)]


# Names that people choose: plain words, copies of the application's names, and anything that a name
# may contain. {} is the name of something that the application has.
_NAMES = (
    *("emoji_custom", "my_note", "note", "custom", "extra", "legacy_id", "tmp", "x", "data2"),
    *("{}_old", "{}_bak", "{}_custom", "my_{}", "{}2", "x_{}", "_{}", "{}_copy"),
    *("Größe", "メモ", "заметка", "with space", 'quo"ted', "it's", "a.b", "MixedCase", "emoji 😀"),
    *("user", "select", "order", "group", "json", "system_user", "0digits", "100%", "%s", ":colon"),
    *("back\\slash", "tab\there", "(bracket", "a,b", "-- no comment", "$$", "n" * 60),
)


def invented(rng: random.Random, like: str) -> str:
    """Invent a name as users do; `like` is one of the application's."""
    name = rng.choice(_NAMES).replace("{}", like)
    if rng.random() < 0.3:
        name += str(rng.randrange(10, 100))
    while len(name.encode()) > 63:
        name = name[:-1]
    return name
