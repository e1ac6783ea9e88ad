"""From what is to be told to a message as a channel takes it. Pure; sends nothing."""

from collections.abc import Mapping

from sentinel_core.message import event_document as about_events
from sentinel_core.message import other_documents as about_others
from sentinel_core.message import to_email as mail
from sentinel_core.message import to_pagerduty as pagerduty
from sentinel_core.message import to_slack as slack
from sentinel_core.message import to_sms as short
from sentinel_core.message.content import About, Content, Links, Medium, Message
from sentinel_core.message.document import Document
from sentinel_core.message.event_view import view
from sentinel_core.message.templating import Writer
from sentinel_core.message.to_text import body


def render(medium: Medium, content: Content, links: Links) -> Message:
    """The message of `content` in the markup of `medium`.

    Nothing in it that came from outside is interpreted there. `subject` is one line in the medium's
    markup and `body` does not repeat it; a short message has no subject. What `payload` holds is
    described where it is made: `slack.message`, `pagerduty.message`.
    """
    told = document(content, links)
    writer = Writer(medium, told, _own(content, medium))
    if medium is Medium.SLACK:
        return slack.message(told, writer)
    if medium is Medium.EMAIL:
        return mail.message(told, writer)
    if medium is Medium.PAGERDUTY:
        return pagerduty.message(told, writer, links)
    if medium is Medium.SHORT:
        return short.message(told, writer)
    title, said = writer.write("title"), writer.write("body")
    return Message(subject=title, body=body(told, medium, said, writer.notes))


def document(content: Content, links: Links) -> Document:
    """What a message says, whatever it is about, before it has a markup."""
    if content.about is About.EVENTS:
        views = tuple(view(item, content, links) for item in content.items)
        if not views:
            raise ValueError("a message about events tells of at least one")
        if len(views) == 1:
            return about_events.single(views[0], content.items[0])
        return about_events.group(views, links)
    if content.about is About.REPORT:
        return about_others.report(content.facts, links)
    if content.about is About.TEST:
        return about_others.test(content.facts, links)
    return about_others.storm(content.facts, links, ended=content.about is About.STORM_ENDED)


def _own(content: Content, medium: Medium) -> Mapping[str, str]:
    """The rule's own templates for a medium; only events have a rule."""
    return content.templates.get(medium.value, {}) if content.about is About.EVENTS else {}
