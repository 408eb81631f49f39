"""Rows that a revision didn't expect, and the query that finds them.

The queries are for people to run; none of them is executed here.
"""
# ruff: noqa: S608  the statements are for people to run

import re

from surefoot.diagnosis import sequences
from surefoot.diagnosis.cause import AGAIN, REPORT, About, Cause, Diagnosis
from surefoot.diagnosis.names import identifier, literal, quoted_names, words
from surefoot.errors.steps import to_type

_KEY = re.compile(r"\((.+?)\)=\((.*)\)", re.S)
_WRITES = re.compile(r"\s*(?:insert|update|delete|merge|with|copy)\b", re.I)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_REFERENCES = re.compile(rf"references\s+({_NAME}(?:\.{_NAME})?)\s*\(([^)]*)\)", re.I)
_RETYPED = re.compile(
    rf"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?({_NAME}(?:\.{_NAME})?)\s.*?"
    rf"alter\s+(?:column\s+)?({_NAME})\s+(?:set\s+data\s+)?type\b",
    re.I | re.S,
)
_PARTITION = re.compile(
    rf"(?:create\s+(?:foreign\s+)?table\s+(?:if\s+not\s+exists\s+)?({_NAME}(?:\.{_NAME})?)\s+"
    rf"partition\s+of\s+({_NAME}(?:\.{_NAME})?)"
    rf"|alter\s+table\s+(?:only\s+)?({_NAME}(?:\.{_NAME})?)\s+"
    rf"attach\s+partition\s+({_NAME}(?:\.{_NAME})?))"
    r"\s+for\s+(values\s.*?)\s*(?:;|$|partition\s+by)",
    re.I | re.S,
)
_CODE = "data-violates-constraint"


def key(cause: Cause) -> tuple[str, str]:
    """Return the columns of the key in the detail, and their values: `Key (a, b)=(1, x)`."""
    found = _KEY.search(cause.detail)
    return (found[1], found[2]) if found else ("", "")


def _new(cause: Cause, about: About) -> Diagnosis | None:
    """Explain that the table or a column of the key was rolled back with the revision.

    No user's row can be found then: a query would only fail.
    """
    if not cause.table:
        return None
    table = identifier(cause.schema, cause.table)
    there = [o for o in about.objects if o.schema == cause.schema]
    if not any(o.kind == "table" and o.name == cause.table for o in there):
        new = table
    else:
        columns = {o.name for o in there if o.kind == "column" and o.table == cause.table}
        named = () if "(" in key(cause)[0] else words(key(cause)[0])
        missing = [name for name in named if name not in columns]
        if not missing:
            return None
        new = f"{identifier(missing[0])} of {table}"
    return Diagnosis(
        f"correct the revision: it makes {new} itself, so the values are its own. {REPORT}",
        (f"{new} is not there now: this run made it",),
        _CODE,
    )


def duplicates(cause: Cause, about: About) -> Diagnosis:
    """Explain 23505: a unique index or constraint over duplicate rows."""
    columns, values = key(cause)
    if not (columns and cause.table):
        return _without_query()
    if cause.schema == "pg_catalog":  # a name; both sessions looked for it before either created it
        return Diagnosis(
            f"{AGAIN}: another session created an object of that name at the same moment. If it "
            "happens again, stop the other program that creates tables (the application's "
            "create_all, for example)",
            code=_CODE,
        )
    if (drawn := sequences.behind(cause, about, columns, values)) is not None:
        return drawn
    if (new := _new(cause, about)) is not None:
        return new
    table = identifier(cause.schema, cause.table)
    if _WRITES.match(cause.statement):
        equal = _equal(columns, values)
        if not equal:
            return _without_query()
        return _found(
            f"select * from {table} where {equal};",
            "the row that is there already",
            "the revision writes a row that is there already: remove or change that one, or "
            "correct the revision",
        )
    return _found(
        f"select {columns}, count(*) from {table} group by {columns} having count(*) > 1;",
        "all of them",
        "decide which rows stay, remove or change the others",
    )


def _equal(columns: str, values: str) -> str:
    """Return the condition for one key; empty if the values can't be assigned to columns."""
    if "," not in columns:
        return f"{columns} = {literal(values)}"
    parts = values.split(", ")
    if len(parts) != columns.count(",") + 1:
        return ""
    return f"({columns}) = ({', '.join(map(literal, parts))})"


def nulls(cause: Cause, about: About) -> Diagnosis:
    """Explain 23502: rows with NULL in a NOT NULL column."""
    if not (cause.table and cause.column):
        return _without_query()
    if _WRITES.match(cause.statement):
        return Diagnosis(
            f"correct the revision: the row that it writes has no {cause.column}. {REPORT}",
            code=_CODE,
        )
    table, column = identifier(cause.schema, cause.table), identifier(cause.column)
    there = any(
        o.kind == "column" and (o.table, o.name) == (cause.table, cause.column)
        for o in about.objects
    )
    if not there:
        return Diagnosis(
            "correct the revision: it adds a column that must not be null to a table that has "
            f"rows, so it needs a server_default. {REPORT}",
            (f"{table} has rows, and {column} is new: in each of them it would be null",),
            code=_CODE,
        )
    return _found(
        f"select * from {table} where {column} is null;", "all of them", "give each of them a value"
    )


