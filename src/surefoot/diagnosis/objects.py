"""An object already exists, is missing, has another owner, or others depend on it."""

import re

from surefoot.catalogue.catalogue import Catalogue
from surefoot.diagnosis.cause import AGAIN, REPORT, About, Cause, Diagnosis, Object
from surefoot.diagnosis.history import expected_at, known_as, makers, removers
from surefoot.diagnosis.names import (
    RELATIONS,
    described,
    fact_name,
    identifier,
    literal,
    quoted_names,
    sql_name,
    words,
)
from surefoot.diagnosis.renamed_aside import SUFFIX, also_in_the_way, put_aside
from surefoot.errors.steps import to_type
from surefoot.schema.fact import SchemaFact, relation_kind
from surefoot.schema.names import renamed_aside as aside_name
from surefoot.schema.names import split_name

_EXTENSION = re.compile(r'\s*create\s+extension\s+("(?:[^"]|"")+"|[\w$]+)', re.I)
_ADD_VALUE = re.compile(
    r'\s*alter\s+type\s+((?:"(?:[^"]|"")+"|[\w$.])+)\s+add\s+value\s+\'((?:[^\']|\'\')*)\'', re.I
)
_OWNERS = re.compile(
    r"\s*(?:alter|drop|comment|reindex|cluster|refresh|create\s+(?:unique\s+)?index)\b", re.I
)
_OF_STATE = {
    "42P07": (*RELATIONS, "type"),
    "42701": ("column",),
    "42710": ("type", "constraint", "trigger", "function", *RELATIONS),
    "42P06": ("schema",),
    "42723": ("function", "procedure"),
}
_NAMES = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))*'
# "depends on" in English only: in other languages, nothing is claimed
_DEPENDS = re.compile(
    rf"(?:materialized |foreign )?(?P<kind>view|table|index|constraint|trigger|sequence|policy) "
    rf"(?P<name>{_NAMES})(?: on (?:table|view) {_NAMES})? depends on "
)
_TEMPORARY = re.compile(r"\b(view|table|function) (pg_temp_\d+\.(?:\"(?:[^\"]|\"\")+\"|[\w$]+))")
_PUBLICATION = re.compile(rf"publication of table ({_NAMES}) in publication ({_NAMES}) ")
_DEPENDING = ("relation", "constraint", "trigger", "rule", "policy", "function", "domain")
_MISSING = {
    "42P01": ("relation", "sequence", "index"),
    "42703": ("column",),
    "42883": ("function", "procedure", "aggregate"),
    "3F000": ("schema",),
}


def duplicate(cause: Cause, about: About) -> Diagnosis:
    """Explain that what the revision creates already exists, and which object it is."""
    if (found := _in_a_place(cause)) is not None:
        return found
    candidates = _in_the_way(cause, about)
    found = candidates[0] if candidates else None
    if (
        found is None and cause.sqlstate == "42710"
    ):  # of a kind that isn't looked up, such as a policy
        return Diagnosis(f"if the application didn't make it, put it aside and {AGAIN}. {REPORT}")
    if cause.sqlstate == "42723" and len(candidates) > 1:
        named = "; ".join(sql_name(one) for one in candidates[:4])
        return Diagnosis(
            "put aside the one that has the same arguments, if the application didn't make it, "
            f"and {AGAIN}. {REPORT}",
            (f"in the way is one of {named}",),
        )
    if found is None:
        return Diagnosis(
            "correct the revision: after the rollback, the object in its way is not there, so the "
            f"revisions themselves create it twice. {REPORT}",
            ("it is not there now: the revisions themselves created it in this run",),
        )
    what = described(found)
    owner = f", which belongs to {found.owner}" if found.owner and found.owner != about.role else ""
    also = also_in_the_way(found, about)
    others = tuple(f"also in the way: {described(one)}; {by} makes it" for one, by in also)
    statements = put_aside((found, *(one for one, _ in also)), about)
    who = f", as {found.owner} or a superuser" if owner else ""
    moving = f"rename it{who} (nothing in it is lost)"

    def rename_first(text: str = "{}", then: str = f"then {AGAIN}") -> str:
        return to_type(text.format(moving), *statements, then=then)

    if about.catalogue is None:
        return Diagnosis(
            rename_first("if nothing needs it under this name, {}", f"then {AGAIN}. {REPORT}"),
            (f"in the way: {what}{owner}; it was there before this revision", *others),
        )
    if any(fact.name == fact_name(found) for fact in about.own):
        lines = (f"in the way: {what}{owner}; it is the user's own: no revision makes it",)
        return Diagnosis(rename_first(), (*lines, *others))
    by = makers(about.catalogue, fact_name(found))
    applied = [revision for revision in by if revision in about.applied]
    if applied:
        return Diagnosis(
            f"correct the revision: it makes what is there already. {REPORT}",
            (f"in the way: {what}; {applied[-1]}, which is applied, makes it",),
        )
    if by:
        which = "this revision itself" if by[0] == about.revision else f"revision {by[0]}"
        lines = (f"in the way: {what}{owner}; {which} makes it, and is not recorded as applied",)
        compare = f"surefoot catalog show {by[0]} --facts"
        return Diagnosis(rename_first(f"{compare} shows how it should be. {{}}"), (*lines, *others))
    return Diagnosis(
        rename_first("if nothing needs it under this name, {}"),
        (f"in the way: {what}{owner}", *others),
    )


