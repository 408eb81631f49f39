"""Decide which revision the init scripts of a fresh install stand for. Pure.

Their claim is compared with what they made: first the claim, before anything is run; then the
structure, after the scripts and still inside their transaction.
"""

import shlex

from surefoot.catalogue.differences import difference_lines, revision_text
from surefoot.catalogue.match import Identification, Match
from surefoot.decision.facts import Code
from surefoot.errors import ErrorCode, Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import History

_SHOWN, _WIDTH = 6, 80

_OLDER_IMAGE = "use the image of the release that the script comes from, or this release's script"


def refused_beforehand(code: Code, *, identifiable: bool) -> Finding | None:
    """Return what is wrong with the scripts' own claims, if anything.

    `identifiable`: there is a catalogue that can identify what they make.
    """
    if not code.init:
        return None
    said = code.init_revisions
    headers = {s.path: s.header.revisions for s in code.init if s.header is not None}
    if not said and len(set(headers.values())) > 1:
        return _names_another(
            "The headers of the init scripts name different revisions.",
            *(f"{path}: {', '.join(revisions)}" for path, revisions in headers.items()),
        )
    for script in code.init:
        header = script.header
        if header is None:
            continue
        unknown = _unknown(code.history, header.revisions)
        if unknown:
            release = f", {header.release}," if header.release else ""
            return Finding(
                "init-script-newer-than-code",
                f"The init script {script.path} stands for revision {', '.join(unknown)}, which "
                "this code does not have.",
                seen=(
                    f"its header says so: {header.application}{release} revision "
                    f"{', '.join(header.revisions)}",
                    f"head of the code: {', '.join(code.history.heads)}",
                ),
                next=_OLDER_IMAGE,
            )
        if said and tuple(sorted(header.revisions)) != said:
            return _names_another(
                f"The init script {script.path} says that it stands for "
                f"{', '.join(header.revisions)}, and surefoot.toml says {', '.join(said)}."
            )
        if script.edited and not said and not identifiable:
            return Finding(
                "init-script-edited",
                f"The init script {script.path} was changed since surefoot dump made it.",
                seen=(
                    "the hash in its header isn't that of its content",
                    "there is no usable catalogue to see which revision it makes",
                ),
                next=to_type(
                    "if it's maintained by hand, remove its header, and name the revision that it "
                    "stands for in surefoot.toml, as init_revision. Or make it again",
                    f"surefoot dump -o {shlex.quote(script.path)}",
                ),
            )
    if code.stands_for is None and not identifiable:
        return Finding(
            "init-revision-missing",
            "The init scripts don't say which revision they stand for.",
            seen=(
                *(f"init script {script.path}" for script in code.init),
                "there is no usable catalogue to identify it by",
            ),
            next=to_type(
                "set init_revision in surefoot.toml to the last revision whose changes the scripts "
                "hold (of several branches, to a list of their last ones, or to base if they hold "
                "only what is there before the first revision). Or make a catalogue",
                "surefoot catalog build",
            ),
        )
    return unknown_revision(code) or _overlapping(code)


def _overlapping(code: Code) -> Finding | None:
    """One of the revisions is already part of another."""
    said = code.stands_for or ()
    pairs = code.history.overlapping(said)
    repeated = len(set(said)) < len(said)
    if not pairs and not repeated:
        return None
    return _names_another(
        f"The init scripts can't stand for these revisions together: {', '.join(said)}.",
        *(f"{older} is already part of {newer}" for older, newer in pairs),
    )


def unknown_revision(code: Code) -> Finding | None:
    """The code doesn't have a configured revision."""
    unknown = _unknown(code.history, code.init_revisions)
    if not code.init or not unknown:
        return None
    return Finding(
        "init-revision-unknown",
        f"The code has no revision {', '.join(unknown)}, which the init scripts stand for.",
        seen=(f"head of the code: {', '.join(code.history.heads)}",),
        next="correct init_revision in surefoot.toml; if the scripts come from a newer "
        "release, use that release's image"
        if unknown != ("base",)
        else "correct init_revision in surefoot.toml: it is base alone, or revisions without it",
    )


def _unknown(history: History, said: tuple[str, ...]) -> tuple[str, ...]:
    return () if history.is_base(said) else history.unknown(said)


def remarks(code: Code) -> tuple[str, ...]:
    """Return what is worth knowing before the scripts are run."""
    return tuple(
        f"{script.path} was changed since surefoot dump made it: it is committed only if it makes "
        "the structure of its revision"
        for script in code.init
        if script.edited
    )


