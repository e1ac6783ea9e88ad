"""compose.yaml: what it names exists (services, volumes, files, variables), and nothing is open."""

import re
from typing import Any

import pytest

from tests.support.deploy_files import assert_commands_exist, assert_variables_exist, load, read_env
from tests.support.processes import ROOT

COMPOSE = load("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENV_FILES = {"postgres.env", "server.env", "sentinel.env", "viewer.env"}


def command(service: dict[str, Any]) -> str:
    words = service.get("command", [])
    return words[-1] if words[:2] == ["sh", "-ec"] else " ".join(words)


def test_it_has_all_that_a_team_needs() -> None:
    prefect = {"postgres", "redis", "migrate", "server", "services"}
    assert set(SERVICES) == prefect | {"deploy", "worker", "blotter", "api"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_happen(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_restarts_logs_within_limits_and_has_no_rights(name: str) -> None:
    service = SERVICES[name]
    ends = name in ("migrate", "deploy")
    assert service["restart"] == ("no" if ends else "unless-stopped")
    assert service["logging"] == {"driver": "local"}
    if service["image"].startswith("sentinel:"):
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    # The background services have no address to ask at.
    assert ("healthcheck" in service) is (not ends and name != "services")


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_ports_are_open_to_this_machine_alone(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?$", SERVICES[name]["image"])
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


def test_our_image_has_the_version_of_this_package() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    own = {s["image"] for s in SERVICES.values() if s["image"].startswith("sentinel:")}
    assert own == {f"sentinel:{version[1]}"}
    assert [name for name, service in SERVICES.items() if "build" in service] == ["server"]


def test_volumes_and_files_exist() -> None:
    used: set[str] = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.replace("${SENTINEL_PROJECT:-./alerts}", "PROJECT").split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).is_file()
            elif source != "PROJECT":
                used.add(source)
    assert used == set(COMPOSE["volumes"])


def test_secrets_come_from_files_that_have_an_example_and_are_not_committed() -> None:
    named = {file for service in SERVICES.values() for file in service.get("env_file", [])}
    assert named == {f"deploy/env/{name}" for name in ENV_FILES}
    for name in ENV_FILES:
        assert read_env(name)
    assert "deploy/env/*.env" in (ROOT / ".gitignore").read_text().splitlines()
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|AUTH|SECRET|KEY|DATABASE_(CONNECTION_)?URL", variable)
            assert "@" not in value


def test_passwords_and_addresses_in_the_examples_fit_together() -> None:
    postgres, server = read_env("postgres.env"), read_env("server.env")
    login = f"{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}@postgres:5432"
    prefect = server["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert prefect == f"postgresql+asyncpg://{login}/{postgres['POSTGRES_DB']}"
    script = (ROOT / "deploy/postgres/sentinel.sql").read_text()
    created = re.findall(r"^CREATE DATABASE (\w+);", script, re.MULTILINE)
    for name in ("sentinel.env", "viewer.env"):
        assert read_env(name)["SENTINEL_DATABASE_URL"] == f"postgresql://{login}/{created[0]}"
    auth = read_env("sentinel.env")["PREFECT_API_AUTH_STRING"]
    assert auth == server["PREFECT_SERVER_API_AUTH_STRING"]


def test_every_variable_is_a_setting() -> None:
    names = {name for service in SERVICES.values() for name in service.get("environment", {})}
    assert_variables_exist(names | {name for file in ENV_FILES for name in read_env(file)})


def test_every_command_exists() -> None:
    counted = sum(assert_commands_exist(command(service)) for service in SERVICES.values())
    assert counted == 10


def test_clients_find_the_server_and_its_health_is_asked_where_it_listens() -> None:
    [port] = SERVICES["server"]["ports"]
    number = port.split(":")[1]
    assert number in SERVICES["server"]["command"]
    for name in ("deploy", "worker"):
        assert SERVICES[name]["environment"]["PREFECT_API_URL"] == f"http://server:{number}/api"
    assert f"127.0.0.1:{number}/api/health" in SERVICES["server"]["healthcheck"]["test"][-1]
    assert "8501" in SERVICES["blotter"]["command"]
    assert "8502" in SERVICES["api"]["command"]
    assert "--with-healthcheck" in SERVICES["worker"]["command"]


def test_the_worker_and_the_deploy_see_the_project_in_the_same_place() -> None:
    assert SERVICES["worker"]["volumes"] == SERVICES["deploy"]["volumes"]
    assert SERVICES["worker"]["volumes"][0].endswith(":/srv/alerts:ro")
    assert "\nWORKDIR /srv/alerts\n" in (ROOT / "Dockerfile").read_text()
