"""`surefoot explain`."""

from pathlib import Path

import click

from surefoot.cli.console import CommandContext, command_body, common_options
from surefoot.errors import CODES, ExitCode

TOPICS = (
    *("catalogue", "configuration", "exit-codes", "glossary", "init-scripts", "json-output"),
    *("operations", "states"),
)


@click.command("explain")
@common_options
@click.argument("what", required=False, metavar="[CODE|TOPIC]")
@click.option("--states", is_flag=True, help="The same as the topic states.")
@command_body("explain")
def command(context: CommandContext, *, what: str | None, states: bool, **_: object) -> ExitCode:
    """Explain an error code, or print one of the reference documents.

    Without an argument, lists the codes (a number lists those of that exit code) and the topics:
    catalogue, configuration, exit-codes, glossary, init-scripts, json-output, operations,
    states.
    """
    what = "states" if states else what
    text = _text(what)
    if context.as_json:
        context.emit_json(ExitCode.DONE, code=what, text=text)
    else:
        context.write(text)
    return ExitCode.DONE


def _text(what: str | None) -> str:
    from surefoot.errors.pages import page

    if what is None or what.isdigit():
        return _listing(what)
    if what in CODES:
        return page(what)
    if what in TOPICS:
        return _document(what)
    from difflib import get_close_matches

    near = get_close_matches(what, [*CODES, *TOPICS], 1)
    hint = f" Did you mean {near[0]}?" if near else " `surefoot explain` lists them."
    raise click.UsageError(f"There is no error code or topic {what}.{hint}")


def _listing(exit_code: str | None) -> str:
    """Every code, or those of one exit code, with what it means in a sentence."""
    import textwrap

    from surefoot.errors.pages import condition

    lines: list[str] = []
    for code, number in sorted(CODES.items()):
        if exit_code is None or int(number) == int(exit_code):
            lines.append(f"{code} (exit code {number})")
            lines += textwrap.wrap(condition(code), 78, initial_indent="  ", subsequent_indent="  ")
    if exit_code is None:
        topics = f"topics: {', '.join(TOPICS)}"
        lines += ["", *textwrap.wrap(topics, 80, break_on_hyphens=False)]
    return "\n".join(lines) or f"No error code ends with exit code {exit_code}."


def _document(topic: str) -> str:
    """A document of docs/: in the wheel, or in the checkout that this runs from."""
    package = Path(__file__).parent.parent
    places = (package / "docs", package.parent.parent / "docs")
    file = next(f for place in places if (f := place / f"{topic}.md").is_file())
    return file.read_text(encoding="utf-8")
