"""`surefoot explain`."""

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from surefoot.cli.console import CommandContext, command_body, common_options
from surefoot.errors import CODES, ExitCode


def _complete(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete one word; "catalog check" has two."""
    before = tuple(ctx.params.get("what") or ())
    found = (tuple(one.split()) for one in words())
    fitting = (one[len(before)] for one in found if one[: len(before)] == before != one)
    return [CompletionItem(one) for one in dict.fromkeys(fitting) if one.startswith(begun)]


@click.command("explain")
@common_options
@click.argument("what", nargs=-1, metavar="[WORD]", shell_complete=_complete)
@click.option("--states", is_flag=True, help="The same as the word states.")
@command_body("explain")
def command(
    context: CommandContext, *, what: tuple[str, ...], states: bool, **_: object
) -> ExitCode:
    """Explain an error code, a state, a command, a key of the configuration, or print a document.

    Without WORD, lists all of them; a number lists the error codes of that exit code. A word that
    means several things is explained as each of them.
    """
    from surefoot.report.markdown import rendered
    from surefoot.report.terminal import Terminal

    word = "states" if states else " ".join(what)
    text = _listing(word) if not word or word.isdigit() else page_text(word)
    if context.as_json:
        context.emit_json(ExitCode.DONE, code=word or None, text=text)
    else:
        context.write_lines(rendered(text, Terminal(context.data), lambda word: word in words()))
    return ExitCode.DONE


def page_text(word: str) -> str:
    """Return everything that is known about a word, as Markdown."""
    found = [text for kind in _kinds().values() if (text := kind(word)) is not None]
    if found:
        return "\n\n".join(text.strip() for text in found)
    from difflib import get_close_matches

    near = get_close_matches(word, words(), 1)
    hint = f" Did you mean {near[0]}?" if near else " surefoot explain lists them."
    raise click.UsageError(f"surefoot can't explain {word}.{hint}")


def words() -> list[str]:
    """Return everything that can be explained, each word once."""
    found = (*CODES, *_states(), *commands(), *_sections(), *_documents())
    return list(dict.fromkeys(found))


def _kinds() -> dict[str, Callable[[str], str | None]]:
    """Return each meaning a word may have, with its explanation, the shortest first."""
    return {
        "code": _page,
        "state": lambda word: _states().get(word),
        "command": lambda word: _help(word) if word in commands() else None,
        "key": lambda word: _sections().get(word),
        "document": lambda word: (
            file.read_text("utf-8") if (file := _documents().get(word)) else None
        ),
    }


def _listing(exit_code: str) -> str:
    """List every word by kind, or the codes of one exit code with their meanings."""
    from surefoot.errors.pages import condition

    codes = [
        f"- {code} (exit code {int(number)}): {condition(code)}"
        for code, number in sorted(CODES.items())
        if not exit_code or int(number) == int(exit_code)
    ]
    if exit_code:
        return "\n".join(codes) or f"No error code ends with exit code {exit_code}."
    others = {
        "States of a database": _states(),
        "Commands": commands(),
        "Keys of the configuration": _sections(),
        "Documents": _documents(),
    }
    return "\n".join(
        [
            *("# Error codes", "", *codes),
            *(f"\n# {title}\n\n{', '.join(found)}" for title, found in others.items()),
        ]
    )


def _page(code: str) -> str | None:
    from surefoot.errors.pages import page

    return page(code) if code in CODES else None


def _states() -> dict[str, str]:
    """Return each state's line of the state table."""
    from surefoot.model.states import STATE_TABLE

    titles = ("`status`", "`plan` shows", "`up`", "exit code of `up`", "`repair`", "`adopt`")
    return {
        state.value: "\n".join(
            [
                *(f"# The state {state.value}", "", f"{row.means}.", ""),
                *(f"- {title}: {cell}" for title, cell in zip(titles, row[1:], strict=True)),
            ]
        )
        for state, row in STATE_TABLE.items()
    }


def commands() -> list[str]:
    """Return every command, including the groups and their commands."""
    from surefoot.cli import group

    found: list[str] = []
    for name in group.list_commands(click.Context(group)):
        found.append(name)
        if name in ("catalog", "fleet"):  # only the groups are loaded; the others' names are enough
            within = group.get_command(click.Context(group), name)
            assert isinstance(within, click.Group)
            found += [f"{name} {one}" for one in within.commands]
    return found


def _help(name: str) -> str:
    """Return a command's help as it is printed."""
    from surefoot.cli import group

    ctx = click.Context(group, info_name="surefoot", terminal_width=80)
    found: click.Command = group
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(ctx, word) or found
        ctx = click.Context(found, info_name=word, parent=ctx, terminal_width=76)
    return f"# The command {name}\n\n```text\n{found.get_help(ctx)}\n```"


def _sections() -> dict[str, str]:
    """Return each configuration key with its section of reference/configuration-….md."""
    import re

    found: dict[str, str] = {}
    for name, file in _documents().items():
        if name.startswith("configuration-"):
            parts = re.split(r"^### `(\w+)`\n", file.read_text("utf-8"), flags=re.M)
            for key, section in zip(parts[1::2], parts[2::2], strict=True):
                found[key] = f"# The key {key}\n\n{section.strip()}"
    return found


def _documents() -> dict[str, Path]:
    """Find the documents of docs/, in the wheel or in the checkout."""
    package = Path(__file__).parent.parent
    place = next(p for p in (package / "docs", package.parent.parent / "docs") if p.is_dir())
    return {file.stem: file for file in sorted(place.rglob("*.md"))}
