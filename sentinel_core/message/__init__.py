"""Messages: content rendered in each channel's words and markup. Pure; sends nothing."""

from sentinel_core.message.check_templates import check_templates
from sentinel_core.message.content import About, Content, Item, Links, Medium, Message
from sentinel_core.message.escaping import slack_escape
from sentinel_core.message.render import render
from sentinel_core.wording.text import shorten, value_against_threshold

__all__ = [
    "About",
    "Content",
    "Item",
    "Links",
    "Medium",
    "Message",
    "check_templates",
    "render",
    "shorten",
    "slack_escape",
    "value_against_threshold",
]
