"""`sentinel docs`: the pages of the documentation, which the package brings."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import sentinel_core
from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import Json
from sentinel_core.cli.output import print_json, print_table
from sentinel_core.cli.parse import quoted

_PACKAGE = Path(sentinel_core.__file__).parent


def docs(
    page: Annotated[
        str | None, Parameter(help="notifications, disk_usage, …; without it, all pages.")
    ] = None,
    /,
    *,
    as_json: Json = False,
) -> int:
    """Show a page of the documentation, or list the pages.

    Messages that name docs/notifications.md mean `sentinel docs notifications`. In a pipe it is
    Markdown as it is written.
    """
    pages = _pages()
    if page is not None:
        name = page.strip().removeprefix("docs/").removesuffix(".md")
        _show(_found(name, pages).read_text(encoding="utf-8"), page, as_json=as_json)
        return 0
    titles = {name: _title(path) for name, path in pages.items()}
    if as_json:
        print_json([{"page": name, "title": title} for name, title in titles.items()])
    else:
        print_table(["page", "title"], [[name, title] for name, title in titles.items()])
    return 0


def _show(text: str, page: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"page": page, "text": text})
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        # Without a pager: `less` shows escape sequences as text unless it is told otherwise.
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")
        console = Console(color_system=None if plain else "auto")
        console.print(Markdown(text, hyperlinks=False))
    else:
        print(text, end="")


def _pages() -> dict[str, Path]:
    """The pages by name, such as `notifications` and `triggers/disk_usage`; the index first.

    Also the history of changes, which is no page of the folder in a checkout.
    """
    installed, checkout = _PACKAGE / "docs", _PACKAGE.parent / "docs"
    folder = installed if installed.is_dir() else checkout
    found = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.md")
    }
    found.setdefault("changelog", _PACKAGE.parent / "CHANGELOG.md")
    return dict(sorted(found.items(), key=lambda item: (item[0] != "index", item[0])))


def _found(name: str, pages: dict[str, Path]) -> Path:
    """The page of that name; the folder of a page need not be said. Raises UsageError."""
    for candidate in (name, name.lower(), name.replace("-", "_")):
        for known, path in pages.items():
            if candidate in (known, known.rpartition("/")[2]):
                return path
    close = difflib.get_close_matches(name, [known.rpartition("/")[2] for known in pages], 1)
    hint = f"; did you mean {close[0]}?" if close else "; `sentinel docs` lists all"
    raise UsageError(f"there is no page {quoted(name)}{hint}")


def _title(path: Path) -> str:
    first = next(iter(path.read_text(encoding="utf-8").splitlines()), "")
    return first.removeprefix("#").strip().replace("`", "")