def extension_of(statement: str) -> str | None:
    """Return the extension that the statement creates, as it is written there; None if none."""
    found = _EXTENSION.match(statement)
    return found[1] if found else None


def _in_a_place(cause: Cause) -> Diagnosis | None:
    """Explain an existing extension or enum value: neither can be renamed aside within a schema."""
    if extension := extension_of(cause.statement):
        return Diagnosis(
            to_type(
                "if nothing uses it, drop it, and the revision makes it again (PostgreSQL refuses "
                "to drop what is in use)",
                f"drop extension {extension};",
                then=f"then {AGAIN}. Otherwise the revision must say IF NOT EXISTS. {REPORT}",
            )
        )
    if found := _ADD_VALUE.match(cause.statement):
        value = found[2].replace("''", "'")
        return Diagnosis(
            to_type(
                "the value is there already, and the revision doesn't say IF NOT EXISTS: give it "
                "another name, which rows that have it follow",
                f"alter type {found[1]} rename value {literal(value)} to "
                f"{literal(aside_name(value, (), SUFFIX))};",
                then=f"then {AGAIN}, and update those rows afterwards. {REPORT}",
            )
        )
    return None


def _in_the_way(cause: Cause, about: About) -> list[Object]:
    named = quoted_names(cause.message) or _function(cause.message)
    if not named:
        return []
    name, table = named[0], named[1] if len(named) > 1 else ""
    kinds = _OF_STATE[cause.sqlstate]
    found = [
        o
        for o in about.objects
        if o.name == name and o.kind in kinds and (not table or o.table in ("", table))
    ]
    written = cause.statement.replace('"', "")
    makes = words(cause.statement)[:4]  # create, unique, the kind
    # in the statement's schema, otherwise where names without a schema lead
    found.sort(
        key=lambda o: (
            f"{o.schema}.{o.table or name}" not in written and f"{o.schema}.{name}" not in written,
            o.schema != about.schema,
            o.kind not in makes,
        )
    )
    return found


def _function(message: str) -> tuple[str, ...]:
    found = re.search(r"([\w.]+)\(", message)
    return (found[1],) if found else ()


_BEFORE = (
    "; if a release made the table before the history began, an init script must make it (surefoot "
    "explain init-scripts)"
)


def missing(cause: Cause, about: About) -> Diagnosis:
    """Explain that a name which the revision expects is missing, and whether it should exist."""
    named = quoted_names(cause.message) or _function(cause.message) or _dotted(cause.message)
    if not named:
        return Diagnosis(f"correct the revision, or put back what it misses, and {AGAIN}")
    name = named[0].rpartition(".")[2]
    table = named[1].rpartition(".")[2] if len(named) > 1 else ""
    elsewhere = [
        o for o in about.objects if o.name == name and o.schema != about.schema and not table
    ]
    seen: tuple[str, ...] = ()
    if elsewhere and cause.sqlstate != "42703":
        seen = (
            f"there is {described(elsewhere[0])}; names without a schema lead to "
            f"{identifier(about.schema)}",
        )
    if about.catalogue is None:
        return Diagnosis(
            f"if it was removed or renamed, restore it and {AGAIN}; if it never existed, "
            f"correct the revision{_BEFORE if cause.sqlstate == '42P01' else ''}. {REPORT}",
            seen,
        )
    catalogue = about.catalogue
    keys = known_as(catalogue, name, table, _MISSING.get(cause.sqlstate))
    if cause.sqlstate == "42703" and not table:  # a column, of a table that the statement names
        said = words(cause.statement)
        keys = tuple(key for key in keys if key.split(".")[-2].strip('"') in said)
    by = makers(catalogue, *keys)
    before = about.applied | _below(about)
    if by and expected_at(catalogue, before, keys):
        maker = next((r for r in reversed(by) if r in before), by[0])
        return Diagnosis(
            "it was dropped or renamed by hand, or that revision skipped it: surefoot drift shows "
            f"what is missing; create it again, then {AGAIN}",
            (*seen, f"the catalogue has {name} here: {maker} makes it"),
        )
    gone = [r for r in removers(catalogue, *keys) if r in before]
    if gone:
        seen = (*seen, f"{gone[-1]}, which comes before, removes {name}")
    elif by == (about.revision,):
        seen = (*seen, f"this revision makes {name} itself, further down")
    elif by:
        seen = (*seen, f"{by[0]} makes {name}, and need not come before this revision")
        return Diagnosis(f'correct the revision: it needs depends_on = "{by[0]}". {REPORT}', seen)
    else:
        seen = (*seen, f"no revision makes {name}")
        if cause.sqlstate in ("42883", "42704"):
            return Diagnosis(
                f"if an extension brings it: create that extension, and {AGAIN}; otherwise correct "
                f"the revision. {REPORT}",
                seen,
            )
    return Diagnosis(f"correct the revision. {REPORT}", seen)


