"""The blotter's server: Streamlit with the settings that are shipped with the page.

Streamlit takes settings from the current folder, which may be that of any project. So it runs in
the folder that holds Sentinel's packages, and is given its settings.
"""

import importlib.util
import logging
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentinel_core.base import logs
from sentinel_core.base.errors import SetupError
from sentinel_core.base.settings import get_settings
from sentinel_core.up.process import listens

_VIEWER = Path(__file__).parents[2] / "viewer"


def serve(port: int | None, address: str | None, *, read_only: bool = False) -> None:
    """Serve the blotter until it is stopped. Raises SetupError where the port is busy.

    The arguments count first, then Streamlit's environment variables, then the shipped settings.
    """
    from streamlit.web.cli import main

    if port is not None and listens(port):
        raise SetupError(
            f"port {port} is busy: stop what listens there, or choose another with --port"
        )

    if read_only:
        os.environ["SENTINEL_VIEWER_READ_ONLY"] = "true"
        get_settings.cache_clear()
    _import_viewer()
    os.chdir(_VIEWER.parent)
    options = ["--server.port", str(port)] if port is not None else []
    options += ["--server.address", address] if address is not None else []
    if logs.wanted():
        _log_json()
    command = ["run", str(_VIEWER / "app.py"), *options]
    main(command, prog_name="streamlit", default_map={"run": dict(shipped_settings())})


def _log_json() -> None:
    """Have Streamlit log JSON: it gives each of its loggers a handler of its own."""
    from streamlit import logger as streamlits

    def setup_formatter(logger: logging.Logger) -> None:
        own = "streamlit_console_handler"  # the name by which Streamlit knows it
        if hasattr(logger, own):
            logger.removeHandler(getattr(logger, own))
        setattr(logger, own, logs.Stream())
        logger.addHandler(getattr(logger, own))

    setattr(streamlits, "setup_formatter", setup_formatter)  # noqa: B010
    streamlits.update_formatter()
    sys.stdout = logs.Lines("viewer", sys.stdout)


def shipped_settings() -> Iterator[tuple[str, Any]]:
    """The settings of viewer/streamlit.toml by the names of `streamlit run`'s parameters."""
    return _flat(tomllib.loads((_VIEWER / "streamlit.toml").read_text("utf-8")))


def _flat(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", value


def _import_viewer() -> None:
    """Import Sentinel's package `viewer`, even where another one comes first on the path."""
    file = _VIEWER / "__init__.py"
    spec = importlib.util.spec_from_file_location("viewer", file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["viewer"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
