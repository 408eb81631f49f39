"""What a release's own SQLAlchemy models can do with a database: each table, each operation.

Runs in the release's environment, where nothing else of surefoot is needed:

    TRIAL_URL=postgresql://… python rolled_back_models.py MODELS

MODELS are Python statements that bind `metadata`. Rows are selected, inserted (all columns; then
only what the model must give), updated and deleted, each in a savepoint; all is rolled back at the
end. Prints a JSON object: "table operation" to null, or to the error. What needs a row that
couldn't be inserted isn't in it.
"""

import datetime
import decimal
import itertools
import json
import os
import sys
import uuid
import warnings
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

VALUES: dict[type, Callable[[int], Any]] = {
    bool: lambda n: n % 2 == 0,
    int: lambda n: n,
    float: float,
    decimal.Decimal: lambda n: decimal.Decimal(n % 10),
    str: str,  # a number is JSON, too
    bytes: lambda n: b"v%d" % n,
    dict: lambda n: {"v": n},
    list: lambda n: [],
    uuid.UUID: lambda n: uuid.UUID(int=n),
    datetime.timedelta: lambda n: datetime.timedelta(seconds=n),
    datetime.date: lambda n: datetime.date(2020, 1, 1) + datetime.timedelta(days=n),
    datetime.time: lambda n: datetime.time(n % 24),
}
NOON = datetime.datetime(2020, 1, 1, 12)


class MissingRow(Exception):
    """A row that another one must refer to couldn't be inserted."""