def _below(about: About) -> frozenset[str]:
    assert about.catalogue is not None
    history = about.catalogue.history
    if about.revision not in history.revisions:
        return frozenset()
    return history.applied(history.below(about.revision))


def _dotted(message: str) -> tuple[str, ...]:
    found = re.search(r"\b\w+\.(\w+)\b", message)
    return (found[1],) if found else ()


def dependents(cause: Cause, about: About) -> Diagnosis:
    """Explain that other objects depend on what the revision drops or retypes."""
    if (apart := _without_facts(cause)) is not None:
        return apart
    mentioned = set(re.findall(r"[\w$]+", cause.detail))
    using = quoted_names(cause.message)[1:2] if cause.sqlstate == "0A000" else ()
    column = using[0].rpartition(".")[0::2] if using else ("", "")
    own = [
        fact
        for fact in about.own
        if (
            fact.kind in _DEPENDING
            and fact.name.partition("(")[0].rpartition(".")[2].strip('"') in mentioned
        )
        or (fact.kind == "column" and split_name(fact.name)[1:] == column)
    ]
    if not own:
        if about.catalogue is not None and _all_known(cause, about.catalogue):
            return Diagnosis(
                "correct the revision: it must first drop the objects that depend on it, and "
                f"create them again afterwards. {REPORT}",
                ("none of what depends on it is the user's own",),
            )
        return Diagnosis(
            "PostgreSQL names above what depends on it: if that is your own, save its definition, "
            f"drop it, {AGAIN}, and create it again afterwards. {REPORT}"
            if about.catalogue is not None
            else f"if your own object depends on it, save its definition, drop it, {AGAIN}; then "
            f"create it again. {REPORT}"
        )
    named = ", ".join(_own_name(fact) for fact in own[:6])
    first = own[0]
    text, *statements = _keep_and_drop(first)
    then = f"then {AGAIN}, and create it again afterwards"
    if not statements:
        return Diagnosis(f"{text}; {then}", (f"the user's own: {named}",))
    return Diagnosis(to_type(text, *statements, then=then), (f"the user's own: {named}",))


def _all_known(cause: Cause, catalogue: Catalogue) -> bool:
    """Whether each dependent that PostgreSQL names is surely the application's."""
    lines = [found for line in cause.detail.splitlines() if (found := _DEPENDS.match(line))]
    if not lines or len(lines) != len(cause.detail.strip().splitlines()):
        return False
    known = [(kind, split_name(name)) for kind, name in catalogue.index.numbers]
    for found in lines:
        kind = "relation" if found["kind"] in ("view", "table") else found["kind"]
        name = split_name(found["name"])
        if not any(kind == k and other[-len(name) :] == name for k, other in known):
            return False
    return True


def _without_facts(cause: Cause) -> Diagnosis | None:
    """Explain what depends on it and that no facts describe: temporary objects, publications."""
    if found := _TEMPORARY.search(cause.detail):
        kind, name = found.groups()
        return Diagnosis(
            to_type(
                "wait until the session that made it has ended; or, as its owner or a superuser",
                f"drop {kind} {name};",
                then=f"then {AGAIN}",
            ),
            (f"another session's temporary {kind}: {name}",),
        )
    if found := _PUBLICATION.search(cause.detail):
        table, name = found.groups()
        where = f"pubname = {literal(split_name(name)[0])}"
        return Diagnosis(
            to_type(
                "take the table out of the publication: its subscribers get no changes until you "
                "add it again. First, save which columns and rows are published",
                f"select * from pg_publication_tables where {where};",  # noqa: S608 (for people)
                f"alter publication {name} drop table {table};",
                then=f"then {AGAIN}, and add the table again afterwards. {REPORT}",
            ),
            (f"the publication {name} publishes some columns or rows of {table}",),
        )
    return None


