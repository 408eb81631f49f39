"""The pods of an Indexed Job, as real containers: what a kubelet and the Job controller make of a
manifest, as far as `surefoot fleet manifest` needs them.
"""

import re
from collections.abc import Mapping
from typing import Any

from tests.containers.engine import Container, Engine

_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


class IndexedJob:
    """A Job of one container, by its manifest. `secrets` are the keys of each Secret."""

    def __init__(self, document: Any, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self._spec = document["spec"]
        (self._container,) = self._spec["template"]["spec"]["containers"]
        self._secrets = secrets

    @property
    def indexes(self) -> range:
        return range(self._spec["completions"])

    def start(self, engine: Engine, index: int) -> Container:
        """Start the pod of an index: its image, command, environment and securityContext."""
        env = self._environment(index)
        command = [_expanded(word, env) for word in self._container["command"]]
        options = _options(self._container["securityContext"])
        return engine.start(self._container["image"], *command, env=env, options=options)

    def after(self, code: int) -> str:
        """What the Job controller does with the index of a pod that ended so."""
        if code == 0:
            return "succeeded"
        for rule in self._spec["podFailurePolicy"]["rules"]:
            on = rule.get("onExitCodes")
            if on and on["containerName"] == self._container["name"] and _meets(on, code):
                return str(rule["action"])
        return "retried" if self._spec["backoffLimitPerIndex"] > 0 else "failed"

    def _environment(self, index: int) -> dict[str, str]:
        env: dict[str, str] = {}
        for source in self._container.get("envFrom", ()):
            env |= self._secrets[source["secretRef"]["name"]]
        for variable in self._container["env"]:
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == _INDEX, variable
            env[variable["name"]] = str(index)
        return env


def _expanded(word: str, env: Mapping[str, str]) -> str:
    """$(NAME) is a variable, if there is one of that name, and $$ a dollar."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return re.sub(r"\$\$|\$\((\w+)\)", value, word)


def _meets(rule: Mapping[str, Any], code: int) -> bool:
    assert rule["operator"] == "In", rule
    return code in rule["values"]


def _options(security: Mapping[str, Any]) -> list[str]:
    """podman's options for a securityContext; it knows no other key than these."""
    said = dict(security)
    options: list[str] = []
    if said.pop("allowPrivilegeEscalation") is False:
        options.append("--security-opt=no-new-privileges")
    options += [f"--cap-drop={name}" for name in said.pop("capabilities")["drop"]]
    if said.pop("readOnlyRootFilesystem", False):
        options += ["--read-only", "--read-only-tmpfs=false"]
    assert said.pop("seccompProfile") == {"type": "RuntimeDefault"}  # podman's own default
    assert not said, said
    return options
