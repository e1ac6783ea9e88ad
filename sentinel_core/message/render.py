"""Renders content as a message in a channel's medium. Pure; sends nothing."""

from sentinel_core.message import (
    event_document,
    other_documents,
    storm_document,
    to_email,
    to_pagerduty,
    to_slack,
)
from sentinel_core.message.content import About, Content, Links, Medium, Message
from sentinel_core.message.document import Document
from sentinel_core.message.event_view import view
from sentinel_core.message.templating import Writer
from sentinel_core.message.to_text import body


def render(medium: Medium, content: Content, links: Links) -> Message:
    """The message of `content` in the markup of `medium`.

    Text from outside is never interpreted as markup. `body` does not repeat the subject; a short
    message has none.
    """
    shown = document(content, links)
    # Only messages about events have a rule, whose templates they use.
    own = content.templates.get(medium.value, {}) if content.about is About.EVENTS else {}
    writer = Writer(medium, shown, own)
    if medium is Medium.SLACK:
        return to_slack.message(shown, writer)
    if medium is Medium.EMAIL:
        return to_email.message(shown, writer)
    if medium is Medium.PAGERDUTY:
        return to_pagerduty.message(shown, writer, links)
    if medium is Medium.SHORT:  # text messages have no subject
        text = writer.write("body")
        failed = "(the rule's template failed)" if writer.notes else ""
        url = shown.links[0][1] if shown.links else ""
        return Message(subject="", body=" ".join(part for part in (text, failed, url) if part))
    title, text = writer.write("title"), writer.write("body")
    return Message(subject=title, body=body(shown, medium, text, writer.notes))


def document(content: Content, links: Links) -> Document:
    """The document of `content`: its message before any markup."""
    if content.about is About.EVENTS:
        views = tuple(view(item, content, links) for item in content.items)
        if not views:
            raise ValueError("a message about events needs at least one event")
        if len(views) == 1:
            return event_document.single(views[0], content.items[0])
        return event_document.group(views, links)
    if content.about is About.REPORT:
        return other_documents.report(content.facts, links)
    if content.about is About.TEST:
        return other_documents.test(content.facts, links)
    return storm_document.storm(content, links)
