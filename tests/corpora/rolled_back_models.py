"""What a release's own SQLAlchemy models can do with a database: each table, each operation.

Runs in the release's environment, where nothing else of surefoot is needed:

    python rolled_back_models.py URL MODELS

MODELS are Python statements that bind `metadata`. Rows are selected, inserted (all columns; then
only what the model must give), updated and deleted, each in a savepoint; all is rolled back at the
end. Prints a JSON object: "table operation" to null, or to the error. What needs a row that
couldn't be inserted isn't in it.
"""

import datetime
import decimal
import itertools
import json
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
    str: lambda n: f"v{n}",
    bytes: lambda n: b"v%d" % n,
    dict: lambda n: {"v": n},
    list: lambda n: [],
    uuid.UUID: lambda n: uuid.UUID(int=n),
    datetime.timedelta: lambda n: datetime.timedelta(seconds=n),
    datetime.date: lambda n: datetime.date(2020, 1, 1) + datetime.timedelta(days=n),
    datetime.time: lambda n: datetime.time(n % 24),
}
NOON = datetime.datetime(2020, 1, 1, 12)


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
            for operation, sparse in (("insert", False), ("insert little", True)):
                self.attempt(table, operation, lambda t=table, s=sparse: self.insert(t, s))
            if table in self.rows:
                self.attempt(table, "read", lambda t=table: self.read(t))
                self.attempt(table, "update", lambda t=table: self.update(t))
        for table in reversed(tables):
            if table in self.rows:
                self.attempt(table, "delete", lambda t=table: self.delete(t))
        return self.results

    def attempt(self, table: sa.Table, operation: str, act: Callable[[], None]) -> None:
        """One operation, taken back if it fails."""
        savepoint = self.connection.begin_nested()
        error: str | None = None
        try:
            act()
            self.connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
            self.connection.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
        except LookupError:
            savepoint.rollback()
            return  # a row that it refers to is missing, which has been told
        except (SQLAlchemyError, TypeError, ValueError, AttributeError) as failed:
            error = f"{type(failed).__name__}: {failed}".splitlines()[0]
            if savepoint.is_active:
                savepoint.rollback()
        else:
            savepoint.commit()
        self.results[f"{table.fullname} {operation}"] = error

    def read(self, table: sa.Table) -> None:
        """All columns of all rows, as the model reads them."""
        self.connection.execute(sa.select(*table.columns)).fetchall()

    def insert(self, table: sa.Table, sparse: bool) -> None:
        """A row with all columns, or without what the model needn't give."""
        given = {c.name: self.value(c, sparse) for c in table.columns if not _left_out(c, sparse)}
        done = self.connection.execute(table.insert().values(self.bound(table, given)))
        key = done.inserted_primary_key
        names = [c.name for c in table.primary_key.columns]
        row = given | dict(zip(names, key or (), strict=False))
        if not names:
            row = given
        if not sparse or table not in self.rows:
            self.rows[table] = row

    def update(self, table: sa.Table) -> None:
        """All columns but the key, to other values."""
        keys = set(table.primary_key.columns)
        changed = {
            c.name: self.value(c, False)
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

    def value(self, column: sa.Column[Any], sparse: bool) -> Any:
        """One that the column's type and foreign key allow."""
        for key in column.foreign_keys:
            referred = key.column
            if referred.table is column.table or referred.table not in self.rows:
                if column.nullable or (sparse and column.nullable):
                    return None
                if referred.table is not column.table:
                    raise LookupError(referred.table.name)
                continue
            row = self.rows[referred.table]
            if row.get(referred.name) is None:
                row[referred.name] = self.connection.execute(
                    sa.select(referred).where(self.this(referred.table))
                ).scalar()
            return row[referred.name]
        if sparse and column.nullable:
            return None
        return self.of_type(self.plain(column.type))

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
            value = f"v{number}"
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
        while isinstance(type_, sa.types.TypeDecorator):
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
    url, models = sys.argv[1:]
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
