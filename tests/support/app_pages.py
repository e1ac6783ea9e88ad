"""Pages of the viewer as Streamlit's AppTest runs them, and what they say."""

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from tests.support.processes import ROOT

RunPage = Callable[..., AppTest]

# Each run of a page reads what every installed package says of itself, 0.2 s: it stays the same.
manifest_scanner.scan_component_manifests = cache(  # type: ignore[assignment]
    manifest_scanner.scan_component_manifests
)


def run_page(name: str, **params: str | list[str]) -> AppTest:
    """The page of this name, run with these query parameters; nothing of it raised."""
    app = AppTest.from_file(str(ROOT / "viewer" / "scripts" / f"{name}.py"), default_timeout=30)
    for key, value in params.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def source(app: AppTest) -> str:
    """Everything written on the page, as markdown."""
    parts = [*app.markdown, *app.info, *app.warning, *app.error, *app.success, *app.caption]
    return "\n".join(str(part.value) for part in parts)


def words(app: AppTest) -> str:
    """Everything written on the page as people read it."""
    return source(app).replace("\\", "").replace("\N{WORD JOINER}", "")


def labels_of_popovers(block: Any) -> list[str]:
    """The labels of the buttons that open filters."""
    own = block.proto.popover.label if getattr(block, "type", "") == "popover" else ""
    inside = [labels_of_popovers(child) for child in getattr(block, "children", {}).values()]
    return [label for label in (own, *chain(*inside)) if label]
