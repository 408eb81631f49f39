"""Check the documents' language: `make prose`, a part of `make lint`.

proselint finds clichés, archaisms and repeated words. This project's own rules are `WORDS`,
`CONSTRUCTIONS`, and the length of sentences. Code, links' targets and comments are not checked.
"""

import re
import sys
from pathlib import Path

import proselint.checks
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, types
from proselint.tools import LintFile

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/*/README.md",
    "docs/**/*.md",
    "changelog.d/*.md",
    "src/surefoot/errors/pages/*.md",
)
LONGEST = 36  # words in a sentence
PASSIVES = 3  # passive verbs in a sentence

# What proselint knows and this project does not want, each with its reason.
OFF = {
    "typography": False,  # straight quotes, three dots and "resume" are what a terminal prints
    "lexical_illusions": False,  # it takes a heading and the line below it for a repetition
    "restricted": False,  # only the thousand commonest words
}

# The words that this project does not use, with those that it uses instead.
WORDS = {
    "amiss": "wrong",
    "anew": "again",
    "another one's": "name the owner",
    "another's": "name the owner",
    "anybody's": "name the owner",
    "as a rule": "usually",
    "as one likes": "name the actor",
    "beforehand": "before",
    "beside": "next to, or also",
    "besides": "also, or except",
    "but for": "except for",
    "by ways that": "in ways that",
    "for ever": "forever",
    "give leave": "allow",
    "given leave": "allowed",
    "go on": "continue",
    "goes by": "uses",
    "goes on": "continues",
    "going on": "continuing",
    "gone by": "used",
    "has come to its end": "has ended",
    "held against": "compared with, or counted against",
    "held to": "compared with",
    "hence": "so",
    "holds for": "applies to",
    "in order to": "to",
    "in suspense": "waiting",
    "in the place of": "instead of",
    "is gone by": "is used",
    "its own affair": "say who is responsible",
    "likewise": "also",
    "looked at": "checked",
    "mend": "repair",
    "mended": "repaired",
    "mends": "repairs",
    "needn't": "doesn't need to",
    "nobody's": "name the owner",
    "none's": "name the owner",
    "nonsense": "invalid values",
    "nothing but": "only",
    "of one's own": "separate, or its own",
    "otherwise than": "differently from",
    "passed over": "ignored",
    "passes over": "ignores",
    "put right": "repair",
    "puts right": "repairs",
    "shall": "must, or will",
    "somebody's": "name the owner",
    "speaks of": "says, or contains",
    "such a one": "name the thing",
    "tells of": "describes",
    "the like": "name the things",
    "the same holds": "the same applies",
    "the very": "the",
    "thereof": "of it",
    "thus": "so",
    "to be had": "available",
    "told": "reported",
    "utilize": "use",
    "what is anybody's": "the user's own objects",
    "whoever": "name the actor",
    "whose it is": "who owns it",
}

# Constructions that nobody says, each with what to do instead; a sentence at a time.
CONSTRUCTIONS = (
    (re.compile(r"^[*_ -]*What (?!to |happens )(?!.*\?$)"), "name the thing, instead of “What …”"),
    (
        re.compile(r"^(?:Nor|So) (?:is|are|was|were|do|does|did|can|has|have|must)\b"),
        "subject first",
    ),
    (
        re.compile(r"(?<!there )\b(?:is|are|was|were) none\b"),
        "say what it isn't, instead of “none”",
    ),
    (re.compile(r"\b(?:is|are|was|were) to be \w+(?:ed|en)\b"), "say “must be” or “will be”"),
    (re.compile(r"\ban own\b"), "say whose"),
)

_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:not\s+)?\w+(?:ed|en|un)\b", re.I)
_BLOCK = re.compile(
    r"^ *```.*?^ *```"
    r"|<!-- (?:\w+: )?written by.*?<!-- (?:\w+: )?until here -->"  # a command's own words
    r"|<!-- measured .*?<!-- end of [\w-]+ -->|<!--.*?-->",
    re.M | re.S,
)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
_WRAPPED = re.compile(r"(?<=\S)\n(?=[^\W_]|\*\*|\[|\()")
_TARGET = re.compile(r"(?<=\])\([^)\s]*\)|<[^<>\n]*>|https?://\S+")
_END = re.compile(r"(?<=[.?!:;])\s+|\n\s*\n|\n(?=\s*(?:[-*|#>]|\d+\.))|\s\|\s")


def prose(text: str) -> str:
    """The text, of the same length and lines, with code and targets of links blanked."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    def word(found: re.Match[str]) -> str:
        return "x" + re.sub(r"[^\n]", " ", found[0])[1:]  # code is one word of its sentence

    return _TARGET.sub(blank, _CODE.sub(word, _BLOCK.sub(blank, text)))


def sentences(text: str) -> list[tuple[int, str]]:
    """Each sentence, heading, item and cell, with its line."""
    found: list[tuple[int, str]] = []
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        piece = text[start:end]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            found.append((text.count("\n", 0, start + lead) + 1, piece.strip()))
        start = end
    return found


def findings(name: str, text: str) -> list[tuple[int, str]]:
    """Everything to correct in a document: the line, and what is wrong with it."""
    checked = prose(text)
    enabled = dict.fromkeys(
        (check.path.partition(".")[0] for check in CheckRegistry().checks), True
    )
    flowing = _WRAPPED.sub(" ", checked)  # of the same length, so that places stay
    found = [
        (checked.count("\n", 0, one.check_result.span[0]) + 1, one.check_result.message)
        for one in LintFile(name, flowing).lint({"max_errors": 1000, "checks": enabled | OFF})
    ]
    for line, sentence in sentences(checked):
        words = len(re.findall(r"\w[\w'’-]*", sentence))
        if words > LONGEST:
            found.append((line, f"a sentence of {words} words: {sentence.split()[:5]} …"))
        flat = " ".join(sentence.split())
        found += [(line, what) for wrong, what in CONSTRUCTIONS if wrong.search(flat)]
        passives = len(_PASSIVE.findall(sentence))
        if passives > PASSIVES:
            found.append((line, f"{passives} passive verbs in one sentence; name who does it"))
    return sorted(found)


def register() -> None:
    """The checks of proselint, and this project's own, once for the process."""
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(proselint.checks.__register__)
        say = types.PreferredFormsSimple(items=WORDS)
        registry.register(Check(say, path="surefoot.words", message="Say “{}”, not “{}”."))


def main(arguments: list[str]) -> int:
    """Check the named documents, or all of them. Returns the exit code."""
    register()
    files = [Path(one) for one in arguments] or sorted(
        file for pattern in DOCUMENTS for file in ROOT.glob(pattern)
    )
    wrong = 0
    for file in files:
        for line, what in findings(file.name, file.read_text(encoding="utf-8")):
            print(f"{file.resolve().relative_to(ROOT)}:{line}: {what}")
            wrong += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
