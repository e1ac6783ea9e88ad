"""The demo keeps to itself: its folder, its environment, its ports."""

import socket
from pathlib import Path

import pytest

from sentinel_core.base.errors import SetupError
from sentinel_core.demo.system import Ports, isolated, workspace
from tests.support.processes import free_port


def test_nothing_of_the_environment_leads_elsewhere(tmp_path: Path) -> None:
    real = {
        "PATH": "/bin",
        "PREFECT_API_URL": "https://prefect.example.com/api",
        "PREFECT_API_KEY": "secret",
        "PREFECT_HOME": "/home/ana/.prefect",
        "SENTINEL_DATABASE_URL": "postgresql://db/real",
        "SENTINEL_HOSTS_DENY": "private",
        "STREAMLIT_SERVER_PORT": "80",
    }
    made = isolated(real, tmp_path, Ports(1, 2, 3))
    assert made["PATH"] == "/bin"
    assert made["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert made["SENTINEL_DATABASE_URL"] == f"sqlite:///{tmp_path}/sentinel.db"
    assert not {"PREFECT_API_KEY", "SENTINEL_HOSTS_DENY", "STREAMLIT_SERVER_PORT"} & made.keys()
    assert not any("/home/ana" in value or "real" in value for value in made.values())


def test_a_temporary_folder_is_gone_at_the_end_also_after_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), workspace(None) as folder:
        (folder / "file").write_text("x")
        raise KeyboardInterrupt
    assert not folder.exists()


def test_a_folder_to_keep_stays_and_must_be_empty(tmp_path: Path) -> None:
    new = tmp_path / "new" / "folder"
    with workspace(new) as folder:
        (folder / "file").write_text("x")
    assert (new / "file").exists()
    for used in (new, new / "file"):
        with pytest.raises(SetupError, match="not an empty folder"), workspace(used):
            pass


def test_a_busy_port_is_named_with_its_option() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        Ports(free_port(), free_port(), free_port()).require_free()
        with pytest.raises(SetupError, match=f"port {taken} is busy.*--viewer-port"):
            Ports(free_port(), taken, free_port()).require_free()
