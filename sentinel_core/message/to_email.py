"""A document as an email: a subject, plain text, and HTML with the chart inside. Pure."""

from sentinel_core.message.charts import series_chart
from sentinel_core.message.content import Medium, Message
from sentinel_core.message.document import Document
from sentinel_core.message.templating import Writer
from sentinel_core.message.to_text import body

CHART = "chart"  # shown in the HTML as cid:chart


def message(document: Document, writer: Writer) -> Message:
    """Text and HTML with the same content; `images` has the PNG the HTML shows as `cid:chart`."""
    picture = document.chart or series_chart(document.history, document.threshold, document.unit)
    writer.more = {"chart": f"cid:{CHART}" if picture else "", "chart_text": document.chart_text}
    subject = writer.write("subject")
    # Both parts list the templates that failed, so both are written before the notes are used.
    own_text, own_html = writer.written_by_rule("text"), writer.written_by_rule("html")
    if own_text is None:
        text = body(document, Medium.EMAIL, writer.standard("text"), writer.notes)
    else:
        text = "\n\n".join([own_text, *(f"⚠️ {note}" for note in writer.notes)])
    html = own_html or writer.standard("html")
    shows_chart = picture is not None and f"cid:{CHART}" in html
    return Message(
        subject=subject,
        body=text,
        html=html,
        images={CHART: picture} if picture and shows_chart else {},
    )
