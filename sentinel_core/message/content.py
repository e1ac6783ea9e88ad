"""The content of a message, before it is rendered for a medium. Pure data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Medium(StrEnum):
    """The kinds of messages; each channel takes one of them."""

    SLACK = "slack"  # Block Kit, with mrkdwn inside
    EMAIL = "email"  # plain text and HTML
    PAGERDUTY = "pagerduty"  # an Events API v2 payload
    MARKDOWN = "markdown"  # Teams, Discord, Mattermost
    PLAIN = "plain"  # all others
    SHORT = "short"  # a text message on a telephone


class About(StrEnum):
    """The subject of a message."""

    EVENTS = "events"  # one event, or a group
    STORM = "storm"  # too many events to send individually
    STORM_GROWN = "storm-grown"  # more of it, or something else
    STORM_ENDED = "storm-ended"
    STORM_RESOLVED = "storm-resolved"  # all of its events, after it ended
    REPORT = "report"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Item:
    """One event in a message: its columns by name, and the reason for the notification.

    `history` are the latest values of the series as (time, value), oldest first.
    """

    event: Mapping[str, Any]
    reason: str
    history: Sequence[tuple[datetime, float]] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a message may show. `facts` are a storm's counts or a report's figures.

    `templates` are the rule's own, by medium: {"slack": {"title": …, "body": …}}.
    `at` is the time of the message, for durations such as "not acknowledged after 2 h".
    """

    about: About = About.EVENTS
    items: tuple[Item, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the pages, without a slash at the end."""

    viewer_url: str
    prefect_ui_url: str

    def event(self, event_id: int) -> str:
        """The event's page in the blotter."""
        return f"{self.viewer_url}/?event={event_id}"

    def flow_run(self, flow_run_id: object) -> str:
        """The flow run's page in Prefect."""
        return f"{self.prefect_ui_url}/runs/flow-run/{flow_run_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message: one line of `subject` and a text `body`, in the medium's own markup.

    `payload` is further content for Slack or PagerDuty (see to_slack.py, to_pagerduty.py), `html`
    an email's HTML part, `images` its pictures by cid.
    """

    subject: str
    body: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    html: str | None = None
    images: Mapping[str, bytes] = field(default_factory=dict)
