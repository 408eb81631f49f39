"""A duplicate key whose number came from a sequence: the sequence is behind the rows.

That happens when rows were inserted with explicit numbers: by a restore that doesn't set the
sequences, a copy, an import. No row is wrong then. The statements are for people to run; none of
them is executed here.
"""
# ruff: noqa: S608  the statements are for people to run

import re

from surefoot.diagnosis.cause import AGAIN, About, Cause, Diagnosis, Drawn, Numbers
from surefoot.diagnosis.names import identifier, literal, words
from surefoot.errors.steps import to_type
from surefoot.schema.names import in_a_text

CODE = "sequence-behind"

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_INSERT = re.compile(rf"\s*insert\s+into\s+{_NAME}(?:\.{_NAME})?(?:\s+as\s+{_NAME})?\s*", re.I)
_OTHERS = 5  # sequences of other tables that are listed


def behind(cause: Cause, about: About, columns: str, values: str) -> Diagnosis | None:
    """Explain that the duplicate number came from a sequence; None if it didn't."""
    found = _drawn(cause, about, columns, values)
    if found is None:
        return None
    numbers, column = found
    others = [one for one in about.numbers if one is not numbers and one.behind]
    called = identifier(numbers.schema, numbers.name)
    where = identifier(column.schema, column.table, column.column)
    seen = [f"the number was drawn from the sequence {called}, which is behind the rows of {where}"]
    if numbers.behind:
        seen.append(f"it gives {numbers.next} next, and the rows go as far as {column.reached}")
    else:
        seen.append(f"it has moved on by itself: it gives {numbers.next} next, which no row has")
    seen += [
        f"also behind: {identifier(one.schema, one.name)}, which gives {one.next} next, and the "
        f"rows of {identifier(*_names(one.behind[0]))} go as far as {one.behind[0].reached}"
        for one in others[:_OTHERS]
    ]
    if len(others) > _OTHERS:
        seen.append(f"and {len(others) - _OTHERS} more sequences")
    wanting = [one for one in (numbers, *others) if one.behind]
    if not wanting:
        return Diagnosis(AGAIN, tuple(seen), CODE)
    which = "the sequence" if len(wanting) == 1 else "the sequences"
    return Diagnosis(
        to_type(
            f"move {which} to where the rows are (no row needs to change)",
            *(setting(one) for one in wanting),
            then=f"then {AGAIN}",
        ),
        tuple(seen),
        CODE,
    )


def setting(numbers: Numbers) -> str:
    """Return the statement that moves a sequence to the furthest number in its columns."""
    furthest = "max" if numbers.increment > 0 else "min"
    reached = [
        f"(select {furthest}({identifier(one.column)}) from {identifier(one.schema, one.table)})"
        for one in numbers.columns
        if one.reached is not None
    ]
    value = reached[0]
    if len(reached) > 1:
        value = f"{'greatest' if numbers.increment > 0 else 'least'}({', '.join(reached)})"
    return f"select setval({literal(in_a_text(numbers.schema, numbers.name))}, {value});"


def _names(column: Drawn) -> tuple[str, str, str]:
    return column.schema, column.table, column.column


def _drawn(cause: Cause, about: About, columns: str, values: str) -> tuple[Numbers, Drawn] | None:
    """Return the sequence that gave the number, and its column."""
    in_key = words(columns)
    for numbers in about.numbers:
        for column in numbers.columns:
            if not (column.asked and column.column in in_key):
                continue
            if _gave(numbers, column, cause.statement, values):
                return numbers, column
    return None


def _gave(numbers: Numbers, column: Drawn, statement: str, values: str) -> bool:
    """Whether the sequence gave the value, and not the statement.

    If the statement doesn't show it (it calls a function or has parameters), a number equal to the
    sequence's last one came from it.
    """
    if not numbers.is_called or "nextval" in statement.lower():
        return numbers.is_called
    insert = _INSERT.match(statement)
    if insert is not None:
        rest = statement[insert.end() :]
        if rest.lower().startswith("default values"):
            return True
        if rest.startswith("(") and column.column not in words(rest[: rest.find(")")]):
            return True
    said = values.split(", ")
    if any(re.search(rf"(?<![\w.]){re.escape(one)}(?![\w.])", statement) for one in said):
        return False
    return str(numbers.last) in said
