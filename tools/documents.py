"""Write what documents have from the code: `make documents`. A test holds that it is current.

The pages of states, errors and commands are written whole; the table of keys and the defaults of
the keys are written into the pages of the configuration, the tables of exit codes into theirs.
"""

import re
from collections import Counter
from pathlib import Path

import click
import msgspec

from surefoot.cli import group
from surefoot.cli.explain import commands
from surefoot.errors import CODES, ExitCode
from surefoot.errors.pages import condition
from surefoot.model.states import state_table
from surefoot.project.config import Config
from surefoot.report.text import HEADLINES

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
KEYS = ("<!-- keys: written by tools/documents.py -->\n", "<!-- keys: until here -->")
EXITS = ("<!-- exits: written by tools/documents.py -->\n", "<!-- exits: until here -->")
GUIDES = Path(__file__).parents[1] / "docs" / "guides"

# The pages of commands: title and first sentence; and the commands that aren't on the first page.
COMMANDS = {
    "commands": (
        "Commands",
        "See also those for [many databases and backups](commands-more.md) and for "
        "[development](commands-develop.md).",
    ),
    "commands-more": (
        "Commands for many databases and backups",
        "[Commands](commands.md) describes the options that many commands have.",
    ),
    "commands-develop": (
        "Commands for development",
        "[Commands](commands.md) describes the options that many commands have.",
    ),
}
ELSEWHERE = {
    **dict.fromkeys(("fleet", "backup", "backups", "restore"), "commands-more"),
    **dict.fromkeys(("catalog", "history", "releases", "dump"), "commands-develop"),
    **dict.fromkeys(("explain", "init", "demo", "completion"), "commands-develop"),
}
COMMON = 5  # an option that so many commands have is described once

# The groups of errors: how the message begins, and what that means.
GROUPS = {
    ExitCode.BUSY: "Another program is using the database, or the server isn't ready. Try again.",
    ExitCode.FAILED: "A step failed. It was rolled back, and surefoot verified that.",
    ExitCode.PARTIAL: "A part may remain, or the result of a commit is unknown. Check first.",
    ExitCode.REFUSED: "surefoot can't be sure that it is safe to continue. Nothing was changed.",
    ExitCode.PENDING: "Two things that should agree differ. Nothing was changed.",
    ExitCode.USAGE: "The command line, the configuration or the image is wrong.",
}

# The other two exit codes, which no error has; and what to do on each.
MEANINGS = {
    ExitCode.DONE: "Done, or nothing to do. `plan`: `up` would continue.",
    ExitCode.BUG: "surefoot itself failed, and printed a traceback.",
    **GROUPS,
    ExitCode.PENDING: "`status`: something is pending. Other commands: a check found a difference.",
}
ACTIONS = {
    ExitCode.DONE: "Start the application.",
    ExitCode.BUG: "Don't start the application. Run `surefoot status`, and report the traceback.",
    ExitCode.USAGE: "Correct it. Trying again gives the same result.",
    ExitCode.PENDING: "`status`: run `surefoot up`. Other commands: read the findings.",
    ExitCode.REFUSED: "Read the message and do what `next` says. Don't just try again.",
    ExitCode.FAILED: "Read the message and remove the cause. Trying again is safe.",
    ExitCode.PARTIAL: "Start nothing until a person has checked the database.",
    ExitCode.BUSY: "Try again after a pause.",
}


def states() -> str:
    """reference/states.md."""
    return (
        "# States\n\n"
        "Every state of a database, and what each command does. A refusal changes nothing. "
        "`surefoot explain --states` prints this page.\n\n"
        f"![The states, and what leads from one to another](../pictures/states.svg)\n\n"
        f"{state_table()}\n"
    )


def errors() -> str:
    """reference/troubleshooting.md: every code, with the first sentence of its page."""
    lines = [
        "# Errors",
        "",
        "The last line of a message names an error code: `surefoot explain CODE` prints its page. "
        "[It refused](../guides/refused.md) explains the rest.",
    ]
    for code, meaning in GROUPS.items():
        lines += ["", f"## {HEADLINES[code]} …", "", f"{meaning} Exit code {int(code)}.", ""]
        lines += ["| code | what happened |", "|---|---|"]
        for slug in sorted(slug for slug, its in CODES.items() if its is code):
            link = f"../../src/surefoot/errors/pages/{slug}.md"
            said = re.sub(r"\s*\(exit code \d\)", "", condition(slug)).replace("|", "\\|")
            lines.append(f"| [`{slug}`]({link}) | {said} |")
    return "\n".join(lines) + "\n"


def command(name: str) -> click.Command:
    """The command of this name; that of a group has the group's name before it."""
    found: click.Command = group
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word) or found
    return found


def _options(name: str) -> list[tuple[str, str]]:
    """The options of a command as its help writes them, with what they do."""
    context = click.Context(command(name), info_name=name)
    found = [parameter.get_help_record(context) for parameter in command(name).get_params(context)]
    return [record for record in found if record is not None and record[1]]


def _description(name: str) -> list[str]:
    """A command's docstring as Markdown: indented lines are commands to type."""
    lines: list[str] = []
    for paragraph in (command(name).help or "").replace("\f", "").strip().split("\n\n"):
        if "\b" in paragraph:
            typed = [line.strip() for line in paragraph.replace("\b", "").strip().splitlines()]
            lines += ["```sh", *typed, "```", ""]
        else:
            lines += [" ".join(paragraph.split()), ""]
    return lines


