"""One page a code, in Markdown; they ship in the wheel."""

import re
from pathlib import Path


def condition(code: str) -> str:
    """The first sentence of a code's page: what the condition is."""
    paragraph = " ".join(page(code).split("\n\n")[1].split())
    sentence = re.match(r".*?[.:](?= |$)", paragraph)
    return (sentence[0] if sentence else paragraph).rstrip(":.") + "."


def page(code: str) -> str:
    """The page of a code. Raises FileNotFoundError; a test holds codes and pages equal."""
    return (Path(__file__).parent / f"{code}.md").read_text(encoding="utf-8")