def made(
    history: History,
    said: tuple[str, ...] | None,
    written: tuple[str | None, ...],
    standing: Identification | None,
) -> tuple[str, ...]:
    """Return the version rows for what the scripts have made.

    `said` are the claimed revisions (() is the base, None no claim), `written` the version rows
    that the scripts wrote themselves;
    `standing` is the structure, None if there is no catalogue. Raises SurefootError
    `init-script-newer-than-code`, `init-script-names-another-revision`, `init-script-unidentified`.
    """
    unknown = history.unknown(written)
    if unknown:
        raise _error(
            "init-script-newer-than-code",
            f"The init scripts write the version row {', '.join(unknown)}, a revision that this "
            "code does not have.",
            [f"head of the code: {', '.join(history.heads)}"],
            _OLDER_IMAGE,
        )
    rows = tuple(sorted(row for row in written if row))
    if len(set(rows)) < len(written) or history.overlapping(rows):
        raise SurefootError.of(
            _names_another(
                "The init scripts write version rows that contradict each other: "
                f"{', '.join('NULL' if row is None else repr(row) for row in written)}."
            )
        )
    if said is not None and rows and rows != said:
        raise SurefootError.of(
            _names_another(
                f"The init scripts write the version row {', '.join(rows)}, and they are said to "
                f"stand for {', '.join(said) or 'base'}."
            )
        )
    known = rows or said
    if standing is None:
        if known is None:
            raise _error(
                "init-script-unidentified",
                "The init scripts write no version row, and don't say which revision they make.",
                [],
                'say which one they stand for: init_revision = "…" in surefoot.toml',
            )
        return known
    if known is not None:
        if standing.asked is not None and standing.asked.differences:
            raise _contradicted(history, standing.asked, standing)
        return known
    if standing.chosen is None:
        raise _unidentified(history, standing)
    if standing.chosen.rows == history.heads and standing.own:
        raise _newer(standing)
    return standing.chosen.rows


def _newer(standing: Identification) -> SurefootError:
    own = standing.own_objects
    return _error(
        "init-script-newer-than-code",
        "The init scripts create everything that this code's head has, and objects that no "
        "revision creates.",
        [", ".join(own[:_SHOWN]) + (f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else "")],
        f"{_OLDER_IMAGE}; or, if these objects are your own, say what the scripts stand for: "
        'init_revision = "…" in surefoot.toml',
    )


def _contradicted(history: History, asked: Match, standing: Identification) -> SurefootError:
    if not standing.exact and standing.ahead is not None and standing.ahead.compatible:
        return _newer(standing)
    if standing.own and any(stand.rows == history.heads for stand in standing.exact):
        # head's structure, and more: such a script must not be stamped with head
        return _newer(standing)
    number = len(asked.differences)
    exact = [revision_text(stand) for stand in standing.exact]
    return SurefootError.of(
        _names_another(
            f"The init scripts should create revision {revision_text(asked)}, but they create "
            "another structure.",
            f"{number:,} {'name differs' if number == 1 else 'names differ'}:",
            *difference_lines(asked.differences, _SHOWN, _WIDTH),
            *([f"it is exactly that of {', or of '.join(exact[:8])}"] if exact else []),
        )
    )


def _unidentified(history: History, standing: Identification) -> SurefootError:
    if standing.exact:
        names = [revision_text(stand) for stand in standing.exact]
        return _error(
            "init-script-unidentified",
            "The init scripts create a structure that several revisions have.",
            [f"{name}: {history.revisions[name].message}" for name in names if " " not in name][:8],
            'say which one they stand for: init_revision = "…" in surefoot.toml',
        )
    if standing.ahead is not None and standing.ahead.compatible and standing.own:
        return _newer(standing)
    seen = ["almost nothing of the application's catalogue is there"]
    if standing.nearest and not standing.foreign:
        near = standing.nearest[0]
        seen = [
            f"nearest is {revision_text(near)}, where {len(near.differences):,} differ",
            *difference_lines(near.differences, _SHOWN, _WIDTH),
        ]
    return _error(
        "init-script-unidentified",
        "The structure that the init scripts create matches no revision of this code.",
        seen,
        to_type(f"{_OLDER_IMAGE}; or make one from the history", "surefoot dump -o init.sql"),
    )


def _names_another(message: str, *seen: str) -> Finding:
    return Finding(
        "init-script-names-another-revision",
        message,
        seen,
        next=to_type(
            "use this release's own script; or correct init_revision or the header. "
            "Or make a script from the history, and name only that one, without init_revision",
            "surefoot dump -o init.sql",
        ),
    )


def _error(code: ErrorCode, message: str, seen: list[str], next: str) -> SurefootError:
    return SurefootError(code, message, seen=seen, next=next)
