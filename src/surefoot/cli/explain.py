"""`surefoot explain`."""

import click

from surefoot.cli.edge import Edge, command_body, common_options
from surefoot.errors import CODES, ExitCode


@click.command("explain")
@common_options
@click.argument("slug", required=False, metavar="CODE")
@click.option("--states", is_flag=True, help="Print the table of states instead.")
@command_body("explain")
def command(edge: Edge, *, slug: str | None, states: bool, **_: object) -> ExitCode:
    """Explain an error code: what it means, what was seen, what to do.

    Without CODE, lists every code.
    """
    from surefoot.errors.pages import page

    if slug is not None and slug not in CODES:
        from difflib import get_close_matches

        near = get_close_matches(slug, CODES, 1)
        hint = f" Did you mean {near[0]}?" if near else " `surefoot explain` lists them."
        raise click.UsageError(f"There is no error code {slug}.{hint}")
    if states:
        from surefoot.states import state_table

        text = state_table()
    elif slug is None:
        text = "\n".join(f"{name:<36} exit {code}" for name, code in sorted(CODES.items()))
    else:
        text = page(slug)
    if edge.as_json:
        edge.emit_json(ExitCode.DONE, code=slug, text=text)
    else:
        edge.data.write(text.rstrip() + "\n")
    return ExitCode.DONE
