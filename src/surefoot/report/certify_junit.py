"""Write the report of `surefoot certify` as JUnit XML, for a CI system."""

from xml.etree import ElementTree

from surefoot.certify.campaign import Report
from surefoot.certify.result import Result
from surefoot.errors.masking import hidden
from surefoot.errors.printable import printable


def junit(report: Report) -> str:
    """Return a test suite for each subject and a test case for each case; times are in seconds."""
    root = ElementTree.Element("testsuites", {"name": "surefoot certify"})
    if report.history or not report.results:
        suite = _suite(root, "history", len(report.history) or 1)
        if not report.history:
            _case(suite, "history", "catalogue", 0.0)
        for finding in report.history:
            case = _case(suite, "history", finding.code, 0.0)
            text = "\n".join([*finding.seen, finding.next])
            _element(case, "failure", text, message=finding.message)
    for subject in report.subjects:
        results = [one for one in report.results if one.case.subject == subject]
        suite = _suite(root, subject.name, len(results))
        for result in results:
            _result(suite, result)
    for suite in root:
        for attribute, tag in (("failures", "failure"), ("skipped", "skipped")):
            suite.set(attribute, str(len(suite.findall(f"./testcase/{tag}"))))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _result(suite: ElementTree.Element, result: Result) -> None:
    kind = "/".join(filter(None, (result.case.kind, result.case.detail)))
    case = _case(suite, result.case.subject.name, kind, result.seconds)
    notes = "; ".join(result.notes)
    match result.outcome:
        case "failed" | "missed":
            message = ", ".join(dict.fromkeys(v.invariant for v in result.violations))
            told = "\n".join(f"{v.invariant}: {v.told}" for v in result.violations)
            _element(case, "failure", told, message=message)
        case "not-run":
            _element(case, "failure", "the minutes were used up", message="not run")
        case "skipped":
            _element(case, "skipped", "", message=notes or "nothing to try")
        case "passed" | "doubtful":
            pass
    said = [f"fault: {result.fault}"] if result.fault else []
    said += [f"note: {note}" for note in result.notes] + list(result.commands)
    if result.outcome == "doubtful":
        said += [f"doubtful: {v.told}" for v in result.violations]
    if said:
        _element(case, "system-out", "\n".join(said))


def _suite(root: ElementTree.Element, name: str, tests: int) -> ElementTree.Element:
    attributes = {"name": _text(name), "tests": str(tests)}
    return ElementTree.SubElement(root, "testsuite", attributes)


def _case(
    suite: ElementTree.Element, subject: str, name: str, seconds: float
) -> ElementTree.Element:
    attributes = {"classname": _text(subject), "name": _text(name), "time": f"{seconds:.2f}"}
    return ElementTree.SubElement(suite, "testcase", attributes)


def _element(case: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    shown = {name: _text(value) for name, value in attributes.items()}
    element = ElementTree.SubElement(case, tag, shown)
    element.text = "\n".join(_text(line) for line in text.splitlines())


def _text(line: str) -> str:
    """Mask passwords, and escape control characters: XML allows none, escaped or not."""
    return printable(hidden(line))
