"""The properties of a database that aren't in its dump: owner, locale, grants, settings."""

import re
from typing import Any

import msgspec

# Settings that are lists of names: each name is quoted separately, as in pg_dump.
_LISTS = frozenset(
    (
        *("local_preload_libraries", "search_path", "session_preload_libraries"),
        *("shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"),
    )
)
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)')


class Grant(msgspec.Struct, frozen=True):
    """A grant; `grantee` None is PUBLIC."""

    grantee: str | None
    privilege: str
    grantable: bool


class Setting(msgspec.Struct, frozen=True):
    """A setting; `role` None: for all roles. It has several `values` if the setting is a list."""

    role: str | None
    name: str
    values: tuple[str, ...]


class Properties(msgspec.Struct, frozen=True):
    """The properties of one database. `grants` is None if they are PostgreSQL's defaults."""

    oid: int
    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str  # c: libc, i: ICU, b: builtin
    locale: str | None
    icu_rules: str | None
    tablespace: str
    connection_limit: int
    comment: str | None
    grants: tuple[Grant, ...] | None
    settings: tuple[Setting, ...]
    template: bool = False


def properties(row: dict[str, Any]) -> Properties:
    """Read a row of `database_properties.sql`."""
    raw = row["raw"]
    return Properties(
        oid=row["oid"],
        owner=row["owner"],
        encoding=row["encoding"],
        collate=raw["datcollate"],
        ctype=raw["datctype"],
        provider=raw.get("datlocprovider", "c"),
        locale=raw.get("datlocale", raw.get("daticulocale")),
        icu_rules=raw.get("daticurules"),
        tablespace=row["tablespace"],
        connection_limit=raw["datconnlimit"],
        comment=row["comment"],
        grants=msgspec.convert(row["grants"], tuple[Grant, ...]) if row["granted"] else None,
        settings=tuple(
            _setting(of["role"], text) for of in row["settings"] for text in of["config"]
        ),
        template=raw["datistemplate"],
    )


def _setting(role: str | None, text: str) -> Setting:
    name, _, value = text.partition("=")
    if name.lower() not in _LISTS:
        return Setting(role, name, (value,))
    items = tuple(
        (found[1].replace('""', '"') if found[1] is not None else found[2])
        for found in _ITEM.finditer(value)
    )
    return Setting(role, name, items or ("",))
