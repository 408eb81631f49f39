"""Write the SQL that gives a structure what it lacks of head's promise, from facts. Pure.

A definition in the catalogue is canonical, and some can't be written back (for a function, only a
hash of its body is known). No SQL may lose rows: a column in the way stays.
"""

# ruff: noqa: S608  the statements are for people to type

import re
from collections.abc import Iterable

import msgspec

from surefoot.catalogue.catalogue import State
from surefoot.catalogue.match import (
    AskUnseen,
    ByHand,
    Difference,
    Issue,
    Named,
    Restoration,
    Unseen,
    nothing_unseen,
)
from surefoot.compatibility.contents import BY_CONTENT
from surefoot.schema.ddl import Sql, changed, dropped, made, owned
from surefoot.schema.definitions import column, labels, names, view_columns, widened
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import rank
from surefoot.schema.names import quote_name, quoted, split_name

_OF_COLUMN = 3  # parts of its name
_NEEDED = frozenset(("function", "procedure", "aggregate", "range", "relation"))  # by others
_OTHER_TABLES = re.compile(r" (?:of|server|inherits|partition by) ")
_PARENTS = re.compile(r" inherits \((.*?)\)")
_OWNED = re.compile(r" owned by (.*)$")
_CONCURRENTLY = re.compile(r"^(create (?:unique )?index|drop index) concurrently ")
_NUMBERS = re.compile(  # of a sequence
    r"(?:unlogged )?(?P<type>\w+) (?P<rest>start (?P<start>-?\d+) increment (?P<by>-?\d+).*)"
)
_WORD = re.compile(r"[\w$]+")
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}

# Objects of kinds that no facts describe, in a statement.
_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_OTHERS = {
    "collation": re.compile(rf" collate ({_PART}\.{_PART})", re.IGNORECASE),
    "text search configuration": re.compile(rf"'({_PART}\.{_PART})'::regconfig"),
}


class _Step(msgspec.Struct, frozen=True):
    place: tuple[int, bool, str]
    name: str
    statements: tuple[str, ...]


def restoration(
    promised: State,
    differences: Iterable[Difference],
    facts: tuple[SchemaFact, ...],
    broken: Iterable[Issue],
    ask: AskUnseen = nothing_unseen,
) -> Restoration:
    """Return what restores missing objects and corrects what is `broken`; and what it can't do."""
    return _Restoring(promised, facts, ask).of(tuple(differences), tuple(broken))


