"""Something is there already, isn't there, belongs to somebody else, or others depend on it."""

import re

from surefoot.causes.cause import AGAIN, REPORT, About, Cause, Explanation, Object
from surefoot.causes.history import expected_at, known_as, makers, removers
from surefoot.causes.names import (
    described,
    fact_name,
    identifier,
    quoted_names,
    rename,
    sql_name,
    words,
)
from surefoot.structure.facts import Fact, relation_kind

_RELATIONS = ("table", "view", "materialized view", "foreign table", "index", "sequence")
_OF_STATE = {
    "42P07": _RELATIONS,
    "42701": ("column",),
    "42710": ("type", "constraint", "trigger", "function", *_RELATIONS),
    "42P06": ("schema",),
    "42723": ("function", "procedure"),
}
_MISSING = {
    "42P01": ("relation", "sequence", "index"),
    "42703": ("column",),
    "42883": ("function", "procedure", "aggregate"),
    "3F000": ("schema",),
}


def duplicate(cause: Cause, about: About) -> Explanation:
    """What the revision makes is there already: whose is it?"""
    candidates = _in_the_way(cause, about)
    found = candidates[0] if candidates else None
    if (
        found is None and cause.sqlstate == "42710"
    ):  # of a kind that nobody looked for: a policy, say
        return Explanation(f"if the application didn't make it, put it aside and {AGAIN}. {REPORT}")
    if cause.sqlstate == "42723" and len(candidates) > 1:
        named = "; ".join(sql_name(one) for one in candidates[:4])
        return Explanation(
            "put aside the one that has the same arguments, if the application didn't make it, "
            f"and {AGAIN}. {REPORT}",
            (f"in the way is one of {named}",),
        )
    if found is None:
        return Explanation(
            "correct the revision: what is in its way is not there now that everything is rolled "
            f"back, so the revisions make it twice. {REPORT}",
            ("it is not there now: the revisions themselves made it, in this run",),
        )
    what = described(found)
    owner = f", which belongs to {found.owner}" if found.owner and found.owner != about.role else ""
    aside = f"put it aside: {rename(found)} then {AGAIN}"
    if about.catalogue is None:
        return Explanation(
            f"if the application didn't make it, {aside}. {REPORT}",
            (f"in the way: {what}{owner}; it was there before this revision",),
        )
    if any(fact.name == fact_name(found) for fact in about.own):
        return Explanation(
            aside, (f"in the way: {what}{owner}; it is the user's own: no revision makes it",)
        )
    by = makers(about.catalogue, fact_name(found))
    applied = [revision for revision in by if revision in about.applied]
    if applied:
        return Explanation(
            f"correct the revision: it makes what is there already. {REPORT}",
            (f"in the way: {what}; {applied[-1]}, which is applied, makes it",),
        )
    if by:
        which = "this revision itself" if by[0] == about.revision else f"revision {by[0]}"
        return Explanation(
            f"compare it with surefoot catalog show {by[0]} --facts; {aside}",
            (f"in the way: {what}{owner}; {which} makes it, and is not recorded as applied",),
        )
    return Explanation(
        f"if the application didn't make it, {aside}", (f"in the way: {what}{owner}",)
    )


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
    # where the statement says so, else where names without a schema lead
    found.sort(
        key=lambda o: (
            f"{o.schema}.{o.table or name}" not in written and f"{o.schema}.{name}" not in written,
            o.schema != about.schema,
        )
    )
    return found


def _function(message: str) -> tuple[str, ...]:
    found = re.search(r"([\w.]+)\(", message)
    return (found[1],) if found else ()


def missing(cause: Cause, about: About) -> Explanation:
    """A name that the revision expects isn't there: was it ever to be?"""
    named = quoted_names(cause.message) or _function(cause.message) or _dotted(cause.message)
    if not named:
        return Explanation(f"correct the revision, or put back what it misses, and {AGAIN}")
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
        return Explanation(
            f"if it was removed or renamed, put it back and {AGAIN}; if it never was there, "
            f"correct the revision. {REPORT}",
            seen,
        )
    catalogue = about.catalogue
    keys = known_as(catalogue, name, table, _MISSING.get(cause.sqlstate))
    if cause.sqlstate == "42703" and not table:  # a column: of a table that the statement names
        said = words(cause.statement)
        keys = tuple(key for key in keys if key.split(".")[-2].strip('"') in said)
    by = makers(catalogue, *keys)
    before = about.applied | _below(about)
    if by and expected_at(catalogue, before, keys):
        maker = next((r for r in reversed(by) if r in before), by[0])
        return Explanation(
            "it was dropped or renamed by hand, or that revision passed it over: surefoot drift "
            f"shows what is missing; put it back, then {AGAIN}",
            (*seen, f"the catalogue has {name} here: {maker} makes it"),
        )
    gone = [r for r in removers(catalogue, *keys) if r in before]
    if gone:
        seen = (*seen, f"{gone[-1]}, which comes before, removes {name}")
    elif by == (about.revision,):
        seen = (*seen, f"this revision makes {name} itself, further down")
    elif by:
        seen = (*seen, f"{by[0]} makes {name}, and need not come before this revision")
        return Explanation(f'correct the revision: it needs depends_on = "{by[0]}". {REPORT}', seen)
    else:
        seen = (*seen, f"no revision makes {name}")
        if cause.sqlstate in ("42883", "42704"):
            return Explanation(
                f"if an extension brings it: create that extension, and {AGAIN}; otherwise correct "
                f"the revision. {REPORT}",
                seen,
            )
    return Explanation(f"correct the revision. {REPORT}", seen)