class Trial:
    """One connection, in one transaction that never commits."""

    def __init__(self, connection: sa.engine.Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect
        self.numbers = itertools.count(1)
        self.rows: dict[sa.Table, dict[str, Any]] = {}
        self.results: dict[str, str | None] = {}

    def run(self, metadata: sa.MetaData) -> dict[str, str | None]:
        """Every table, those that others refer to first; deletes in the opposite order."""
        tables = list(metadata.sorted_tables)
        for table in tables:
            self.attempt(table, "select", lambda t=table: self.read(t))
            # one is taken back; a row that others refer to has all columns, if there can be such
            possible = self.attempt_insert(table, sparse=True, keep=False)
            if not self.attempt_insert(table, sparse=False) and possible:
                self.attempt_insert(table, sparse=True)
            if table in self.rows:
                self.attempt(table, "read", lambda t=table: self.read(t))
                self.attempt(table, "update", lambda t=table: self.update(t))
        for table in reversed(tables):
            if table in self.rows:
                self.attempt(table, "delete", lambda t=table: self.delete(t))
        return self.results

    def attempt_insert(self, table: sa.Table, *, sparse: bool, keep: bool = True) -> bool:
        """Whether there can be such a row; unless it's kept, it's gone again."""
        operation = "insert little" if sparse else "insert"
        done = self.attempt(table, operation, lambda: self.insert(table, sparse), keep=keep)
        if not (done and keep):
            self.rows.pop(table, None)
        return done

    def attempt(
        self, table: sa.Table, operation: str, act: Callable[[], None], *, keep: bool = True
    ) -> bool:
        """One operation, taken back if it fails or isn't to be kept."""
        savepoint = self.connection.begin_nested()
        error: str | None = None
        try:
            act()
            self.connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
            self.connection.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
        except MissingRow:
            savepoint.rollback()
            return False  # it has been told
        except (SQLAlchemyError, TypeError, ValueError, LookupError, AttributeError) as failed:
            error = f"{type(failed).__name__}: {failed}".splitlines()[0]
            if savepoint.is_active:
                savepoint.rollback()
        else:
            savepoint.commit() if keep else savepoint.rollback()
        self.results[f"{table.fullname} {operation}"] = error
        return error is None

    def read(self, table: sa.Table) -> None:
        """All columns of all rows, as the model reads them."""
        self.connection.execute(sa.select(*table.columns)).fetchall()

    def insert(self, table: sa.Table, sparse: bool) -> None:
        """A row with all columns, or without what the model needn't give."""
        given: dict[str, Any] = {}
        for column in table.columns:
            if not _left_out(column, sparse):
                given[column.name] = self.value(column, sparse, given)
        done = self.connection.execute(table.insert().values(self.bound(table, given)))
        key = done.inserted_primary_key
        names = [c.name for c in table.primary_key.columns]
        row = given | dict(zip(names, key or (), strict=False))
        if not names:
            row = given
        self.rows[table] = row

    def update(self, table: sa.Table) -> None:
        """All columns but the key, to other values."""
        keys = set(table.primary_key.columns)
        changed = {
            c.name: self.value(c, False, self.rows[table])
            for c in table.columns
            if c not in keys and c.computed is None and c.identity is None
        }
        if changed:
            found = table.update().where(self.this(table)).values(self.bound(table, changed))
            self.connection.execute(found)

    def delete(self, table: sa.Table) -> None:
        """The rows that were inserted."""
        self.connection.execute(table.delete())

    def this(self, table: sa.Table) -> Any:
        """The condition for the row that was inserted."""
        row = self.rows[table]
        keys = [c for c in table.primary_key.columns if row.get(c.name) is not None]
        return sa.and_(
            sa.true(), *(c == sa.bindparam(None, row[c.name], self.plain(c.type)) for c in keys)
        )

    def value(self, column: sa.Column[Any], sparse: bool, row: dict[str, Any]) -> Any:
        """One that the column's type and foreign key allow; `row` is what the row has already."""
        for key in column.foreign_keys:
            referred = key.column
            if referred.table is not column.table and referred.table in self.rows:
                return self.referred(referred)
            if column.nullable:
                return None
            if referred.table is not column.table:
                raise MissingRow(referred.table.name)
            return row.get(referred.name)
        if sparse and column.nullable:
            return None
        return self.of_type(self.plain(column.type))

    def referred(self, column: sa.Column[Any]) -> Any:
        """The value of a row that was inserted."""
        row = self.rows[column.table]
        if row.get(column.name) is None:
            found = sa.select(column).where(self.this(column.table))
            row[column.name] = self.connection.execute(found).scalar()
        return row[column.name]

    def of_type(self, type_: Any) -> Any:
        """A value that hasn't been used yet, as far as the type has more than a few."""
        number = next(self.numbers)
        if isinstance(type_, sa.Enum):
            value = type_.enums[0]
            return type_.enum_class[value] if type_.enum_class else value
        if isinstance(type_, sa.DateTime):
            at = NOON + datetime.timedelta(seconds=number)
            return at.replace(tzinfo=datetime.UTC) if type_.timezone else at
        if isinstance(type_, sa.JSON):
            return {"v": number}
        try:
            value = VALUES[type_.python_type](number)
        except (KeyError, NotImplementedError):
            value = str(number)
        length = getattr(type_, "length", None)
        return value[-length:] if length and isinstance(value, str) else value

    def bound(self, table: sa.Table, values: dict[str, Any]) -> dict[str, Any]:
        """Values for the column's plain type: a decorated one wants objects of its own."""
        return {
            name: sa.bindparam(None, value, self.plain(table.c[name].type))
            for name, value in values.items()
        }

    def plain(self, type_: Any) -> Any:
        """The type that the server sees."""
        while isinstance(type_, sa.types.TypeDecorator) and not isinstance(type_, sa.Interval):
            type_ = type_.load_dialect_impl(self.dialect)
        return type_


def _left_out(column: sa.Column[Any], sparse: bool) -> bool:
    """Whether the model leaves it to the server, or to its own default."""
    if column.computed is not None or column.identity is not None:
        return True
    if column is _counted(column.table) and not column.foreign_keys:
        return True
    if column.default is not None and not (column.primary_key and column.foreign_keys):
        return True
    return column.server_default is not None and (sparse or column.primary_key)


def _counted(table: sa.Table) -> Any:
    """The column that the server counts; SQLAlchemy 1.4 has no public name for it."""
    name = "autoincrement_column"
    return getattr(table, name if hasattr(table, name) else f"_{name}")


def main() -> None:
    (models,), url = sys.argv[1:], os.environ["TRIAL_URL"]
    warnings.simplefilter("ignore")
    scope: dict[str, Any] = {}
    exec(models, scope)
    driver = "psycopg" if sa.__version__ >= "2" else "psycopg2"
    engine = sa.create_engine(url.replace("postgresql://", f"postgresql+{driver}://", 1))
    with engine.connect() as connection:
        transaction = connection.begin()
        results = Trial(connection).run(scope["metadata"])
        transaction.rollback()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
