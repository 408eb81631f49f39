"""Follow a downgrade's statements: what they drop, rename and convert. Pure.

The rule: a statement is harmless only if it certainly concerns the structure alone, and everything
that it drops can be named as it was called before the first statement. Anything uncertain is in
`doubtful`: a statement that isn't understood is never harmless.
"""

import re
from collections.abc import Iterable

from surefoot.revision_source.statement import NAME, bare, lowered, structural
from surefoot.schema.names import split_name

Name = tuple[str, ...]  # schema and name; for a column, also its name

HANGS = "may drop what depends on it"
UNCOUNTED = "drops what can't be counted"

# About the session or the transaction: they change no rows.
_HARMLESS = re.compile(r"(?:set|reset|show|lock|savepoint|release|rollback to)\b")
# From here on, a name without a schema may mean another object.
_BLINDS = re.compile(r"(?:re)?set (?:local |session )?(?:search_path|schema|role|session auth|all)")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_ODD = re.compile(r"[^\w$ .-]")

_DROP = re.compile(
    r"drop (table|sequence|extension|(?:materialized )?view|\w+(?: \w+)?) (?:if exists )?(.*)"
)
_CREATE = re.compile(rf"create (?:unlogged )?(?:table|sequence) (if not exists )?{NAME}(?: |\(|$)")
_ALTER_TABLE = re.compile(rf"alter table (?:if exists )?(?:only )?{NAME}(?: \*)? (.*)")
_ALTER_OTHER = re.compile(
    rf"alter (?:index|view|materialized view|sequence) (?:if exists )?{NAME} (.*)"
)
_ALTER_TYPE = re.compile(rf"alter type {NAME} (.*)")
_OF_A_TYPE = re.compile(r"add |rename |owner to |set ")

_TO = re.compile(rf"rename to {NAME}")
_SET_SCHEMA = re.compile(rf"set schema {NAME}")
_RENAME_COLUMN = re.compile(rf"rename (?:column )?{NAME} to {NAME}")
_ADD_COLUMN = re.compile(rf"add (?:column )?(if not exists )?{NAME} .*")
_DROP_COLUMN = re.compile(rf"drop (?:column )?(?:if exists )?{NAME}(?: cascade| restrict)?")
_TYPE = re.compile(rf"alter (?:column )?{NAME} (?:set data )?type (.+?)(?: using (.*))?")
_ACTION = re.compile(
    r"add (?:constraint|primary|unique|foreign|check|exclude)\b.*"
    r"|(?:drop|validate|alter|rename) constraint .*"
    rf"|alter (?:column )?{NAME} (?:(?:set|drop) (?:not null|default|identity|expression|statistics"
    r"|storage|compression|generated|cache|increment|\()|reset|add generated).*"
    r"|owner to .*|(?:enable|disable|force|no force) .*|(?:set|reset) ?\(.*"
    r"|set (?:logged|unlogged|tablespace|access method|without cluster|without oids).*"
    r"|cluster on .*|replica identity .*|(?:no )?inherit .*|not of|of .*"
)
# PostgreSQL's own, which have no rows of their own; an extension's may have tables.
_WITHOUT_ROWS = frozenset(
    (
        *("btree_gin", "btree_gist", "citext", "cube", "earthdistance", "fuzzystrmatch", "hstore"),
        *("intarray", "isn", "ltree", "pg_trgm", "pgcrypto", "tablefunc", "unaccent", "uuid-ossp"),
        *("vector", "plpgsql", "seg", "tcn", "bloom", "xml2", "lo"),
    )
)


