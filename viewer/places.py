"""The pages of the viewer: their addresses, titles and icons."""

from dataclasses import dataclass

from streamlit import config

PRODUCT = "Sentinel"


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its address below the viewer's root, and what the navigation says of it."""

    address: str
    title: str
    icon: str

    @property
    def script(self) -> str:
        """The file that draws it. Of a folder `pages` Streamlit makes a navigation of its own."""
        return f"scripts/{self.title.lower()}.py"


BLOTTER = Place("", "Blotter", ":material/notifications:")
EVENT = Place("event", "Event", ":material/article:")
PLACES = (
    BLOTTER,
    Place("history", "History", ":material/history:"),
    EVENT,
    Place("rules", "Rules", ":material/rule:"),
    Place("activity", "Activity", ":material/list_alt:"),
    Place("system", "System", ":material/monitor_heart:"),
)


def root() -> str:
    """The path below which all pages are: empty, or as in `/alerts`."""
    path = (config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""
