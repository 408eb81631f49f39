"""The program: `surefoot`, or `python -m surefoot`. bench/ measures its start and end."""

import os
import sys
from typing import TYPE_CHECKING

from surefoot.system.shadowing import guard_start

if TYPE_CHECKING:
    from surefoot.serve.listening import Page


def run() -> None:
    """Start the command line, and end the process with its exit code.

    A container pays for this at every start, and usually there is nothing to do. So that is checked
    first, without the command line. The garbage collector is off while modules are imported (it
    would scan them again and again and find nothing; `alembic_env.loading` turns it on), and a
    process that has loaded nothing of the application ends without finalizing the interpreter,
    which takes longer than all the rest.
    """
    guard_start()  # before anything is imported that the application may have a module of
    import gc

    gc.disable()
    _open_missing_streams()
    arguments, inherited = _taken_apart(_given(sys.argv[1:]))
    if arguments[:1] == ["up"]:
        _end_if_settled(arguments[1:])
    from surefoot.cli import main

    try:
        main(arguments, inherited)
    except SystemExit as end:
        if "alembic" in sys.modules or not isinstance(end.code, int):
            raise  # the application may have exit handlers
        _end(end.code)


def _given(arguments: list[str]) -> list[str]:
    from surefoot.system.successor import WORDS

    if WORDS not in arguments:
        return arguments
    from surefoot.system.caller import with_words

    return with_words(arguments)


def _taken_apart(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments without `up --` before a command that is surefoot itself, which is run.

    With the options of `up` that it inherits, for the configuration and the database.
    """
    from surefoot.system.successor import own_arguments

    inherited: dict[str, str] = {}
    while arguments[:1] == ["up"] and "--" in arguments:
        end = arguments.index("--")
        own = own_arguments(arguments[end + 1 :])
        if own is None:
            break
        inherited |= _inherited(arguments[1:end])
        arguments = own
    return arguments, inherited


def _inherited(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name in ("--config", "--database-url"):
            found[name] = value if equals else following
    return found


def _end(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # what could not be written has been reported, or can't be
        pass
    os._exit(code)


def _open_missing_streams() -> None:
    """Open missing standard streams (`>&-`): otherwise files or sockets would get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 (open for good)


def _end_if_settled(arguments: list[str]) -> None:
    """End the process, or start the command, if `up` has nothing to do.

    Returns if that is uncertain: then nothing was printed or changed, and signals that came
    meanwhile go to the regular handlers.
    """
    options, page = _options(arguments), _listening(arguments)
    if options is None:
        if page is not None:
            page.answer()
        return
    if page is not None:
        page.answer_after(_SOON)
    import signal

    from surefoot.system.successor import SIGNALS, become

    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    said = _said_nothing_to_do(*options)
    if said and not options[1]:
        if page is not None:
            page.finish()
        _end(0)
    if said:
        environ = os.environ if page is None else page.hand_over(options[1], os.environ)
        become(options[1], environ, lambda: False)  # returns if that failed
    if page is not None:
        page.answer()
    from surefoot.system import signals

    signals.install()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


# If there is nothing to do, these change only the report.
_FLAGS = ("-q", "--quiet", "-v", "--verbose", "--log-time", "--accept-data-loss", "--shared")
_VALUES = ("--config", "--database-url", "--log", "--progress-every", "--serve", "--tenant")


_SOON = 0.15  # seconds: a start that takes longer answers probes


def _listening(arguments: list[str]) -> "Page | None":
    """Return the socket of `--serve`; None without it. The command line reports a failure."""
    address = os.environ.get("SUREFOOT_SERVE")
    for number, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--serve":
            address = "".join(arguments[number + 1 : number + 2])
        elif word.startswith("--serve="):
            address = word.partition("=")[2]
    if not address:
        return None
    from surefoot.serve.listening import AddressError, listen

    try:
        return listen(address)
    except AddressError:
        return None


def _options(arguments: list[str]) -> tuple[dict[str, str], list[str], list[str]] | None:
    """Return the options of `up`, the command after them, and env.py's arguments, or None."""
    given: dict[str, str] = {}
    for_env: list[str] = []
    rest = arguments.copy()
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word == "-x" and rest and not rest[0].startswith("-"):
            for_env.append(rest.pop(0))
            continue
        if word in _FLAGS and word not in given:
            given[word] = word
            continue
        name, equals, value = word.partition("=")
        if name not in _VALUES or name in given:
            return None
        if not equals and rest:
            value = rest.pop(0)
        if not value or value.startswith("-"):
            return None
        given[name] = value
    return (given, rest, for_env) if _are_plain(given) else None


def _are_plain(given: dict[str, str]) -> bool:
    """Whether the command line would accept them; it reports what is wrong with others."""
    every = given.get("--progress-every", "0s")
    number = next((every.removesuffix(u) for u in ("ms", "min", "s", "h") if every.endswith(u)), "")
    quiet, verbose = ({"-q", "--quiet"} & given.keys(), {"-v", "--verbose"} & given.keys())
    return (
        given.get("--log", "text") in ("text", "json")
        and number.isascii()
        and number.isdigit()
        and not (quiet and verbose)
    )


def _said_nothing_to_do(given: dict[str, str], command: list[str], arguments: list[str]) -> bool:
    """Whether there is nothing to do; then this was reported, in the usual words."""
    import signal

    from surefoot.system.successor import SIGNALS, is_startable

    if command and not is_startable(command[0]):
        return False
    try:
        from surefoot.quick import settled

        config, url = given.get("--config"), given.get("--database-url")
        more = (tuple(arguments), given.get("--tenant"))
        found = settled(config, url, os.environ, os.getcwd(), *more, waits=True)
    except Exception:  # noqa: BLE001 - whatever it is, the ordinary way meets it again and reports it
        return False
    if not signal.sigpending().isdisjoint(SIGNALS):
        return False
    from surefoot.errors.masking import keep_secrets
    from surefoot.report.terminal import (
        Terminal,
        keep_secret,
        settled_events,
        settled_lines,
    )

    keep_secret(found.target)
    keep_secrets(found.target.parameters, *found.target.resolved.values())
    terminal = Terminal(sys.stderr, stamped="--log-time" in given)
    if given.get("--log") == "json":
        for event in settled_events(found.rows, found.remarks):
            terminal.write(event + "\n")
        return True
    for line in settled_lines(terminal, found.target, found.rows, found.remarks):
        terminal.line(line)
    return True


if __name__ == "__main__":
    run()
