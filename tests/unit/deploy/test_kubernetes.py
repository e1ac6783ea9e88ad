"""The blotter and the API on Kubernetes: they find each other, and fit the worker's values."""

from typing import Any

import pytest
import yaml

from tests.support.deploy_files import assert_commands_exist, assert_variables_exist, load
from tests.support.processes import ROOT

WORKER: dict[str, Any] = load("deploy/helm/values.yaml")["worker"]
PARTS = ("blotter", "api")


class Manifest:
    """The Deployment and the Service of one file, and what is in them."""

    def __init__(self, name: str) -> None:
        text = (ROOT / f"deploy/kubernetes/{name}.yaml").read_text("utf-8")
        self.deployment, self.service = yaml.safe_load_all(text)
        self.pod: dict[str, Any] = self.deployment["spec"]["template"]
        [self.container] = self.pod["spec"]["containers"]

    @property
    def values(self) -> dict[str, Any]:
        """The variables with a value of their own."""
        return {one["name"]: one["value"] for one in self.container["env"] if "value" in one}

    @property
    def secrets(self) -> dict[str, list[str]]:
        """The secrets by name, each with the keys that are named."""
        found: dict[str, list[str]] = {}
        for one in self.container["env"]:
            if "valueFrom" in one:
                key = one["valueFrom"]["secretKeyRef"]
                found.setdefault(key["name"], []).append(key["key"])
        for one in self.container.get("envFrom", []):
            found.setdefault(one["secretRef"]["name"], [])
        return found


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> Manifest:
    return Manifest(request.param)


def test_every_manifest_is_looked_at() -> None:
    assert {path.stem for path in (ROOT / "deploy/kubernetes").iterdir()} == set(PARTS)


def test_the_service_finds_the_pods_and_their_port(part: Manifest) -> None:
    labels, service = part.pod["metadata"]["labels"], part.service["spec"]
    assert part.deployment["spec"]["selector"]["matchLabels"] == labels == service["selector"]
    [port] = part.container["ports"]
    assert [item["targetPort"] for item in service["ports"]] == [port["name"]]
    assert str(port["containerPort"]) in part.container["command"]


def test_the_blotter_is_asked_whether_it_is_healthy_and_the_api_whether_it_listens() -> None:
    for name, asked in (
        ("blotter", {"httpGet": {"path": "/_stcore/health", "port": "http"}}),
        ("api", {"tcpSocket": {"port": "http"}}),  # its health is that of all the others
    ):
        for probe in ("readinessProbe", "livenessProbe"):
            assert asked.items() <= Manifest(name).container[probe].items()


def test_the_api_answers_to_the_name_of_its_service_and_reaches_prefect() -> None:
    api = Manifest("api")
    command = api.container["command"]
    assert command[command.index("--name") + 1] == api.service["metadata"]["name"]
    server = WORKER["selfHostedServerApiConfig"]["apiUrl"]
    assert api.values["PREFECT_API_URL"] == server
    assert api.values["PREFECT_HOME"].startswith(api.values["HOME"])


def test_it_has_the_image_the_secret_and_the_addresses_of_the_worker(part: Manifest) -> None:
    image = WORKER["image"]
    assert part.container["image"] == f"{image['repository']}:{image['prefectTag']}"
    for item in WORKER["extraEnvVars"]:
        if item["name"].startswith("SENTINEL_"):
            assert part.values[item["name"]] == item["value"]
    assert list(part.secrets) == WORKER["extraEnvVarsSecrets"]
    keys = {key for named in part.secrets.values() for key in named}
    assert_variables_exist({*part.values, *keys} - {"HOME"})


def test_it_starts_without_rights_and_writes_into_its_scratch_volume_alone(part: Manifest) -> None:
    assert assert_commands_exist(" ".join(part.container["command"])) == 1
    assert part.pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert part.container["securityContext"]["readOnlyRootFilesystem"] is True
    volumes = {volume["name"] for volume in part.pod["spec"]["volumes"]}
    assert {mount["name"] for mount in part.container["volumeMounts"]} == volumes
