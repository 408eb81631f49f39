"""One spelling for what PostgreSQL prints in several ways: expressions, checks, indexes, views.

The same structure is printed differently by another major version, and by the same one after a dump
and restore or `ALTER COLUMN TYPE`. So the rules use only the text, whatever server it is from.
There is no parser: each rule rewrites one form that servers are known to print, and keeps its
meaning; other text stays as it is. What the text doesn't show is left to `loosened`. The rules'
names (D1, …) are those of docs/concepts/facts.md.
"""

import re
from functools import lru_cache

from surefoot.schema.expression import (
    KEYWORD,
    QUERIES,
    Node,
    Nodes,
    inside,
    is_name,
    joined,
    mapped,
    parsed,
    printed,
    split,
    type_end,
    unquoted,
    without_casts,
)

# Most texts are one of these, which no rule changes.
_PLAIN = re.compile(
    r"[\w.]+\(\)|[\d.]+|true|false|'[^']*'::[a-z]+(?: [a-z]+)*|nextval\('[^'\"]*'::regclass\)"
    r"|USING btree \([\w, ]+\)"
)
_WEAK = re.compile(
    r"\b(?:date_part|[blr]trim|timezone|is_normalized|pg_collation_for|EXTRACT)\("
    r'|"(?:substring|position|overlay|normalize|overlaps|xmlexists)"\('
)
_TRIMS = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}
_AFTER_FROM = frozenset(
    ("WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR")
)


def is_weak(text: str) -> bool:
    """Whether another canonical text may mean the same: then `loosened` is compared.

    13 prints these as calls. 14 and newer print SQL's own syntax, in which the casts of arguments
    don't show, and their EXTRACT is another function, of type numeric (D2).
    """
    return _WEAK.search(text) is not None


def loosened(text: str) -> str:
    """D2: return a canonical text without casts and EXTRACT's type.

    Texts that still differ really differ; texts that are equal only in this form can't be
    distinguished.
    """
    tree = parsed(text.replace("double precision", "numeric"))
    change = mapped(tree, lambda items: without_casts(_date_part(items))) if tree else []
    return printed(_rewritten(change)) if tree else text


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return the canonical form of an expression or a definition, as the server prints it."""
    if _PLAIN.fullmatch(text):
        return text
    tree = parsed(unquoted(text))
    return text if tree is None else printed(_rewritten(tree))


def canonical_view(text: str) -> str:
    """Return the canonical form of a view's query: the other rules, and D1."""
    tree = parsed(unquoted(text.rstrip("; \n")))
    return text if tree is None else printed(_rewritten(_without_qualifiers(tree)))


def _rewritten(items: Nodes) -> Nodes:
    """Apply every rule except D1 and D22, the innermost brackets first."""
    out: Nodes = []
    for position, item in enumerate(items):
        if isinstance(item, str):
            if item == "INDENT" and out[-1:] == ["NO"]:
                out.pop()  # D9: XMLSERIALIZE's default, which is printed since 16
            else:
                out.append(item)
            continue
        body = _spliced(_rewritten(item[1:]))
        name = out[-1] if out else None
        if item[0] == "[":
            out.append(["[", *body])
        elif isinstance(name, str) and is_name(name):
            out[-1:] = _call(name, body)
            if out[-3:-1] == ["COLLATION", "FOR"]:
                out[-3:-1] = ["pg_collation_for"]
        elif (infix := _infix_call(body)) is not None:
            out += infix
        elif len(body) == 1 and _needless(body[0], name, items[position + 1 : position + 2]):
            out.append(body[0])
        else:
            out.append(["(", *body])
    return _flattened(_pushed(out))


def _needless(within: Node, before: "Node | None", behind: Nodes) -> bool:
    """Whether the parentheses around `within` may be removed. (row).field is not table.column."""
    if not isinstance(within, str) or behind == ["."]:
        return False
    return behind == ["::"] or not (isinstance(before, str) and KEYWORD.fullmatch(before))


def _spliced(body: Nodes) -> Nodes:
    """Remove parentheses around the whole of an argument."""
    parts = split(body, ",")
    return joined([part if (within := inside(part)) is None else within for part in parts], ",")


def _call(name: str, body: Nodes) -> Nodes:
    """D2: return the plain call of what 14 and newer print in SQL's own syntax."""

    def cut(*words: str) -> list[Nodes]:
        rest, found = body, list[Nodes]()
        for word in words:
            if word in rest:
                at = rest.index(word)
                found.append(rest[:at])
                rest = rest[at + 1 :]
        return [*found, rest]

    parts: list[Nodes] = []
    if name == "SUBSTRING":
        parts = cut("SIMILAR", "ESCAPE") if "SIMILAR" in body else cut("FROM", "FOR")
    elif name == "OVERLAY":
        parts = cut("PLACING", "FROM", "FOR")
    elif name == "POSITION":
        parts = cut("IN")[::-1]
    elif name == "XMLEXISTS":
        parts = cut("PASSING")
    elif name == "NORMALIZE":
        parts = [[_form(p[0]), "::", "text"] if n else p for n, p in enumerate(split(body, ","))]
    elif name == "TRIM" and "FROM" in body and isinstance(body[0], str) and body[0] in _TRIMS:
        (_, *what), of = cut("FROM")
        return [_TRIMS[body[0]], ["(", *_spliced(joined([of, what] if what else [of], ","))]]
    if not parts:
        return [name, ["(", *body]]
    return [f'"{name.lower()}"', ["(", *_spliced(joined(parts, ","))]]


