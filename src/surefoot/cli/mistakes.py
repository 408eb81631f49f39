"""Report mistakes on the command line like every other error: one message, or one JSON object."""

import shlex
import sys
from typing import NamedTuple

import click

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.system import signals


class Mistake(click.UsageError):
    """A mistake about which surefoot can say more than the command's help."""

    def __init__(
        self, message: str, ctx: click.Context | None, *, seen: tuple[str, ...] = (), next: str = ""
    ) -> None:
        super().__init__(message, ctx)
        self.seen, self.next = seen, next


class _Counterpart(NamedTuple):
    """The commands to type instead of one of Alembic's, and what they do.

    `placeholder` stands for an argument that the command needs; "" if it takes the given ones, None
    if it takes none.
    """

    commands: tuple[str, ...]
    does: str
    placeholder: str | None = None


_ITSELF = "surefoot has no command for this: use Alembic's own."

ALEMBIC: dict[str, _Counterpart] = {
    "upgrade": _Counterpart(("surefoot up",), "surefoot up brings the database to head."),
    "current": _Counterpart(("surefoot status",), "surefoot status says where the database is."),
    "stamp": _Counterpart(
        ("surefoot adopt",),
        "surefoot adopt compares the structure with the revision before it records the revision.",
        "",
    ),
    "downgrade": _Counterpart(
        ("surefoot down --to",),
        "surefoot down undoes the revisions after REV, and first counts the data that would be "
        "lost.",
        "REV",
    ),
    "check": _Counterpart(
        ("surefoot catalog check", "surefoot drift"),
        "surefoot catalog check compares the catalogue with the code, surefoot drift compares the "
        "database with the catalogue; models are compared by alembic check.",
    ),
    "show": _Counterpart(
        ("surefoot catalog show",), "surefoot catalog show prints what a revision changes.", ""
    ),
    **{
        verb: _Counterpart((f"alembic {verb}",), _ITSELF, "")
        for verb in (
            *("heads", "branches", "revision", "merge", "edit"),
            *("ensure_version", "list_templates"),
        )
    },
}


def of_alembic(verb: str, words: list[str], ctx: click.Context) -> Mistake:
    """Recognise one of Alembic's commands; `words` are the arguments after it."""
    commands, does, placeholder = ALEMBIC[verb]
    if placeholder is not None:
        rest = shlex.join(word for word in words if word != "--json") or placeholder
        commands = tuple(f"{command} {rest}".strip() for command in commands)
    return Mistake(
        f"{verb} is a command of Alembic, not of surefoot.",
        ctx,
        seen=(does,),
        next=to_type("type instead", *commands),
    )


def _arguments_first(words: list[str]) -> str:
    """Return the command to type if env.py's arguments came first, as with Alembic; else ""."""
    arguments: list[str] = []
    while words[:1] == ["-x"] and len(words) > 1:
        arguments, words = [*arguments, *words[:2]], words[2:]
    if not arguments or not words:
        return ""
    known = ALEMBIC.get(words[0])
    if known is not None:
        return f"{known.commands[0]} {shlex.join(arguments)}"
    return shlex.join(["surefoot", words[0], *arguments, *words[1:]])


def report(error: click.ClickException, words: list[str]) -> int:
    """Report a mistake in the command line. Returns the exit code."""
    without = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2
    if isinstance(error, without):
        error.show()
        return error.exit_code
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = ctx.command_path if ctx else "surefoot"
    known = error if isinstance(error, Mistake) else None
    if ctx is not None and ctx.parent is None and (command := _arguments_first(words)):
        next = to_type("type -x after the command", command)
        known = Mistake(error.format_message(), ctx, next=next)
    command = path.removeprefix("surefoot").strip() or "surefoot"
    return _told(
        command,
        words,
        SurefootError(
            "command-line-invalid",
            " ".join(error.format_message().split()),
            seen=known.seen if known else (),
            database=NOT_REACHED,
            next=known.next
            if known and known.next
            else to_type("list its options", f"{path} --help"),
        ),
    )


def report_early_signal(words: list[str]) -> int:
    """Report that a signal came while the command was being loaded. Returns the exit code."""
    signals.install()
    signals.answered()  # another one changes nothing
    error = SurefootError(
        "interrupted",
        "A signal ended surefoot before the command began.",
        database=NOT_REACHED,
        next="start again",
    )
    return _told(next((word for word in words if word[:1] != "-"), "surefoot"), words, error)


def _told(command: str, words: list[str], error: SurefootError) -> int:
    from surefoot.cli.console import Account, CommandContext

    options = words[: words.index("--")] if "--" in words else words
    context = CommandContext(command, "--json" in options, sys.stdout, Account(), sys.stderr)
    return int(context.tell(error))
