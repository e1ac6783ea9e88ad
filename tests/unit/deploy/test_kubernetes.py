"""The blotter on Kubernetes: its parts find each other, and it fits the worker's values."""

from typing import Any

import yaml

from tests.support.deploy_files import assert_commands_exist, assert_variables_exist, load
from tests.support.processes import ROOT

DEPLOYMENT, SERVICE = yaml.safe_load_all((ROOT / "deploy/kubernetes/blotter.yaml").read_text())
WORKER: dict[str, Any] = load("deploy/helm/values.yaml")["worker"]
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]
[BLOTTER] = POD["spec"]["containers"]


def test_the_service_finds_the_pods_and_their_port() -> None:
    labels = POD["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels == SERVICE["spec"]["selector"]
    [port] = BLOTTER["ports"]
    assert [item["targetPort"] for item in SERVICE["spec"]["ports"]] == [port["name"]]
    assert str(port["containerPort"]) in BLOTTER["command"]
    for probe in ("readinessProbe", "livenessProbe"):
        assert BLOTTER[probe]["httpGet"] == {"path": "/_stcore/health", "port": port["name"]}


def test_it_has_the_image_the_secret_and_the_addresses_of_the_worker() -> None:
    assert BLOTTER["image"] == f"{WORKER['image']['repository']}:{WORKER['image']['prefectTag']}"
    values = {item["name"]: item.get("value") for item in BLOTTER["env"]}
    for item in WORKER["extraEnvVars"]:
        if item["name"].startswith("SENTINEL_"):
            assert values[item["name"]] == item["value"]
    [secret] = [item["valueFrom"]["secretKeyRef"] for item in BLOTTER["env"] if "valueFrom" in item]
    assert [secret["name"]] == WORKER["extraEnvVarsSecrets"]
    assert_variables_exist({*values, secret["key"]} - {"HOME"})


def test_it_starts_without_rights_and_writes_into_its_scratch_volume_alone() -> None:
    assert assert_commands_exist(" ".join(BLOTTER["command"])) == 1
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert BLOTTER["securityContext"]["readOnlyRootFilesystem"] is True
    volumes = {volume["name"] for volume in POD["spec"]["volumes"]}
    assert {mount["name"] for mount in BLOTTER["volumeMounts"]} == volumes
