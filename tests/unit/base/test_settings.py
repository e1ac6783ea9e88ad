"""Where things are, as the environment says."""

import getpass
from pathlib import Path

import pytest
from pydantic import ValidationError

from sentinel_core.base.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SENTINEL_DATABASE_URL", "PREFECT_API_URL", "PREFECT_UI_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def test_by_default_the_store_is_a_file_in_the_users_data_folder(tmp_path: Path) -> None:
    url = Settings().database_url
    assert url.startswith(f"sqlite:///{tmp_path}")
    assert url.endswith("/sentinel/sentinel.db")


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("sqlite:////var/lib/sentinel.db", "sqlite:////var/lib/sentinel.db"),
        ("sqlite:////var/lib/sentinel.db?timeout=5", "sqlite:////var/lib/sentinel.db?timeout=5"),
        ("postgresql://u:p@db/alerts", "postgresql+psycopg://u:p@db/alerts"),
        ("postgres://u:p@db:5433/alerts", "postgresql+psycopg://u:p@db:5433/alerts"),
        ("postgresql+psycopg://db/a?sslmode=require", "postgresql+psycopg://db/a?sslmode=require"),
        ("postgresql:///a?host=/run/pg", "postgresql+psycopg:///a?host=/run/pg"),
    ],
)
def test_both_kinds_of_database_are_understood(
    monkeypatch: pytest.MonkeyPatch, given: str, understood: str
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", given)
    assert Settings().database_url == understood


def test_a_path_may_begin_at_home(tmp_path: Path) -> None:
    assert Settings(database_url="sqlite:///~/s.db").database_url == f"sqlite:///{tmp_path}/s.db"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hunter2@db/alerts", "starts with 'mysql'"),
        ("postgresql+asyncpg://u:hunter2@db/alerts", "starts with 'postgresql"),
        ("hunter2", "expected sqlite:///path or postgresql://"),
        ("sqlite", "expected sqlite:///path"),
        ("postgresql://u:hunter2@db:port/alerts", "port in the database URL is not a number"),
        ("sqlite://", "absolute/path"),
        ("sqlite:///:memory:", "absolute/path"),
        ("sqlite:///sentinel.db", "absolute/path"),
    ],
)
def test_a_database_url_that_cannot_work_is_refused_and_no_password_is_shown(
    url: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(database_url=url)
    assert words in str(caught.value)
    if "://" in url:
        assert "hunter2" not in str(caught.value)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "")
    monkeypatch.setenv("SENTINEL_NOTIFY_TIMEOUT_SECONDS", "")
    monkeypatch.setenv("PREFECT_API_URL", "")
    found = Settings()
    assert found.database_url.startswith("sqlite:///")
    assert found.notify_timeout_seconds == 10
    assert found.prefect_ui_url == "http://127.0.0.1:4200"


@pytest.mark.parametrize("seconds", ["0", "-1", "61", "soon"])
def test_a_message_may_take_some_time_but_less_than_a_claim_holds(
    monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("SENTINEL_NOTIFY_TIMEOUT_SECONDS", seconds)
    with pytest.raises(ValidationError, match="notify_timeout_seconds"):
        Settings()


@pytest.mark.parametrize(
    ("variables", "ui"),
    [
        ({"PREFECT_API_URL": "http://prefect:4200/api"}, "http://prefect:4200"),
        ({"PREFECT_API_URL": "http://prefect:4200/api/"}, "http://prefect:4200"),
        ({"PREFECT_API_URL": "http://a/api", "PREFECT_UI_URL": "https://ui/"}, "https://ui"),
        ({"PREFECT_UI_URL": "https://ui", "SENTINEL_PREFECT_UI_URL": "https://x"}, "https://x"),
        ({}, "http://127.0.0.1:4200"),
    ],
)
def test_links_lead_to_the_prefect_ui_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], ui: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = Settings()
    assert found.flow_run_url("abc") == f"{ui}/runs/flow-run/abc"
    assert found.deployment_url("abc") == f"{ui}/deployments/deployment/abc"


def test_the_link_to_an_event_leads_to_the_viewer() -> None:
    assert Settings(viewer_url="https://alerts/").event_url(7) == "https://alerts/?event=7"


def test_a_user_without_a_name_can_still_record(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987_654_321)  # as in a container with any user id
    with pytest.raises(KeyError):
        getpass.getuser()
    assert Settings().user == "unknown"


def test_the_settings_of_a_process_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = get_settings()
    monkeypatch.setenv("SENTINEL_VIEWER_URL", "https://elsewhere")
    assert get_settings() is first


def test_what_rules_may_read_is_listed_by_commas_and_folders_as_in_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SENTINEL_ENV_ALLOW", "SHOP_TOKEN, SHOP_DB_*,")
    monkeypatch.setenv("SENTINEL_SOURCE_ROOTS", "/srv/quotes:~/feeds:")
    monkeypatch.setenv("SENTINEL_HOSTS_DENY", "private,*.example.com")
    monkeypatch.setenv("SENTINEL_HOSTS_ALLOW", "10.1.0.0/16 , fd00::/8")
    found = Settings()
    assert found.env_allow == ("SHOP_TOKEN", "SHOP_DB_*")
    assert found.source_roots == (Path("/srv/quotes"), tmp_path / "feeds")
    assert found.hosts_deny == ("private", "*.example.com")
    assert found.hosts_allow == ("10.1.0.0/16", "fd00::/8")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("env_allow", ("A*B",), "\\* only at their ends"),
        ("env_allow", ("A B",), "expected names of variables"),
        ("source_roots", (Path("data"),), "expected absolute paths"),
        ("hosts_deny", ("10.0.0.0/33",), "10.0.0.0/33"),
        ("hosts_deny", ("http://host/",), "expected a host, not a URL"),
        ("hosts_allow", ("10.0.0/x",), "10.0.0/x"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({name: value})