def orphans(cause: Cause, about: About) -> Diagnosis:
    """Explain 23503: rows that refer to missing rows."""
    columns, values = key(cause)
    if not (columns and cause.table):
        return _without_query()
    table = identifier(cause.schema, cause.table)
    told = quoted_names(cause.detail.replace(columns, "", 1).replace(values, "", 1))
    if (
        told and told[-1].rpartition(".")[2] == cause.table
    ):  # the other way round: still referred to
        return Diagnosis(
            f"correct the revision: it removes rows that {table} refers to; or remove those rows "
            f"first, and {AGAIN}",
            code=_CODE,
        )
    if (new := _new(cause, about)) is not None:
        return new
    refers, equal = _REFERENCES.search(cause.statement), _equal(columns, values)
    if refers is None or _WRITES.match(cause.statement):
        if not equal:
            return _without_query()
        query = f"select * from {table} where {equal};"
        return _found(query, "the row", "remove it, or add what it refers to")
    other = refers[1]
    ours = [part.strip() for part in columns.split(",")]
    theirs = [part.strip() for part in refers[2].split(",")]
    joined = " and ".join(f"b.{t} = a.{o}" for o, t in zip(ours, theirs, strict=False))
    present = " and ".join(f"a.{o} is not null" for o in ours)
    return _found(
        f"select * from {table} a where {present} and not exists "
        f"(select from {other} b where {joined});",
        "all of them",
        "remove or change them, or add what they refer to",
    )


def checked(cause: Cause, about: About) -> Diagnosis:
    """Explain 23514: rows that a check doesn't allow, or that belong to a new partition."""
    if found := _PARTITION.search(cause.statement):
        new, parent, bound = found[1] or found[4], found[2] or found[3], found[5]
        default = identifier(cause.schema, cause.table) if cause.table else "its default partition"
        key = f"select pg_get_partkeydef({literal(parent)}::regclass);"
        text = f"move the rows that belong to {new} ({' '.join(bound.split())}) out of {default}, "
        text += (
            "the default partition, for example into a table of your own. To find them, compare "
        )
        text += f"the columns of the key of {parent} with these bounds"
        queries = [key, *([f"select * from {default};"] if cause.table else [])]
        return Diagnosis(
            to_type(text, *queries, then=f"then {AGAIN}, and insert them into {parent} afterwards"),
            (f"rows of {default} belong to the partition that the revision adds",),
            _CODE,
        )
    expression = _checked(cause.statement, cause.constraint)
    if not (cause.table and expression) or _WRITES.match(cause.statement):
        return _without_query()
    table = identifier(cause.schema, cause.table)
    return _found(
        f"select * from {table} where not ({' '.join(expression.split())});",
        "all of them",
        "correct these rows",
    )


def _checked(statement: str, constraint: str) -> str:
    """Return the expression of a CHECK, for this constraint if it is named."""
    begin = statement.lower().find(constraint.lower()) if constraint else 0
    found = re.search(r"\bcheck\s*\(", statement[max(begin, 0) :], re.I)
    if found is None:
        return ""
    rest, depth, quoted = statement[max(begin, 0) + found.end() :], 1, False
    for place, sign in enumerate(rest):
        quoted ^= sign == "'"
        depth += 0 if quoted else (sign == "(") - (sign == ")")
        if depth == 0:
            return rest[:place].strip()
    return ""


def retypes(statement: str) -> bool:
    """Whether the statement changes a column's type."""
    return _RETYPED.search(statement) is not None


def unconvertible(cause: Cause, about: About) -> Diagnosis:
    """Explain 22P02, 22003 and the like: a value that the new type doesn't accept."""
    retyped = _RETYPED.search(cause.statement)
    if retyped is None:
        return Diagnosis(
            f"correct the value in the database or in the revision, and {AGAIN}. {REPORT}",
            code=_CODE,
        )
    table, column = retyped.groups()
    values = quoted_names(cause.message)
    if cause.sqlstate in ("22P02", "22007", "22008") and values:
        query = f"select * from {table} where {column}::text = {literal(values[-1])};"
        return _found(query, "the row", "correct it, and others like it")
    if cause.sqlstate == "22001":
        query = f"select * from {table} order by length({column}::text) desc limit 20;"
        return _found(query, "the longest", "shorten them")
    if cause.sqlstate == "22P02" and (tokens := quoted_names(cause.detail)):
        # for invalid JSON, the message has no value, and the detail a piece of it
        query = (
            f"select * from {table} where position({literal(tokens[-1])} in {column}::text) > 0;"
        )
        return _found(query, "the row", "correct it, and others like it")
    if cause.sqlstate == "22003":
        query = f"select * from {table} order by {column} desc limit 20;"
        return _found(query, "the greatest", "correct them")
    return _without_query()


def new_value(cause: Cause, about: About) -> Diagnosis:
    """Explain 55P04: an enum value is used in the transaction that adds it."""
    named = quoted_names(cause.message)
    there = next(
        (o for o in about.objects if o.kind == "type" and o.name in words(cause.message)[-3:]), None
    )
    seen = ("a new value of an enum can be used only once it is committed",)
    correct = (
        "the revision itself adds the value and uses it: it must add it in a block of its own, "
        f"with op.get_context().autocommit_block(). {REPORT}"
    )
    if there is None or not named:
        return Diagnosis(correct, seen)
    add = f"alter type {identifier(there.schema, there.name)} add value if not exists"
    return Diagnosis(
        to_type(
            "add the value first, which helps if the revision says IF NOT EXISTS",
            f"{add} {literal(named[0])};",
            then=f"then {AGAIN}. Otherwise {correct}",
        ),
        seen,
    )


def _found(query: str, which: str, then: str) -> Diagnosis:
    text = f"{then}. To find {which}"
    return Diagnosis(to_type(text, query, then=f"then {AGAIN}. {REPORT}"), code=_CODE)


def _without_query() -> Diagnosis:
    return Diagnosis(
        f"correct the rows that PostgreSQL names above, or the revision, and {AGAIN}. {REPORT}",
        code=_CODE,
    )
