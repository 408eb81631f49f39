"""Write the SQL that gives a structure what it lacks of head's promise, from facts. Pure.

A definition in the catalogue is canonical, and some can't be written back (for a function, only a
hash of its body is known). No SQL may lose rows: a column in the way stays.
"""

# ruff: noqa: S608  the statements are for people to type

import re
from collections.abc import Iterable

import msgspec

from surefoot.catalogue.catalogue import State
from surefoot.catalogue.match import Difference, Issue, Restoration
from surefoot.compatibility.contents import BY_CONTENT
from surefoot.schema.ddl import Sql, changed, dropped, made, owned
from surefoot.schema.definitions import column, labels, names, view_columns, widened
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import rank
from surefoot.schema.names import quote_name, quoted, split_name

_NEEDED = frozenset(("function", "procedure", "aggregate", "range", "relation"))  # by others
_OTHER_TABLES = re.compile(r" (?:of|server|inherits|partition by) ")
_OWNED = re.compile(r" owned by (.*)$")
_CONCURRENTLY = re.compile(r"^(create (?:unique )?index|drop index) concurrently ")


class _Step(msgspec.Struct, frozen=True):
    place: tuple[int, bool, str]
    name: str
    statements: tuple[str, ...]


def restoration(
    promised: State,
    differences: Iterable[Difference],
    facts: tuple[SchemaFact, ...],
    broken: Iterable[Issue],
) -> Restoration:
    """Return what restores missing objects and corrects what is `broken`; and what it can't do."""
    return _Restoring(promised, facts).of(tuple(differences), tuple(broken))


