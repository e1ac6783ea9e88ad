"""Rule files are checked with the example flows."""

from tests.support.example_flows import examples_imported_once

__all__ = ["examples_imported_once"]
