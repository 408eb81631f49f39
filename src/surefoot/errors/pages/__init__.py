"""The pages of the error codes, in Markdown; they are part of the wheel."""

import re
from pathlib import Path


def condition(code: str) -> str:
    """Return the first sentence of a code's page, which states the condition."""
    paragraph = " ".join(page(code).split("\n\n")[1].split())
    sentence = re.match(r".*?[.:](?= |$)", paragraph)
    return (sentence[0] if sentence else paragraph).rstrip(":.") + "."


def page(code: str) -> str:
    """Return the page of a code.

    Raises FileNotFoundError; a test ensures that each code has one.
    """
    return (Path(__file__).parent / f"{code}.md").read_text(encoding="utf-8")