class _Restoring:
    def __init__(self, promised: State, facts: tuple[SchemaFact, ...], ask: AskUnseen) -> None:
        self._promised = promised
        self._live: dict[Key, str] = {(fact.kind, fact.name): fact.definition for fact in facts}
        self._facts, self._ask = facts, ask
        self._tables: list[str] = []
        self._columns: list[str] = []
        self._filled: list[str] = []
        self._unseen: dict[str, Unseen] = {}  # missing tables that exist, in another one
        self._renamed: dict[str, str] = {}  # missing tables and columns, with their present names
        self._schemas: dict[str, str] = {}  # missing schemas, with their present names
        self._alike: dict[str, list[str]] = {}  # each with those that look the same
        self._labels: list[str] = []
        self._sequences: list[str] = []
        self._checked = False
        self._wrong: dict[Key, Difference] = {}

    def of(self, differences: tuple[Difference, ...], broken: tuple[Issue, ...]) -> Restoration:
        keys = {(b.kind, b.name) for b in broken}
        self._find_unseen(differences)
        self._find_renamed(differences)
        self._find_renamed_columns(differences)
        gone = {d.name for d in differences if self._is_made_anew(d)}
        away: list[_Step] = []
        anew: list[_Step] = []
        last: list[str] = []
        by_hand: list[ByHand] = []
        unmade: set[str] = set()  # tables to be made by hand, with all that belongs to them
        seen = {(d.kind, d.name) for d in differences}
        own = [Difference(b.kind, b.name, (None,), b.found) for b in broken]
        wrong = [*differences, *(d for d in own if (d.kind, d.name) not in seen)]
        self._wrong = {(d.kind, d.name): d for d in wrong}
        for difference in sorted(wrong, key=lambda d: d.kind != "relation"):
            key = (difference.kind, difference.name)
            if not self._counts(difference, key in keys) or self._goes_along(difference, gone):
                continue
            owner = table(SchemaFact(*key, _wanted(difference) or ""))
            if self._comes_back(difference) or owner in unmade:
                continue
            if self._is_made_anew(difference) and difference.found is not None:
                away.append(self._aside(difference))
                difference = msgspec.structs.replace(difference, found=None)
            texts = self._texts(difference)
            if texts is None:
                needed = difference.kind in _NEEDED or owner in gone
                if key in keys or (difference.found is None and needed):
                    by_hand.append(ByHand(*key, key))
                    if difference.kind == "relation":
                        unmade.add(difference.name)
                continue
            step = _Step(self._place(difference), difference.name, texts)
            (away if difference.what == "unexpected" else anew).append(step)
            by_hand += self._others(key, texts)
            if difference.found is None and difference.kind == "sequence":
                last += self._to_its_column(difference)
        away.sort(key=lambda step: step.place, reverse=True)
        anew.sort(key=lambda step: step.place)
        ordered = [*away, *_after_each_other(anew)]
        return Restoration(
            tuple(f"{text};" for step in ordered for text in step.statements)
            + tuple(f"{text};" for text in last),
            tuple({(one.kind, one.name): one for one in sorted(by_hand)}.values()),
            self._notes(),
        )

    def _find_unseen(self, differences: Iterable[Difference]) -> None:
        """Find missing tables that exist, as a partition of a table or in an extension."""
        missing = {
            ("class", d.name): d.name
            for d in differences
            if d.kind == "relation" and d.found is None
        }
        found = self._ask(missing)
        self._unseen = {missing[named]: unseen for named, unseen in found.items()}

    def _others(self, key: Key, texts: Iterable[str]) -> list[ByHand]:
        """Return what these statements name that doesn't exist, and of which no facts tell."""
        named: list[Named] = [
            (kind, found)
            for kind, pattern in _OTHERS.items()
            for text in texts
            for found in pattern.findall(text)
        ]
        there = self._ask(named)
        return [ByHand(*one, key) for one in named if one not in there]

    def _find_renamed(self, differences: tuple[Difference, ...]) -> None:
        """Find tables that were renamed, or moved to another schema, by their columns.

        A schema was renamed if it is missing, and one that no revision makes has all its tables. A
        table was moved if other objects that named it follow it: a copy has none.
        """
        live = self._columns_by_table(self._live.items())
        promised = self._columns_by_table((key, d) for key, (d, *_) in self._promised.items())
        for one in differences:
            columns = promised.get(one.name)
            if not columns or not self._is_made_anew(one) or one.name in self._unseen:
                continue
            like = [
                t
                for t, found in live.items()
                if {c: d and _moved(d, t, one.name) for c, d in found.items()} == columns
                and t not in promised
                and _moved(self._live.get(("relation", t), ""), t, one.name) == _wanted(one)
            ]
            beside = [t for t in like if split_name(t)[0] == split_name(one.name)[0]]
            if len(beside) == 1:
                self._renamed[one.name] = beside[0]
            elif len(like) == 1 and self._is_followed(differences, one.name, like[0]):
                self._renamed[one.name] = like[0]
            elif like:
                self._alike[one.name] = like
        schemas = {split_name(t)[0] for t in promised}
        for one in differences:
            if one.kind != "schema" or one.found is not None:
                continue
            (schema,) = split_name(one.name)
            tables = [t for t in promised if split_name(t)[0] == schema]
            elsewhere = [
                {split_name(t)[0] for t in self._alike.get(name, ()) if _is_moved(t, name)}
                | {split_name(t)[0] for t in (self._renamed.get(name),) if t}
                for name in tables
            ]
            there = set[str]().union(*elsewhere[:1]).intersection(*elsewhere) - schemas
            if len(there) == 1:
                self._schemas[schema] = there.pop()
                for name in tables:
                    self._alike.pop(name, None)
                    self._renamed.pop(name, None)

    def _is_followed(self, differences: Iterable[Difference], name: str, now: str) -> bool:
        """Whether what named the table names it where it is now."""
        return _is_moved(now, name) and any(
            d.found is not None
            and d.found != _wanted(d)
            and d.found.replace(now, name) == _wanted(d)
            for d in differences
        )

    def _find_renamed_columns(self, differences: Iterable[Difference]) -> None:
        """Find columns that were renamed, by their definitions."""
        missing: dict[tuple[str, Definition], list[str]] = {}
        for one in differences:
            owner = table(SchemaFact(one.kind, one.name, "")) if one.kind == "column" else None
            if one.found is None and owner is not None and ("relation", owner) in self._live:
                missing.setdefault((owner, _wanted(one)), []).append(one.name)
        if not missing:
            return
        like: dict[tuple[str, Definition], list[str]] = {}
        for (kind, name), definition in self._live.items():
            if kind == "column" and (kind, name) not in self._promised:
                owner = table(SchemaFact(kind, name, "")) or ""
                like.setdefault((owner, definition), []).append(name)
        for found, lacking in missing.items():
            others = like.get(found, [])
            if len(others) == len(lacking) == 1:
                self._renamed[lacking[0]] = others[0]
            elif others:
                self._alike.update(dict.fromkeys(lacking, others))

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
        """Whether it is right again once what was renamed, or is in another table, is back."""
        kind, name = difference.kind, difference.name
        for schema, there in self._schemas.items():
            here = self._live.get((kind, _in_schema(name, schema, there)), difference.found)
            back = here is not None and _in_schema(here, there, schema) == _wanted(difference)
            if back or split_name(name)[0] == there:
                return True
        wanted, found = _wanted(difference) or "", difference.found or ""
        if kind == "relation":
            names = self._renamed.items()
            return bool(found) and any(found.replace(now, name) == wanted for name, now in names)
        if difference.name in self._renamed.values():
            return True
        owner = table(SchemaFact(difference.kind, difference.name, ""))
        if any(
            owner == name
            or f" owned by {name}." in wanted
            or f" identity of {name}." in wanted
            or found.replace(now, name) == wanted
            for name, now in (self._renamed | {name: name for name in self._unseen}).items()
        ):
            return True
        words = {split_name(now)[-1]: name for name, now in self._renamed.items()}
        back = _WORD.sub(
            lambda word: quoted(split_name(words[word[0]])[-1]) if word[0] in words else word[0],
            found,
        )
        return bool(found) and back == wanted

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
        return (owner in gone and difference.kind in ("column", "view")) or self._is_inherited(
            difference, owner
        )

    def _is_inherited(self, difference: Difference, owner: str | None) -> bool:
        """Whether the same differs in a table from which this one inherits it."""
        wanted = _wanted(difference) or ""
        if difference.kind != "column" and not wanted.startswith("CHECK "):
            return False
        parents = _PARENTS.search(self._live.get(("relation", owner or ""), ""))
        last = quoted(split_name(difference.name)[-1])
        above = [
            self._wrong.get((difference.kind, f"{parent}.{last}"))
            for parent in (parents[1].split(", ") if parents else ())
        ]
        return any(
            one is not None and (one.found, _wanted(one)) == (difference.found, _wanted(difference))
            for one in above
        )

    def _texts(self, difference: Difference) -> tuple[str, ...] | None:
        key: Key = difference.kind, difference.name
        found, wanted = difference.found, _wanted(difference)
        if difference.name in self._unseen and difference.kind == "relation":
            unseen = self._unseen[difference.name]
            return (unseen.parted(quote_name(*split_name(difference.name))),)
        if (
            difference.kind == "schema"
            and (schema := split_name(difference.name)[0]) in self._schemas
        ):
            return (f"alter schema {quoted(self._schemas[schema])} rename to {quoted(schema)}",)
        if difference.name in self._renamed and difference.kind in ("relation", "column"):
            *owner, now = split_name(self._renamed[difference.name])
            name = split_name(difference.name)[-1]
            if difference.kind == "column":
                within = f"alter table {quote_name(*owner)} rename column {quoted(now)}"
                return (f"{within} to {quoted(name)}",)
            schema = split_name(difference.name)[0]
            if schema != owner[0]:
                return (f"alter table {quote_name(*owner, now)} set schema {quoted(schema)}",)
            return (f"alter table {quote_name(*owner, now)} rename to {quoted(name)}",)
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
            wanted = self._with_numbers(key[1], wanted)
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
            split_name(found)[-1]: self._with_numbers(found, definition)
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
                return self._enum(key[1], labels(found), labels(wanted))
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
            identity = f"generated {other.identity} as identity"
            done.append(f"{_alter_column(key)} add {self._with_numbers(key[1], identity)}")
            *within, last = split_name(key[1])
            own = f"'{_inside(quote_name(*within))}', '{_inside(last)}'"
            sequence = f"pg_catalog.pg_get_serial_sequence({own})"
            done.append(_set_number(sequence, self._identity(key[1])[1], [key[1]]))
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
        names = {column for column, _ in before}
        renamed = [
            (now, column)
            for (now, type), (column, wanted_type) in zip(before, after, strict=False)
            if now != column and type == wanted_type and column not in names
        ]
        as_wanted = dict(renamed)
        before = [(as_wanted.get(column, column), type) for column, type in before]
        view = quote_name(*split_name(name))
        if after[: len(before)] == before:
            rename = f"alter view {view} rename column"
            return (
                *(f"{rename} {_typed(now)} to {_typed(column)}" for now, column in renamed),
                *(text.replace("create view", "create or replace view", 1) for text in texts),
            )
        return None if self._is_needed(name) else (f"drop view {view}", *texts)

    def _is_needed(self, view: str) -> bool:
        """Whether an object depends on a view, or would be dropped with it."""
        named = _naming(view)
        return any(
            named.search(definition)
            or (table(SchemaFact(*key, definition)) == view and key[0] not in ("column", "view"))
            for key, definition in self._live.items()
            if key[1] != view
        )

    def _to_its_column(self, difference: Difference) -> list[str]:
        """Return what gives a new sequence to its column, and lets it continue after the existing
        numbers.
        """
        name, wanted = difference.name, _wanted(difference) or ""
        texts = [sql.text for sql in owned((difference.kind, name), wanted)]
        own = _OWNED.search(wanted)
        drawn = f"nextval('{_inside(name)}'::regclass)"
        using: dict[str, str | None] = {} if own is None else {own[1]: None}
        for (kind, one), (definition, *_) in self._promised.items():
            if kind == "column" and drawn in (definition or ""):
                using[one] = column(definition or "").default
        if using and all(
            default in (drawn, None) and self._is_integer(one) for one, default in using.items()
        ):
            sequence = f"'{_inside(quote_name(*split_name(name)))}'"
            texts.append(_set_number(sequence, wanted, sorted(using)))
        else:
            self._sequences.append(name)
        return texts

    def _is_integer(self, name: str) -> bool:
        type = column(self._promised.get(("column", name), ("",))[0] or "").type
        domain = self._promised.get(("domain", type), (None,))[0]
        return (type if domain is None else column(domain).type) in _LARGEST

    def _identity(self, name: str) -> tuple[str, str]:
        """Return the sequence of an identity column: its name and its definition."""
        end = f" identity of {name}"
        return next(
            (
                (sequence, definition.removesuffix(end))
                for (kind, sequence), (definition, *_) in self._promised.items()
                if kind == "sequence" and definition is not None and definition.endswith(end)
            ),
            ("", ""),
        )

    def _with_numbers(self, name: str, definition: str) -> str:
        """Return the same with the numbers of an identity, unless they are PostgreSQL's own."""
        sequence, numbers = self._identity(name) if " as identity" in definition else ("", "")
        match = _NUMBERS.fullmatch(numbers)
        if match is None:
            return definition
        *owner, last = split_name(name)
        usual = f"start 1 increment 1 minvalue 1 maxvalue {_LARGEST[match['type']]} cache 1"
        parts = [] if match["rest"] == usual else [match["rest"]]
        if split_name(sequence) != (owner[0], f"{owner[1]}_{last}_seq"):
            parts.insert(0, f"sequence name {quote_name(*split_name(sequence))}")
        if not parts:
            return definition
        return definition.replace(" as identity", f" as identity ({' '.join(parts)})", 1)

    def _enum(self, name: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the labels that were renamed, and those that are missing, each at its place.

        A label can't be removed. So if there are as many others where labels are missing, these
        were renamed, and rows have them.
        """
        type = f"alter type {quote_name(*split_name(name))}"
        texts: list[str] = []
        there = list(found)
        others, missing = _between(found, wanted), _between(wanted, found)
        for after, lacking in missing.items():
            if len(others.get(after, ())) != len(lacking):
                continue
            for now, label in zip(others[after], lacking, strict=True):
                texts.append(f"{type} rename value {now} to {label}")
                there[there.index(now)] = label
                self._labels.append(
                    f"{name} has {now} in the place of {label}: if that isn't the same label under "
                    "another name, add the missing one instead."
                )
        for number, label in enumerate(wanted):
            if label in there:
                continue
            at = ""
            if number:
                at = f" after {wanted[number - 1]}"
            elif there:
                at = f" before {there[0]}"
            texts.append(f"{type} add value {label}{at}")
            there.append(label)
        return tuple(texts)

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
        lines = [
            f"{name} is {unseen.whose}: if it isn't the application's, give it another name as "
            "well, and start again."
            for name, unseen in self._unseen.items()
        ]
        for name, now in self._schemas.items():
            lines.append(
                f"{quoted(now)} has the tables of the missing schema {quoted(name)}: if it isn't "
                "that schema, create the missing one instead, and what it contains, as its "
                "revisions do."
            )
        for name, now in self._renamed.items():
            what = "table" if len(split_name(name)) < _OF_COLUMN else "column"
            alike = "has the same columns as" if what == "table" else "is defined as"
            lines.append(
                f"{now} {alike} the missing {name}: if it isn't that {what}, create the missing "
                "one instead, as its revision does."
            )
        for name, like in self._alike.items():
            if len(split_name(name)) < _OF_COLUMN:
                lines.append(
                    f"{_listed(like)}: the same columns as the missing {name}. If the table was "
                    "moved, move it back instead of creating it, with ALTER TABLE … SET SCHEMA."
                )
            else:
                lines.append(
                    f"{_listed(like)}: defined as the missing {name}. If the column was renamed, "
                    "rename it back instead of adding it."
                )
        lines += self._labels
        if self._tables:
            lines.append(
                f"{_listed(self._tables)}: made empty, and the order of the columns may differ; a "
                "backup has the rows."
            )
        if self._columns:
            lines.append(
                f"{_listed(self._columns)}: made without values, except for a default; a backup "
                "has those that were there, and the revision's file says what it fills in."
            )
        if self._filled:
            lines.append(
                f"{_listed(self._filled)}: NOT NULL without a default can't be added to a table "
                "with rows; add the column without NOT NULL, fill it, then set NOT NULL."
            )
        if self._sequences:
            lines.append(
                f"{_listed(self._sequences)}: begins with its first number again. If rows have "
                "numbers from it, let it continue after them, with setval."
            )
        if self._checked:
            lines.append("PostgreSQL names the rows that a constraint refuses: correct them first.")
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


def _between(labels: tuple[str, ...], others: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the labels that the others don't have, by the common one before them."""
    found: dict[str, list[str]] = {}
    after = ""
    for label in labels:
        if label in others:
            after = label
        else:
            found.setdefault(after, []).append(label)
    return found


def _set_number(sequence: str, definition: str, columns: Iterable[str]) -> str:
    """Return what lets a new sequence continue after the numbers in these columns."""
    match = _NUMBERS.match(definition)
    start, by = (int(match["start"]), int(match["by"])) if match else (1, 1)
    furthest, most = ("max", "greatest") if by > 0 else ("min", "least")
    numbers = [
        f"(select {furthest}({quoted(last)}) {'+' if by > 0 else '-'} {abs(by)} from "
        f"{quote_name(*owner)})"
        for *owner, last in map(split_name, columns)
    ]
    return f"select pg_catalog.setval({sequence}, {most}({', '.join(numbers)}, {start}), false)"


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
    name = _naming(maker.name)
    return step is not maker and any(name.search(text) for text in step.statements)


def _naming(name: str) -> re.Pattern[str]:
    """Return what finds an object's name in a definition or a statement."""
    return re.compile(rf"(?<![\w$\".]){re.escape(name)}(?![\w$\"])")


def _typed(column: str) -> str:
    """Return a view's column, which the view's fact has as PostgreSQL quotes it, as it is typed."""
    return quoted(split_name(column)[0])


def _is_moved(now: str, name: str) -> bool:
    """Whether a table with another schema has the same name."""
    return split_name(now)[1:] == split_name(name)[1:]


def _in_schema(text: str, schema: str, other: str) -> str:
    """Return a name or a definition with another schema in place of one."""
    found = re.compile(rf"(?<![\w$\".]){re.escape(quoted(schema))}\.")
    return found.sub(lambda _: f"{quoted(other)}.", text)


def _moved(definition: str, now: str, name: str) -> str:
    """Return the definition of a table or its column, as it would be in the schema of another name.

    A sequence that a column owns goes along, and so does all else where a schema is renamed.
    """
    here, there = split_name(now)[0], split_name(name)[0]
    return definition if here == there else _in_schema(definition, here, there)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