def _form(word: object) -> str:
    return f"'{str(word).lower()}'"


def _infix_call(body: Nodes) -> Nodes | None:
    """D2, continued: the words between its arguments, always in their own parentheses."""
    if "AT" in body:
        at = body.index("AT")
        if body[at + 1 : at + 3] == ["TIME", "ZONE"]:
            return ["timezone", ["(", *_spliced([*body[at + 3 :], ",", *body[:at]])]]
    if len(body) == 3 and body[1] == "OVERLAPS":
        one, other = body[0], body[2]
        if isinstance(one, list) and isinstance(other, list):
            return ['"overlaps"', ["(", *one[1:], ",", *other[1:]]]
    if body[-1:] == ["NORMALIZED"] and "IS" in body:
        at = body.index("IS")
        form: Nodes = [",", _form(body[-2]), "::", "text"] if at < len(body) - 2 else []
        return ["is_normalized", ["(", *_spliced([*body[:at], *form])]]
    return None


def _pushed(items: Nodes) -> Nodes:
    """D3: `(ARRAY[a, b])::t[]` is read again as `ARRAY[a::t, b::t]`, so that is the form."""
    for at, item in enumerate(items[:-3]):
        if isinstance(item, str) or item[:2] != ["(", "ARRAY"] or items[at + 1] != "::":
            continue
        end = type_end(items, at + 2)
        elements = item[2] if len(item) == 3 else ""
        if items[end : end + 1] != [["["]] or isinstance(elements, str):
            continue
        parts = split(elements[1:], ",")
        if any(part[:1] in ([], ["ARRAY"]) for part in parts):
            continue
        cast = items[at + 1 : end]
        each: list[Nodes] = [[*(p if len(p) == 1 else [["(", *p]]), *cast] for p in parts]
        return [*items[:at], "ARRAY", ["[", *joined(each, ",")], *_pushed(items[end + 1 :])]
    return items


def _flattened(items: Nodes) -> Nodes:
    """D4: `(a AND b) AND c` is read again as `a AND b AND c`; OR likewise."""
    for word, other in (("AND", "OR"), ("OR", "AND")):
        if word in items and other not in items:
            parts: list[Nodes] = []
            for part in split(items, word):
                within = inside(part)
                if within is None or word not in within or other in within:
                    parts.append(part)
                else:
                    parts += split(within, word)
            items = joined(parts, word)
    return items


def _without_qualifiers(items: Nodes) -> Nodes:
    """D1: since 16, a query of one table names its columns without the table."""
    words = [item if isinstance(item, str) else "" for item in items]
    if {"UNION", "INTERSECT", "EXCEPT"} & set(words) or not {"SELECT", "FROM"} <= set(words):
        return items
    start, begin = words.index("SELECT"), words.index("FROM") + 1
    end = next((n for n in range(begin, len(words)) if words[n] in _AFTER_FROM), len(words))
    source = split(items[begin:end], "TABLESAMPLE")[0]
    names = [item for item in source if isinstance(item, str) and is_name(item)]
    if "," in source or not names or any("JOIN" in item for item in source):
        return items
    name = names[-1]

    def drop(level: Nodes) -> Nodes:
        if level and isinstance(level[0], str) and level[0] in QUERIES:
            return level  # a query within the query qualifies everything, in every version
        out: Nodes = []
        for at, item in enumerate(level):
            if item == "." and out[-1:] == [name] and _is_column(level, at):
                out.pop()
            else:
                out.append(item if isinstance(item, str) else [item[0], *drop(item[1:])])
        return out

    selected = drop(items[start + 1 : begin])
    return [*items[: start + 1], *selected, *items[begin:end], *drop(items[end:])]


def _is_column(level: Nodes, dot: int) -> bool:
    """Whether `name.` precedes a column: not a function, a type, a collation, the whole row."""
    after, behind = level[dot + 1], level[dot + 2] if dot + 2 < len(level) else ""
    if not isinstance(after, str) or not is_name(after):
        return False
    if isinstance(behind, list) and behind[0] == "(":
        return False
    return dot < 2 or level[dot - 2] not in ("::", "COLLATE", ".")


def _date_part(items: Nodes) -> Nodes:
    out: Nodes = []
    for item in items:
        if isinstance(item, list) and out[-1:] == ["EXTRACT"] and item[2:3] == ["FROM"]:
            field = str(item[1]).strip("'\"")
            out[-1:] = ["date_part", ["(", f"'{field}'", ",", *item[3:]]]
        else:
            out.append(item)
    return out