def _own_name(fact: SchemaFact) -> str:
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    return f"{kind} {fact.name}"


def _keep_and_drop(fact: SchemaFact) -> tuple[str, ...]:
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    if "view" in kind:
        query = f"select pg_get_viewdef({literal(fact.name)}::regclass);"
        return "save its definition, and drop it", query, f"drop {kind} {fact.name};"
    if kind in ("table", "function"):
        return (f"keep what is in it, and drop or change it: {kind} {fact.name}",)
    if kind == "domain":
        return "save its definition, and drop it", f"drop domain {fact.name};"
    table, _, name = fact.name.rpartition(".")
    if kind == "column":
        to = "text[]" if fact.definition.partition(" ")[0].endswith("[]") else "text"
        default = (
            (f"alter table {table} alter {name} drop default;",)
            if " default " in fact.definition
            else ()
        )
        return (
            "keep the column and its values as text",
            *default,
            f"alter table {table} alter {name} type {to} using {name}::{to};",
        )
    if kind == "constraint":
        drop = f"alter table {table} drop constraint {name};"
    else:
        drop = f"drop {kind} {name} on {table};"
    return "keep its definition (surefoot drift shows it), and drop it", drop


def _hidden(table: Object, role: str, about: About) -> Diagnosis:
    """Explain that row security hides rows of this table from the role, or rejects its writes."""
    name = sql_name(table)
    forced = table.row_security == "forced"
    why = f"{name} says force row level security" if forced else f"the role doesn't own {name}"
    applied = 'if the revisions are written for the policies, set row_security = "apply" in '
    applied += "surefoot.toml"
    return Diagnosis(
        to_type(
            f"{applied}. Otherwise let the role see every row, as a superuser",
            f"alter role {role} bypassrls;",
            then=f"then {AGAIN}",
        ),
        (
            f"the policies of {name} apply to the role {about.role}: {why}",
            "the revision would have changed or read only the rows that they show, perhaps none, "
            "and been recorded as done",
        ),
        "row-security-in-the-way",
    )


def _wants_owner(cause: Cause, kind: str) -> bool:
    """Whether only the owner of the object may do it.

    By the server's message or, if that is in another language, by what the statement does.
    """
    if "owner" in cause.message or "permission denied" in cause.message:
        return "owner" in cause.message
    # creating or moving an object needs a privilege on its schema
    return kind != "schema" and _OWNERS.match(cause.statement) is not None


def privileges(cause: Cause, about: About) -> Diagnosis:
    """Explain that the role lacks a privilege."""
    role = identifier(about.role) if about.role else "ROLE"
    named = quoted_names(cause.message)
    hidden = next((o for o in about.objects if o.row_security and o.name in named), None)
    if hidden is not None:  # only messages about row security quote a table's name
        return _hidden(hidden, role, about)
    named = named or tuple(cause.message.split()[-1:])
    name = named[0].strip(".") if named else ""
    found = next((o for o in about.objects if o.name == name and o.kind != "column"), None)
    seen = [f"the role is {about.role}"] if about.role else []
    owner = ""
    if found is not None:
        # since PostgreSQL 15, the database's owner owns the schema public
        owner = "the database's owner" if found.owner == "pg_database_owner" else found.owner
        seen = [f"the role is {about.role}; {described(found)} belongs to {owner}"]
    if "extension" in cause.message or extension_of(cause.statement):
        statement = f"create extension {identifier(name)};"
        return Diagnosis(
            to_type("let a superuser make it", statement, then=f"then {AGAIN}"), tuple(seen)
        )
    if cause.statement.lstrip().lower().startswith("create schema") and about.database:
        statement = f"grant create on database {identifier(about.database)} to {role};"
        text = "as the database's owner or a superuser"
        return Diagnosis(to_type(text, statement, then=f"then {AGAIN}"), tuple(seen))
    if found is None:
        text = f"give the role what it needs, or connect as the role that owns it; then {AGAIN}"
        return Diagnosis(text, tuple(seen))
    if _wants_owner(cause, found.kind):
        statement = f"alter {found.kind} {sql_name(found)} owner to {role};"
        who = f"{owner} or a superuser"
    else:
        granted = {
            "schema": f"usage, create on schema {sql_name(found)}",
            "sequence": f"all on sequence {sql_name(found)}",
            "function": f"execute on function {sql_name(found)}",
        }.get(found.kind, f"all on {sql_name(found)}")
        statement, who = f"grant {granted} to {role};", owner
    text = f"connect as {owner}; or, as {who}"
    return Diagnosis(to_type(text, statement, then=f"then {AGAIN}"), tuple(seen))