def _table(options: list[tuple[str, str]]) -> list[str]:
    rows = [
        f"| `{' '.join(option.split()).replace('|', ', ')}` | {' '.join(what.split())} |"
        for option, what in options
    ]
    return ["| option | what it does |", "|---|---|", *rows, ""]


def _names(options: list[tuple[str, str]]) -> str:
    return ", ".join(f"`{option.split()[0].rstrip(',')}`" for option, _ in options)


def command_pages() -> dict[Path, str]:
    """The pages of commands: every command, from its help."""
    names = [name for name in commands() if not isinstance(command(name), click.Group)]
    counted = Counter(option for name in names for option in _options(name))
    common = [option for option, times in counted.items() if times >= COMMON]
    pages = {
        name: [
            f"# {title}",
            "",
            f"{said} From the commands' own help: `surefoot COMMAND --help`.",
            "",
        ]
        for name, (title, said) in COMMANDS.items()
    }
    pages["commands"] += ["## Options that many commands have", "", *_table(common)]
    described: dict[tuple[str, tuple[str, str]], str] = {}  # page and option: the command with it
    for name in names:
        page = ELSEWHERE.get(name.split()[0], "commands")
        lines = pages[page]
        context = click.Context(command(name), info_name=f"surefoot {name}")
        usage = " ".join(command(name).collect_usage_pieces(context))
        lines += [f"## surefoot {name}", "", f"`surefoot {name} {usage}`", "", *_description(name)]
        options = _options(name)
        own = [option for option in options if option not in common]
        first = {option: described.setdefault((page, option), name) for option in own}
        if new := [option for option in own if first[option] == name]:
            lines += _table(new)
        for other in dict.fromkeys(first[option] for option in own if first[option] != name):
            same = [option for option in own if first[option] == other]
            lines += [f"As for `surefoot {other}`: {_names(same)}.", ""]
        lines += [f"Also: {_names([option for option in options if option in common])}.", ""]
    return {
        REFERENCE / f"{name}.md": "\n".join(lines).rstrip() + "\n" for name, lines in pages.items()
    }


def as_toml(value: object) -> str:
    """A default as the pages of the configuration write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def key_pages() -> dict[str, Path]:
    """Each key of the configuration that has a section, with its page."""
    return {
        key: page
        for page in sorted(REFERENCE.glob("configuration-*.md"))
        for key in re.findall(r"^### `(\w+)`$", page.read_text(encoding="utf-8"), re.M)
    }


def with_defaults(text: str) -> str:
    """A page of keys with the defaults of the code."""
    for field in msgspec.structs.fields(Config):
        line = rf"(^### `{field.name}`\n\nType: .*? · Default: ).*$"
        default = as_toml(getattr(Config(), field.name))
        text = re.sub(line, lambda found, default=default: found[1] + default, text, flags=re.M)
    return text


def with_keys(text: str) -> str:
    """reference/configuration.md with the table of all keys."""
    rows = ["| key | type | default |", "|---|---|---|"]
    for key, page in sorted(key_pages().items()):
        section = page.read_text(encoding="utf-8").partition(f"### `{key}`\n\nType: ")[2]
        kind = section.partition(" · ")[0]
        default = as_toml(getattr(Config(), key, None))
        rows.append(f"| [`{key}`]({page.name}#{key}) | {kind} | {default} |")
    return between(text, KEYS, rows)


def with_exit_codes(text: str) -> str:
    """reference/exit-codes.md with the table of all exit codes."""
    rows = ["| exit code | name | the message begins with | meaning | what to do |"]
    rows += ["|---|---|---|---|---|"]
    for code in ExitCode:
        headline = f"*{HEADLINES[code]}*" if code in HEADLINES else ""
        cells = (str(int(code)), code.name, headline, MEANINGS[code], ACTIONS[code])
        rows.append(f"| {' | '.join(cells)} |")
    return between(text, EXITS, rows)


def with_first_words(text: str) -> str:
    """guides/refused.md with the table of how messages begin."""
    rows = ["| the message begins with | exit code | what to do |", "|---|---|---|"]
    rows += [f"| *{HEADLINES[code]}* | {int(code)} | {ACTIONS[code]} |" for code in sorted(GROUPS)]
    return between(text, EXITS, rows)


def between(text: str, marks: tuple[str, str], rows: list[str]) -> str:
    """The text with these rows between its two marks."""
    begin, end = marks
    before, _, rest = text.partition(begin)
    return before + begin + "\n" + "\n".join(rows) + "\n\n" + end + rest.partition(end)[2]


def documents() -> dict[Path, str]:
    """Every page that is written, or written in part, with its whole text."""
    keys = {page: with_defaults(page.read_text("utf-8")) for page in key_pages().values()}
    configuration = REFERENCE / "configuration.md"
    exit_codes = REFERENCE / "exit-codes.md"
    refused = GUIDES / "refused.md"
    return {
        REFERENCE / "states.md": states(),
        REFERENCE / "troubleshooting.md": errors(),
        configuration: with_keys(configuration.read_text(encoding="utf-8")),
        exit_codes: with_exit_codes(exit_codes.read_text(encoding="utf-8")),
        refused: with_first_words(refused.read_text(encoding="utf-8")),
        **command_pages(),
        **keys,
    }


if __name__ == "__main__":
    for page, text in documents().items():
        page.write_text(text, encoding="utf-8")