class _Restoring:
    def __init__(self, promised: State, facts: tuple[SchemaFact, ...]) -> None:
        self._promised = promised
        self._live: dict[Key, str] = {(fact.kind, fact.name): fact.definition for fact in facts}
        self._facts = facts
        self._tables: list[str] = []
        self._columns: list[str] = []
        self._filled: list[str] = []
        self._renamed: dict[str, str] = {}  # missing tables, each with its present name
        self._alike: dict[str, list[str]] = {}  # each with tables that have the same columns
        self._checked = False

    def of(self, differences: tuple[Difference, ...], broken: tuple[Issue, ...]) -> Restoration:
        keys = {(b.kind, b.name) for b in broken}
        self._find_renamed(differences)
        gone = {d.name for d in differences if self._is_made_anew(d)}
        away: list[_Step] = []
        anew: list[_Step] = []
        last: list[str] = []
        by_hand: list[Key] = []
        seen = {(d.kind, d.name) for d in differences}
        own = [Difference(b.kind, b.name, (None,), b.found) for b in broken]
        for difference in (*differences, *(d for d in own if (d.kind, d.name) not in seen)):
            key = (difference.kind, difference.name)
            if not self._counts(difference, key in keys) or self._goes_along(difference, gone):
                continue
            if self._comes_back(difference):
                continue
            if self._is_made_anew(difference) and difference.found is not None:
                away.append(self._aside(difference))
                difference = msgspec.structs.replace(difference, found=None)
            texts = self._texts(difference)
            if texts is None:
                owner = table(SchemaFact(*key, ""))
                needed = difference.kind in _NEEDED or owner in gone
                if key in keys or (difference.found is None and needed):
                    by_hand.append(key)
                continue
            step = _Step(self._place(difference), difference.name, texts)
            (away if difference.what == "unexpected" else anew).append(step)
            if difference.found is None and difference.kind == "sequence":
                last += self._to_its_column(difference)
        away.sort(key=lambda step: step.place, reverse=True)
        anew.sort(key=lambda step: step.place)
        ordered = [*away, *_after_each_other(anew)]
        return Restoration(
            tuple(f"{text};" for step in ordered for text in step.statements)
            + tuple(f"{text};" for text in last),
            tuple(sorted(set(by_hand))),
            self._notes(),
        )

    def _find_renamed(self, differences: Iterable[Difference]) -> None:
        """Find tables that were renamed, or moved to another schema, by their columns."""
        live = self._columns_by_table(self._live.items())
        promised = self._columns_by_table((key, d) for key, (d, *_) in self._promised.items())
        for one in differences:
            columns = promised.get(one.name)
            if not columns or not self._is_made_anew(one):
                continue
            like = [t for t, found in live.items() if found == columns and t not in promised]
            beside = [t for t in like if split_name(t)[0] == split_name(one.name)[0]]
            if len(beside) == 1:
                self._renamed[one.name] = beside[0]
            elif like:
                self._alike[one.name] = like

    def _columns_by_table(
        self, facts: Iterable[tuple[Key, Definition]]
    ) -> dict[str, dict[str, Definition]]:
        found: dict[str, dict[str, Definition]] = {}
        for (kind, name), definition in facts:
            owner = table(SchemaFact(kind, name, "")) if kind == "column" else None
            if owner is not None and definition is not None:
                found.setdefault(owner, {})[split_name(name)[-1]] = definition
        return found

    def _is_made_anew(self, difference: Difference) -> bool:
        """Whether it's a relation that is missing, or another kind of relation has its name."""
        if difference.kind != "relation":
            return False
        found, wanted = difference.found, _wanted(difference)
        return found is None or (
            wanted is not None and relation_kind(found) != relation_kind(wanted)
        )

    def _aside(self, difference: Difference) -> _Step:
        """What has the name of a missing relation gets another one."""
        there, kind = split_name(difference.name), relation_kind(difference.found or "")
        text = f"alter {kind} {quote_name(*there)} rename to {quoted(f'{there[-1]}_own')}"
        return _Step(self._place(difference), difference.name, (text,))

    def _comes_back(self, difference: Difference) -> bool:
        """Whether it is right again once a renamed table has its name again."""
        if difference.kind == "relation":
            return False
        owner = table(SchemaFact(difference.kind, difference.name, ""))
        wanted = _wanted(difference) or ""
        return any(
            owner == name
            or f" owned by {name}." in wanted
            or f" identity of {name}." in wanted
            or (difference.found or "").replace(now, name) == wanted
            for name, now in self._renamed.items()
        )

    def _counts(self, difference: Difference, is_broken: bool) -> bool:
        match difference.what:
            case "missing":
                return is_broken or not self._is_there_by_content(difference)
            case "changed":
                return is_broken or difference.kind == "index"
            case "unexpected":
                return is_broken

    def _is_there_by_content(self, difference: Difference) -> bool:
        """Whether the same object exists under another name."""
        if difference.kind not in BY_CONTENT:
            return False
        owner = table(SchemaFact(difference.kind, difference.name, ""))
        return any(
            fact.definition in difference.expected
            and fact.kind == difference.kind
            and table(fact) == owner
            for fact in self._facts
        )

    def _goes_along(self, difference: Difference, gone: set[str]) -> bool:
        """Whether it comes with another object that is restored."""
        if difference.kind == "relation":
            return False
        if difference.kind == "sequence":
            return " identity of " in (_wanted(difference) or "")
        owner = table(SchemaFact(difference.kind, difference.name, ""))
        return owner in gone and difference.kind in ("column", "view")

    def _texts(self, difference: Difference) -> tuple[str, ...] | None:
        key: Key = difference.kind, difference.name
        found, wanted = difference.found, _wanted(difference)
        if difference.name in self._renamed and difference.kind == "relation":
            now, name = self._renamed[difference.name], split_name(difference.name)[-1]
            return (f"alter table {quote_name(*split_name(now))} rename to {quoted(name)}",)
        if found is None and wanted is not None:
            if difference.kind == "relation" and relation_kind(wanted) == "table":
                return self._table(difference.name, wanted)
            return self._made(key, wanted)
        if found is not None and wanted is None:
            if difference.kind == "column":  # it may hold values: it stays, and is harmless
                return (f"{_alter_column(key)} drop not null",)
            return _plain(dropped(key, found))
        assert found is not None
        assert wanted is not None
        return self._changed(key, found, wanted)

    def _made(self, key: Key, wanted: str) -> tuple[str, ...] | None:
        if key[0] == "column":
            self._columns.append(key[1])
            made_column = column(wanted)
            if made_column.not_null and not made_column.filled:
                self._filled.append(key[1])
        if key[0] in ("constraint", "domain constraint") or wanted.startswith("unique "):
            self._checked = True
        view = self._promised.get(("view", key[1]), (None,))[0]
        return _plain(made(key, wanted, view=view))

    def _table(self, name: str, wanted: str) -> tuple[str, ...] | None:
        """Return the table's statement.

        Facts don't have the order of its columns: the key's come first.
        """
        if _OTHER_TABLES.search(f" {wanted} "):
            return None
        columns = {
            split_name(found)[-1]: definition
            for (kind, found), (definition, *_) in self._promised.items()
            if kind == "column"
            and table(SchemaFact(kind, found, "")) == name
            and definition is not None
        }
        if any(" not valid" in text or " no inherit" in text for text in columns.values()):
            return None
        primary = {
            part
            for (kind, found), (definition, *_) in self._promised.items()
            if kind == "constraint" and table(SchemaFact(kind, found, "")) == name and definition
            for part in (names(definition) if definition.startswith("PRIMARY KEY") else ())
        }
        ordered = sorted(columns, key=lambda c: (c not in primary, c))
        self._tables.append(name)
        texts = ", ".join(f"{quoted(c)} {columns[c].replace('<ext>.', '')}" for c in ordered)
        return (f"create {wanted} {quote_name(*split_name(name))} ({texts})",)

    def _changed(self, key: Key, found: str, wanted: str) -> tuple[str, ...] | None:
        match key[0]:
            case "column":
                return self._column(key, found, wanted)
            case "view":
                return self._view(key[1], found, wanted)
            case "sequence":
                text = wanted.partition(" owned by ")[0].partition(" identity of ")[0]
                return (f"alter sequence {quote_name(*split_name(key[1]))} as {text}",)
            case "enum":
                return _labels(key[1], labels(found), labels(wanted))
            case _:
                self._checked = self._checked or key[0] == "constraint"
                return _plain(changed(key, found, wanted))

    def _column(self, key: Key, found: str, wanted: str) -> tuple[str, ...] | None:
        one, other = column(found), column(wanted)
        done: list[str] = []
        if (one.type, one.collation) != (other.type, other.collation):
            if not widened(one.type, other.type) and not widened(other.type, one.type):
                return None
            wider = widened(one.type, other.type)
            type = other.type if wider else one.type
            collate = f" collate {other.collation}" if other.collation else ""
            done.append(f"{_alter_column(key)} type {type.replace('<ext>.', '')}{collate}")
            one = msgspec.structs.replace(one, type=other.type, collation=other.collation)
        if other.identity and not one.identity and not one.filled and other.not_null:
            if not one.not_null:
                done.append(f"{_alter_column(key)} set not null")
            done.append(f"{_alter_column(key)} add generated {other.identity} as identity")
            done.append(_next_number(key[1]))
            return tuple(done)
        if (one.identity, one.generated) != (other.identity, other.generated):
            return None
        if one.default != other.default:
            default = "drop default" if other.default is None else f"set default {other.default}"
            done.append(f"{_alter_column(key)} {default.replace('<ext>.', '')}")
        if one.not_null != other.not_null:
            done.append(f"{_alter_column(key)} {'set' if other.not_null else 'drop'} not null")
            self._checked = self._checked or other.not_null
        return tuple(done) or None

    def _view(self, name: str, found: str, wanted: str) -> tuple[str, ...] | None:
        """Return the view's statements.

        A view is replaced if its columns stay and others follow.
        """
        if self._live.get(("relation", name)) != "view":
            return None  # a materialized view would lose its indexes
        texts = _plain(made(("relation", name), "view", view=wanted))
        before, after = list(view_columns(found).items()), list(view_columns(wanted).items())
        if texts is None:
            return None
        if after[: len(before)] == before:
            return tuple(text.replace("create view", "create or replace view", 1) for text in texts)
        return (f"drop view {quote_name(*split_name(name))}", *texts)

    def _to_its_column(self, difference: Difference) -> list[str]:
        wanted = _wanted(difference) or ""
        own = _OWNED.search(wanted)
        texts = [sql.text for sql in owned((difference.kind, difference.name), wanted)]
        if own is not None:
            texts.append(_set_number(quote_name(*split_name(difference.name)), own[1]))
        return texts

    def _place(self, difference: Difference) -> tuple[int, bool, str]:
        definition = difference.found or _wanted(difference) or ""
        is_view = difference.kind == "relation" and relation_kind(definition) != "table"
        kind = "view" if is_view else difference.kind
        owner = self._promised.get(
            ("relation", table(SchemaFact(kind, difference.name, "")) or ""), ()
        )
        if kind == "option" and any(relation_kind(d or "") != "table" for d in owner):
            kind = "row security"  # after the view
        needs = definition.startswith("FOREIGN KEY") or " generated always as (" in definition
        return rank(kind), needs, difference.name

    def _notes(self) -> tuple[str, ...]:
        lines: list[str] = []
        lines += [
            f"{now} has the same columns as the missing {name}: if it isn't that table, create "
            "the missing one instead, as its revision does"
            for name, now in self._renamed.items()
        ]
        lines += [
            f"{_listed(like)}: the same columns as the missing {name}. If the table was moved, "
            "move it back instead of creating it, with ALTER TABLE … SET SCHEMA"
            for name, like in self._alike.items()
        ]
        if self._tables:
            lines.append(
                f"{_listed(self._tables)}: made empty, and the order of the columns may differ; a "
                "backup has the rows"
            )
        if self._columns:
            lines.append(
                f"{_listed(self._columns)}: made without values, except for a default; a backup "
                "has "
                "those that were there, and the revision's file says what it fills in"
            )
        if self._filled:
            lines.append(
                f"{_listed(self._filled)}: NOT NULL without a default can't be added to a table "
                "with rows; add the column without NOT NULL, fill it, then set NOT NULL"
            )
        if self._checked:
            lines.append("PostgreSQL names the rows that a constraint refuses: correct them first")
        return tuple(lines)