class Followed:
    """The effects of the statements, in the names from before the first of them.

    `tables`, `columns`, `sequences` are dropped, `typed` columns get another type: each with the
    statement that does it. `doubtful`: statements, and why ("": rows may change).
    """

    def __init__(self, statements: Iterable[str], schema: str) -> None:
        self.tables: dict[Name, str] = {}
        self.columns: dict[Name, str] = {}
        self.sequences: dict[Name, str] = {}
        self.typed: dict[Name, str] = {}
        self.doubtful: dict[str, str] = {}
        # what a name was called before; None: created here, so it has no rows
        self._origins: dict[Name, Name | None] = {}
        self._columns: dict[Name, Name | None] = {}
        self._moved: set[Name] = set()
        self._schema = schema
        self._blind: frozenset[int] = frozenset()  # names with so many parts are uncertain
        self._sql = ""
        for sql in statements:
            self._sql = " ".join(sql.split())
            self._follow(sql)

    def origin(self, name: Name) -> Name | None:
        """Return the original name of what is called so after these statements; None: nothing."""
        table = self._origins.get(name[:2], name[:2])
        if table is None or len(name) == 2:
            return table
        column = (*table, name[2])
        return self._columns.get(column, column)

    def kept(self, name: Name) -> bool:
        """Whether it certainly still exists, with its rows, under another name."""
        if name[:2] in self.tables or name in self.columns:
            return False
        return name in self._moved

    def _doubt(self, why: str = "") -> None:
        self.doubtful[self._sql] = self.doubtful.get(self._sql) or why

    def _follow(self, sql: str) -> None:
        text = lowered(bare(sql))
        odd = any(_ODD.search(name[1:-1]) for name in _QUOTED.findall(text))
        if ";" in text or odd:
            self._doubt()
        elif not text or _HARMLESS.match(text):
            if _BLINDS.match(text):
                self._blind |= {1}
        elif structural(sql) is None or text.startswith("create event trigger"):
            self._doubt()
        elif text.startswith("drop "):
            self._drop(text)
        elif text.startswith("create "):
            if found := _CREATE.match(text):
                made = self._name(found[2])
                if made is not None and not found[1]:
                    self._origins[made] = None
        elif text.startswith("alter "):
            self._alter(text)

    def _alter(self, text: str) -> None:
        if found := _ALTER_TABLE.fullmatch(text):
            self._alter_table(found[1], pieces(found[2]))
        elif found := _ALTER_OTHER.fullmatch(text):
            if not self._moves(found[1], found[2]) and re.search(r"\bowned by (?!none)", found[2]):
                self._doubt()
        elif found := _ALTER_TYPE.fullmatch(text):
            if not all(_OF_A_TYPE.match(piece) for piece in pieces(found[2])):
                self._doubt()
        elif text.startswith("alter schema"):
            if " rename to " in text:
                self._blind |= {1, 2}
        elif text.startswith("alter extension") or _cascades(text):
            self._doubt()

    def _name(self, written: str) -> Name | None:
        """Return a name with its schema, if that is certain."""
        found = split_name(written)
        if len(found) in self._blind or not 1 <= len(found) <= 2:
            return None
        return found if len(found) == 2 else (self._schema, *found)

    def _drop(self, text: str) -> None:
        if _cascades(text):
            self._doubt(HANGS)
        found = _DROP.fullmatch(text)
        what = found[1] if found else ""
        if found is None or what not in ("table", "sequence", "extension"):
            return
        for piece in pieces(re.sub(r" (?:cascade|restrict)$", "", found[2])):
            if what == "extension":
                if _last(piece) not in _WITHOUT_ROWS:
                    self._doubt(UNCOUNTED)
                continue
            name = self._name(piece) if re.fullmatch(NAME, piece) else None
            if name is None:
                self._doubt(UNCOUNTED)
                continue
            was = self._origins.get(name, name)
            if was is not None:
                (self.tables if what == "table" else self.sequences)[was] = self._sql

    def _moves(self, written: str, action: str) -> bool:
        """Whether it renames a relation; the new name is then noted."""
        to, away = _TO.fullmatch(action), _SET_SCHEMA.fullmatch(action)
        if to is None and away is None:
            return False
        name = self._name(written)
        target = split_name(to[1] if to else away[1] if away else "")
        if name is None or len(target) != 1:
            self._blind |= {1, 2}
            return True
        was = self._origins.get(name, name)
        new = (name[0], *target) if to else (*target, name[1])
        self._origins.pop(name, None)
        self._origins[new] = was
        if was is not None:
            self._moved.add(was)
        return True

    def _alter_table(self, written: str, actions: list[str]) -> None:
        if self._moves(written, actions[0]):
            return
        name = self._name(written)
        table = None if name is None else self._origins.get(name, name)
        if name is not None and table is None:
            return  # it was created here
        for action in actions:
            if action.startswith("drop ") and _cascades(action):
                self._doubt(HANGS)
            if table is None:
                if not _ACTION.fullmatch(action) and not action.startswith("add "):
                    self._doubt(UNCOUNTED if action.startswith("drop ") else "")
            elif not _ACTION.fullmatch(action):
                self._of_a_column(table, action)

    def _of_a_column(self, table: Name, action: str) -> None:
        if found := _ADD_COLUMN.fullmatch(action):
            if not found[1]:
                self._columns[*table, _last(found[2])] = None
        elif found := _DROP_COLUMN.fullmatch(action):
            was = self._column(table, found[1])
            if was is not None:
                self.columns[was] = self._sql
        elif found := _RENAME_COLUMN.fullmatch(action):
            was = self._column(table, found[1])
            self._columns.pop((*table, _last(found[1])), None)
            self._columns[*table, _last(found[2])] = was
            if was is not None:
                self._moved.add(was)
        elif found := _TYPE.fullmatch(action):
            was = self._column(table, found[1])
            if was is None:
                return
            if was in self.typed or not _same(found[1], found[2], found[3]):
                self._doubt()
            self.typed[was] = self._sql
        else:
            self._doubt(UNCOUNTED if action.startswith("drop ") else "")

    def _column(self, table: Name, written: str) -> Name | None:
        name = (*table, _last(written))
        return self._columns.get(name, name)


def _last(name: str) -> str:
    return (split_name(name) or ("",))[-1]


def _cascades(text: str) -> bool:
    return re.search(r"\bcascade\b", _QUOTED.sub('""', text)) is not None


_SPELT = {"int": "integer", "int4": "integer", "int8": "bigint", "varchar": "character varying"}


def _same(column: str, type: str, using: str | None) -> bool:
    """Whether USING is the column itself, or a cast of it to exactly the new type."""
    if using is None:
        return True
    value, _, cast = using.partition("::")
    wanted = _spelt(type.split(" collate ")[0])
    return split_name(value.strip("( )")) == split_name(column) and (
        not cast or _spelt(cast) == wanted
    )


def _spelt(type: str) -> str:
    plain = " ".join(type.replace('"', "").split())
    word = re.match(r"\w*", plain)
    first = word[0] if word else ""
    return (_SPELT.get(first, first) + plain[len(first) :]).replace(" (", "(")


def pieces(text: str) -> list[str]:
    """Split at the commas outside brackets."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [piece.strip() for piece in found]


def fact_part(identifier: str) -> str:
    """Return an identifier as facts write it: keywords aren't quoted there."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", identifier)
    return identifier if plain else '"' + identifier.replace('"', '""') + '"'
