"""The Kubernetes Job that `surefoot fleet manifest` prints, against Kubernetes' own schemas."""

import json
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import ExitCode
from surefoot.fleet.manifest import Job, manifest
from tests import starts

OPTIONS = (
    "--targets",
    "sql:select name from \"customers\" where note <> '$(x): #1'",
    "--canary",
    "1",
)


def expanded(word: str) -> str:
    """What Kubernetes makes of a word, where no variable is set."""
    assert "$(" not in word.replace("$$", ""), word
    return word.replace("$$", "$")


def container(document: Any) -> Any:
    (only,) = document["spec"]["template"]["spec"]["containers"]
    return only


@pytest.mark.parametrize("secret", [None, "shop-databases"])
@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
def test_it_is_valid(version: str, secret: str | None) -> None:
    document = yaml.safe_load(manifest(Job("shop:2.4", 50, 10, OPTIONS, "shop", secret)))
    kubernetes_validate.validate(document, version, strict=True)
    wrong = {**document, "spec": {**document["spec"], "completion": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_exit_codes_decide_what_is_tried_again() -> None:
    spec = yaml.safe_load(manifest(Job("shop:2.4", 50, 10, OPTIONS)))["spec"]
    ignore, fail = spec["podFailurePolicy"]["rules"]
    assert ignore["action"] == "Ignore"
    assert ignore["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert fail["action"] == "FailIndex"
    codes = {int(code) for code in ExitCode if code not in (ExitCode.DONE, ExitCode.PENDING)}
    assert set(fail["onExitCodes"]["values"]) == codes - {7}
    assert (spec["completions"], spec["parallelism"], spec["maxFailedIndexes"]) == (50, 10, 50)


def test_the_shard_is_the_index() -> None:
    found = container(yaml.safe_load(manifest(Job("shop:2.4", 50, 10, OPTIONS))))
    (shard,) = found["env"]
    assert "job-completion-index" in shard["valueFrom"]["fieldRef"]["fieldPath"]
    assert found["command"][-2:] == ["--shard", f"$({shard['name']})/50"]


@settings(deadline=None)
@given(st.text(), st.lists(st.text()))
def test_whatever_is_given_is_a_word_of_its_own(image: str, words: list[str]) -> None:
    """And no variable of Kubernetes is put in its place."""
    found = container(yaml.safe_load(manifest(Job(image, 1, 1, tuple(words)))))
    assert found["image"] == image
    assert [expanded(word) for word in found["command"][3:-2]] == words


def test_the_command() -> None:
    arguments = ("fleet", "manifest", "--image", "shop:2.4", "--shards", "4", "--")
    done = starts.run("-m", "surefoot", *arguments, *OPTIONS)
    assert done.returncode == 0
    assert done.stdout == manifest(Job("shop:2.4", 4, 1, OPTIONS))
    told = starts.run("-m", "surefoot", *arguments[:-1], "--json", "--", *OPTIONS)
    assert json.loads(told.stdout)["text"] == done.stdout


@pytest.mark.parametrize("options", [("--target", "x"), ("--targets", "x", "--shard", "0/4"), ()])
def test_options_that_fleet_up_would_not_take(options: tuple[str, ...]) -> None:
    arguments = ("fleet", "manifest", "--image", "shop:2.4", "--shards", "4", "--")
    done = starts.run("-m", "surefoot", *arguments, *options)
    assert done.returncode == 2
    assert done.stdout == ""