def _wanted(difference: Difference) -> Definition:
    return next((d for d in difference.expected if d is not None), None)


def _alter_column(key: Key) -> str:
    names = split_name(key[1])
    return f"alter table {quote_name(*names[:2])} alter column {quoted(names[-1])}"


def _plain(steps: tuple[Sql, ...] | None) -> tuple[str, ...] | None:
    """Return the steps as statements that can be typed together, also in one transaction."""
    if steps is None:
        return None
    return tuple(_CONCURRENTLY.sub(r"\1 ", sql.text) for sql in steps)


def _labels(name: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the missing labels, each at its place."""
    there = list(found)
    texts: list[str] = []
    for number, label in enumerate(wanted):
        if label in there:
            continue
        at = ""
        if number:
            at = f" after {wanted[number - 1]}"
        elif there:
            at = f" before {there[0]}"
        texts.append(f"alter type {quote_name(*split_name(name))} add value {label}{at}")
        there.append(label)
    return tuple(texts)


def _set_number(sequence: str, column_name: str) -> str:
    """Return what makes a new sequence continue after the existing numbers."""
    return _setval(f"'{_inside(sequence)}'", column_name)


def _next_number(column_name: str) -> str:
    """Return the same for the sequence of an identity column."""
    *owner, last = split_name(column_name)
    within = f"'{_inside(quote_name(*owner))}', '{_inside(last)}'"
    return _setval(f"pg_catalog.pg_get_serial_sequence({within})", column_name)


def _setval(sequence: str, column_name: str) -> str:
    *owner, last = split_name(column_name)
    number = f"coalesce(max({quoted(last)}), 0) + 1"
    return f"select pg_catalog.setval({sequence}, {number}, false) from {quote_name(*owner)}"


def _inside(literal: str) -> str:
    return literal.replace("'", "''")


def _after_each_other(steps: list[_Step]) -> list[_Step]:
    """Sort: what is named by others comes first, such as a table before its policies."""
    ordered: list[_Step] = []
    left = list(steps)
    while left:
        makers = [step for step in left if step.statements[0].startswith("create ")]
        ready = next((s for s in left if not any(_names(s, m) for m in makers)), left[0])
        ordered.append(ready)
        left.remove(ready)
    return ordered


def _names(step: _Step, maker: _Step) -> bool:
    """Whether one step's statements name what another one creates."""
    name = re.compile(rf"(?<![\w$\".]){re.escape(maker.name)}(?![\w$\"])")
    return step is not maker and any(name.search(text) for text in step.statements)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
