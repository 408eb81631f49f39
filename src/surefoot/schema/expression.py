"""Parse the text of an SQL expression into a tree of brackets, and print it again.

No more grammar is needed. The texts come from the server, so they are always complete, and names
that need quotes have them.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

# A token, or a group: its opening bracket, then its content.
Node: TypeAlias = "str | list[Node]"
Nodes: TypeAlias = list["Node"]

_TOKEN = re.compile(
    r"<ext>|[EeBbXx]?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_][\w$]*|\d[\w.]*|::"
    r"|[-<>=!~@#%^&|`?*+/]+|\S",
    re.DOTALL,
)
_NAME = re.compile(r'[A-Za-z_"]')
KEYWORD = re.compile(
    "ALL|AND|ANY|AS|BY|CASE|CHECK|CONTENT|DEFAULT|DISTINCT|DO|ELSE|EXCEPT|EXISTS|FILTER|FROM|GROUP"
    "|HAVING|IN|INCLUDE|INTERSECT|IS|JOIN|LATERAL|LIKE|LIMIT|NOT|OFFSET|ON|OR|OVER|PASSING|RETURN"
    "|RETURNING|SELECT|SET|SOME|THEN|UNION|USING|VALUES|WHEN|WHERE|WITH|WITHIN"
)
QUERIES = frozenset(("SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "TABLE", "MERGE"))
_NEW_KEYWORDS = re.compile(
    r"'(?:[^']|'')*'|\"(json(?:_(?:array|arrayagg|exists|object|objectagg|query|scalar|serialize"
    r"|table|value))?|merge_action|system_user)\"(?!\")"
)
_AFTER_TYPE = frozenset(("varying", "precision", "with", "without", "time", "zone"))


def unquoted(text: str) -> str:
    """D22: remove quotes around names that are keywords in some of the versions only."""
    if '"' not in text:
        return text
    return _NEW_KEYWORDS.sub(lambda found: found[1] or found[0], text)


def parsed(text: str) -> Nodes | None:
    """Return the tree. None if the brackets don't match, which the server never prints."""
    stack: list[Nodes] = [[]]
    for token in _TOKEN.findall(text):
        if token in ("(", "["):
            stack.append([token])
        elif token in (")", "]"):
            if len(stack) == 1:
                return None
            group = stack.pop()
            stack[-1].append(group)
        else:
            stack[-1].append(token)
    return stack[0] if len(stack) == 1 else None


def printed(items: Nodes) -> str:
    """Return the text, which parses into the same tokens again."""
    out: list[str] = []
    earlier, before = "", ""
    for item in items:
        if isinstance(item, list):
            token = f"{item[0]}{printed(item[1:])}{')' if item[0] == '(' else ']'}"
            # not the columns of an index, after its method
            tight = before in ("", ".", "::", "]") or (is_name(before) and earlier != "USING")
            now = "]" if item[0] == "[" else ")"
        else:
            token = now = item
            tight = before in ("", ".", "::") or token in (",", ".", "::", ";")
        out.append(token if tight else " " + token)
        earlier, before = before, now
    return "".join(out)


def mapped(items: Nodes, change: Callable[[Nodes], Nodes]) -> Nodes:
    """Apply `change` to every level, the innermost first."""
    return change([i if isinstance(i, str) else [i[0], *mapped(i[1:], change)] for i in items])


def is_name(token: str) -> bool:
    """Whether following parentheses belong to the token: a function, a type, a table."""
    return _NAME.match(token) is not None and KEYWORD.fullmatch(token) is None


def split(items: Nodes, at: str) -> list[Nodes]:
    """Split this level at the tokens `at`."""
    parts: list[Nodes] = [[]]
    for item in items:
        if item == at:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def joined(parts: list[Nodes], by: str) -> Nodes:
    """Join parts with a token: the opposite of `split`."""
    out: Nodes = []
    for number, part in enumerate(parts):
        out += [by, *part] if number else part
    return out


def inside(part: Nodes) -> Nodes | None:
    """Return the content of the parentheses around the whole part.

    None for anything else, and for a row or a query, whose parentheses are needed.
    """
    if len(part) == 1 and isinstance(part[0], list) and part[0][0] == "(":
        within = part[0][1:]
        if within and not (isinstance(within[0], str) and within[0] in QUERIES):
            return None if "," in within else within
    return None


def type_end(items: Nodes, start: int) -> int:
    """Return the end of the type's name that begins at `start`, without an array's brackets."""
    at = start + (3 if items[start : start + 2] == ["<ext>", "."] else 1)
    while at < len(items):
        item = items[at]
        if item == ".":
            at += 2
        elif item in _AFTER_TYPE if isinstance(item, str) else item[0] == "(":
            at += 1
        else:
            break
    return at


def without_casts(items: Nodes) -> Nodes:
    """Return this level without its `::type`."""
    out: Nodes = []
    at = 0
    while at < len(items):
        if items[at] != "::":
            out.append(items[at])
            at += 1
            continue
        at = type_end(items, at + 1)
        while items[at : at + 1] == [["["]]:
            at += 1
    return out
