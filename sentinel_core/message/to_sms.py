"""A document in one short line, for a telephone. Pure."""

from sentinel_core.message.content import Message
from sentinel_core.message.document import Document
from sentinel_core.message.templating import Writer


def message(document: Document, writer: Writer) -> Message:
    """The text with a link, without a subject: text messages have none."""
    text = writer.write("body")
    url = document.links[0][1] if document.links else ""
    failed = "(the rule's template failed)" if writer.notes else ""
    return Message(subject="", body=" ".join(part for part in (text, failed, url) if part))
