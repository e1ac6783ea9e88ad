"""The settings that the blotter is started with."""

import socket

import pytest
from click import Context
from streamlit import config
from streamlit.web.cli import main_run

from sentinel_core.up.viewer import shipped_settings
from tests.support.command import refused_here


def test_a_busy_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert refused_here(capsys, "viewer", "--port", str(port)) == (
            f"port {port} is busy: stop what listens there, or choose another with --port"
        )


def test_every_setting_is_a_parameter_of_streamlits_command() -> None:
    known = {parameter.name for parameter in main_run.params}
    assert {name for name, _ in shipped_settings()} <= known


def test_an_option_goes_before_a_variable_and_that_before_what_is_shipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "192.0.2.1")
    monkeypatch.setenv("STREAMLIT_CLIENT_TOOLBAR_MODE", "viewer")
    options = ["app.py", "--server.address", "192.0.2.2"]
    context = Context(main_run, info_name="run", default_map=dict(shipped_settings()))
    main_run.parse_args(context, options)
    found = context.params
    assert found["server_address"] == "192.0.2.2"
    assert found["client_toolbarMode"] == "viewer"
    assert found["runner_postScriptGC"] is False
    assert found["theme_light_primaryColor"] == "#0969da"
    assert "runner.postScriptGC" in config.get_config_options()
