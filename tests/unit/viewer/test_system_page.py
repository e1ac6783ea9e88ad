"""The page System without a Prefect server: what is down is said, secrets are not."""

import pytest

from tests.support.app_pages import RunPage, words


@pytest.fixture
def without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")


@pytest.mark.usefixtures("without_prefect")
def test_each_component_has_a_state_and_a_sentence(page: RunPage) -> None:
    text = words(page("system"))
    assert ":red-badge[:material/error: down]" in text
    assert "does not answer" in text
    assert "**store** :gray[" in text
    assert "Start it with `prefect server start`" in text


@pytest.mark.usefixtures("without_prefect")
def test_settings_have_their_origin_and_no_secrets(
    page: RunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_SLACK_API_URL", "https://someone:hunter2@slack.example/api")
    settings = page("system").dataframe[0].value.set_index("Setting")
    assert settings.loc["SENTINEL_SLACK_API_URL", "Comes from"] == "environment"
    assert settings.loc["SENTINEL_VIEWER_URL", "Comes from"] == "default"
    assert "hunter2" not in settings.to_string()


@pytest.mark.usefixtures("without_prefect")
def test_a_sync_that_fails_says_why(page: RunPage) -> None:
    app = page("system")
    [sync] = [button for button in app.button if button.label == "Sync now"]
    sync.click().run()
    assert not app.exception
    assert "Not synchronized" in words(app)