def _below(about: About) -> frozenset[str]:
    assert about.catalogue is not None
    history = about.catalogue.history
    if about.revision not in history.revisions:
        return frozenset()
    return history.applied(history.below(about.revision))


def _dotted(message: str) -> tuple[str, ...]:
    found = re.search(r"\b\w+\.(\w+)\b", message)
    return (found[1],) if found else ()


def dependents(cause: Cause, about: About) -> Explanation:
    """Other objects depend on what the revision drops or retypes."""
    mentioned = set(re.findall(r"[\w$]+", cause.detail))
    own = [
        fact
        for fact in about.own
        if fact.kind in ("relation", "constraint", "trigger", "rule", "policy", "function")
        and fact.name.partition("(")[0].rpartition(".")[2].strip('"') in mentioned
    ]
    if not own:
        if about.catalogue is not None:
            return Explanation(
                "correct the revision: it must drop what depends on it first, and make it anew "
                f"behind. {REPORT}",
                ("none of what depends on it is the user's own",),
            )
        return Explanation(
            "if the application didn't make what depends on it: keep its definition, drop it, "
            f"{AGAIN}; then make it anew. {REPORT}"
        )
    named = ", ".join(_own_name(fact) for fact in own[:6])
    first = own[0]
    return Explanation(
        f"{_keep_and_drop(first)}; then {AGAIN}, and make it anew afterwards",
        (f"the user's own: {named}",),
    )


def _own_name(fact: Fact) -> str:
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    return f"{kind} {fact.name}"


def _keep_and_drop(fact: Fact) -> str:
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    if "view" in kind:
        return (
            f"keep its definition: select pg_get_viewdef('{fact.name}'::regclass); "
            f"drop it: drop {kind} {fact.name};"
        )
    if kind in ("table", "function"):
        return f"keep what is in it, and drop or change it: {kind} {fact.name}"
    table, _, name = fact.name.rpartition(".")
    if kind == "constraint":
        return f"keep its definition, and drop it: alter table {table} drop constraint {name};"
    return f"keep its definition, and drop it: drop {kind} {name} on {table};"


def privileges(cause: Cause, about: About) -> Explanation:
    """The role may not do what the revision does."""
    role = identifier(about.role) if about.role else "ROLE"
    named = quoted_names(cause.message) or tuple(cause.message.split()[-1:])
    name = named[0].strip(".") if named else ""
    found = next((o for o in about.objects if o.name == name and o.kind != "column"), None)
    seen = [f"the role is {about.role}"] if about.role else []
    owner = ""
    if found is not None:
        # in PostgreSQL 15 and newer, whoever owns the database owns the schema public
        owner = "the database's owner" if found.owner == "pg_database_owner" else found.owner
        seen = [f"the role is {about.role}; {described(found)} belongs to {owner}"]
    if "extension" in cause.message:
        text = f"let a superuser make it: create extension {identifier(name)}; then {AGAIN}"
    elif found is None:
        text = f"give the role what it needs, or connect as the role that owns it; then {AGAIN}"
    elif "owner" in cause.message:
        kind = found.kind if found.kind in ("schema", "type", "function", "view") else "table"
        text = (
            f"connect as {owner}; or, as {owner} or a superuser: alter {kind} "
            f"{sql_name(found)} owner to {role}; then {AGAIN}"
        )
    else:
        granted = {
            "schema": f"usage, create on schema {sql_name(found)}",
            "sequence": f"all on sequence {sql_name(found)}",
            "function": f"execute on function {sql_name(found)}",
        }.get(found.kind, f"all on {sql_name(found)}")
        text = f"connect as {owner}; or, as {owner}: grant {granted} to {role}; "
        text += f"then {AGAIN}"
    return Explanation(text, tuple(seen))
