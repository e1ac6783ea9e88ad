"""The values for Prefect's chart: what they refer to exists, and the rules are deployed first."""

import re
from typing import Any

from sentinel_core.rulefile.source import dig
from tests.support.deploy_files import assert_commands_exist, assert_variables_exist, load
from tests.support.processes import ROOT

VALUES: dict[str, Any] = load("deploy/helm/values.yaml")
WORKER = VALUES["worker"]
[DEPLOY] = WORKER["initContainer"]["extraContainers"]


def test_templates_refer_to_values_that_exist() -> None:
    text = (ROOT / "deploy/helm/values.yaml").read_text()
    references = re.findall(r"{{ \.Values\.([\w.]+) }}", text)
    assert len(references) == 3
    for reference in references:
        assert isinstance(dig(VALUES, reference.split(".")), str)


def test_the_worker_is_ours_and_its_image_is_pinned() -> None:
    assert (WORKER["config"]["type"], WORKER["config"]["workPool"]) == ("sentinel", "sentinel")
    assert re.search(r"\d", WORKER["image"]["prefectTag"])
    assert "latest" not in WORKER["image"]["prefectTag"]
    assert WORKER["apiConfig"] == "selfHostedServer"


def test_the_rules_are_deployed_from_the_same_image_as_in_compose() -> None:
    assert DEPLOY["image"] == (
        "{{ .Values.worker.image.repository }}:{{ .Values.worker.image.prefectTag }}"
    )
    assert DEPLOY["args"] == [load("compose.yaml")["services"]["deploy"]["command"][-1]]
    assert assert_commands_exist(DEPLOY["args"][0]) == 4
    assert DEPLOY["workingDir"] == "/srv/alerts"


def test_both_have_the_secrets_and_neither_is_root() -> None:
    assert [item["secretRef"]["name"] for item in DEPLOY["envFrom"]] == WORKER[
        "extraEnvVarsSecrets"
    ]
    assert DEPLOY["securityContext"]["runAsNonRoot"] is True
    assert DEPLOY["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {mount["mountPath"] for mount in DEPLOY["volumeMounts"]}
    home = next(item["value"] for item in DEPLOY["env"] if item["name"] == "HOME")
    assert mounted == {home, "/tmp"}


def test_every_variable_is_a_setting() -> None:
    names = {item["name"] for item in (*WORKER["extraEnvVars"], *DEPLOY["env"])}
    assert_variables_exist(names - {"HOME"})
