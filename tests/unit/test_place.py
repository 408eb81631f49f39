"""Commands as they are typed where surefoot runs."""

import os
from pathlib import Path

import pytest

from surefoot.errors.steps import to_type
from surefoot.report import place

NEXT = to_type("record it", "surefoot adopt r1 --accept-difference", then="then start again")


@pytest.fixture(autouse=True)
def _as_it_is() -> object:
    place.run_commands_as(None)
    yield
    place.run_commands_as(None)


def test_commands_of_a_next_step_get_the_words_before_them() -> None:
    place.run_commands_as("docker compose run --rm app")
    assert place.next_in_place(NEXT).splitlines() == [
        "record it:",
        "    docker compose run --rm app surefoot adopt r1 --accept-difference",
        "then start again",
    ]
    assert place.container(NEXT) is None


def test_what_is_run_elsewhere_gets_none() -> None:
    """A catalogue is made where the application is developed; SQL is no command of surefoot's."""
    place.run_commands_as("docker compose run --rm app")
    text = to_type("do", "surefoot catalog build", "drop table t;", "SUREFOOT_APPROVE=adopt-1")
    assert place.next_in_place(text) == text


@pytest.mark.parametrize(
    ("mark", "program"), [(".dockerenv", "docker"), ("run/.containerenv", "podman")]
)
def test_a_container_says_how_a_command_is_given_to_it(
    tmp_path: Path, mark: str, program: str
) -> None:
    (tmp_path / "run").mkdir()
    assert place.container(NEXT, {}, str(tmp_path)) is None
    (tmp_path / mark).touch()
    found = place.container(NEXT, {}, str(tmp_path))
    assert found is not None
    label, text = found
    assert label == "container"
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith(
        f"{os.uname().nodename}: put {program} compose run --rm --no-deps SERVICE before"
    )
    assert place.container("start again", {}, str(tmp_path)) is None


def test_a_pod_is_copied(tmp_path: Path) -> None:
    found = place.container(NEXT, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, str(tmp_path))
    assert found is not None
    label, text = found
    name = os.uname().nodename
    assert label == "pod"
    assert f"kubectl debug -it {name} --copy-to={name}-surefoot" in text.replace("\xa0", " ")
