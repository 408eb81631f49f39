"""examples/kubernetes, against Kubernetes' own schemas and surefoot's exit codes."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from surefoot.errors import ExitCode

EXAMPLES = Path(__file__).parents[2] / "examples" / "kubernetes"
FILES = sorted(EXAMPLES.glob("*.yaml"))
# What the same image may succeed at later, and what ends well.
_NO_PERSON = {ExitCode.DONE, ExitCode.PENDING, ExitCode.FAILED, ExitCode.BUSY}


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


@pytest.mark.parametrize("version", ["1.29", "1.33"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_manifest_is_valid(file: Path, version: str) -> None:
    for document in documents(file):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_job_is_not_tried_again_where_a_person_is_needed() -> None:
    """The same codes in the manifest, in the chart, and in surefoot."""
    (job,) = documents(EXAMPLES / "job.yaml")
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    codes = [int(code) for code in ExitCode if code not in _NO_PERSON]
    assert rule["onExitCodes"]["values"] == codes
    chart = (EXAMPLES / "chart" / "templates" / "migrate.yaml").read_text("utf-8")
    assert f"values: {codes}" in chart


def test_probes_ask_for_what_surefoot_serves() -> None:
    (deployment,) = documents(EXAMPLES / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/livez"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (port,) = container["ports"]
    assert container["command"][:4] == [
        "surefoot",
        "up",
        "--serve",
        f"0.0.0.0:{port['containerPort']}",
    ]
