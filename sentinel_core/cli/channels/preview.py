"""`sentinel channels preview`: a rule's message as its channels would get it. Sends nothing."""

import base64
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sentinel_core.base.errors import RuleFileError, SentinelError, UsageError
from sentinel_core.cli.options import RULE_FILE, RuleFilePath, RuleName
from sentinel_core.cli.parse import id_of
from sentinel_core.cli.rules.checked import find_rule
from sentinel_core.cli.store import event_store, settings
from sentinel_core.message.check_templates import example
from sentinel_core.message.content import Content, Item, Links, Medium, Message
from sentinel_core.message.render import render
from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.routing import suggested_action
from sentinel_core.model.rule import RuleSettings
from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import event_detail, latest_values
from sentinel_core.store.read.filters import EventFilter

_NO_EVENT = "opened"


def preview(
    rule: RuleName,
    *,
    medium: Annotated[
        Literal["slack", "email", "pagerduty", "markdown", "plain", "short"] | None,
        Parameter(help="The kind of message; without it, each kind that the rule's channels take."),
    ] = None,
    event: Annotated[
        str | None,
        Parameter(help="The id of the event to show, as `sentinel events list` prints it."),
    ] = None,
    file: RuleFilePath = RULE_FILE,
    html: Annotated[
        Path | None,
        Parameter(help="Write the HTML of an email into this file, pictures included."),
    ] = None,
) -> None:
    """Show a rule's message as its channels would get it. Nothing is sent.

    With the rule's own templates, about its newest recorded event; about an example while there is
    none. Slack's and PagerDuty's messages are printed as JSON, others as text.

    `sentinel channels preview disk-nearly-full --medium slack`

    `sentinel channels preview disk-nearly-full --html mail.html`
    """
    if html is not None and medium not in (None, Medium.EMAIL.value):
        raise UsageError(f"--html is for emails, and --medium {medium} has none")
    if not file.exists():
        raise RuleFileError(
            f"there is no rule file {file}: run this in the project's folder, or name it with "
            "--file"
        )
    found = find_rule(rule, file)
    wanted = rule_settings(dict(found.entry.config.get("parameters") or {}), found.schema)
    item = _item(rule, wanted, event)
    own = settings()
    content = Content(items=(item,), templates=wanted.templates, at=datetime.now(UTC))
    if html is not None:
        media = [Medium.EMAIL]
    elif medium is not None:
        media = [Medium(medium)]
    else:
        media = _media(wanted, Importance(str(item.event["importance"])))
    for kind in media:
        message = render(kind, content, Links(own.viewer_url, own.prefect_ui_url))
        if html is not None:
            _write(html, message)
        else:
            _print(kind, message, several=len(media) > 1)


def _media(rule: RuleSettings, level: Importance) -> list[Medium]:
    """The kinds of messages of the rule's channels; Slack's when it has none."""
    routes = rule.notify.routes(level) or list(rule.notify.every())
    routes += [route for step in rule.escalation.steps(level) for route in step.channels]
    if not routes:
        _note("the rule notifies nobody (it has no notify): this is what Slack would get")
    return list(dict.fromkeys(medium_of(route.channel) for route in routes)) or [Medium.SLACK]


def _item(name: str, rule: RuleSettings, event: str | None) -> Item:
    if event is not None:
        return _stored(name, id_of("event", event))
    newest = EventFilter(rules=frozenset({name}))
    try:
        with event_store() as engine:
            rows = event_list.page(engine, newest, now=datetime.now(UTC), size=1).rows
    except SentinelError as error:
        _note(f"an example event: {error}")
        return _example(name, rule)
    if not rows:
        _note(f"an example event, as none of {name} is recorded yet")
        return _example(name, rule)
    return _stored(name, int(rows[0]["id"]))


def _stored(name: str, event_id: int) -> Item:
    """A recorded event. Raises UsageError when there is none, or it is another rule's."""
    with event_store() as engine:
        found = event_detail(engine, event_id)
        if found is None:
            raise UsageError(
                f"there is no event {event_id}: `sentinel events list --rule {name}` shows what "
                "there is"
            )
        history = latest_values(engine, found.event)
    if found.event["rule_name"] != name:
        raise UsageError(
            f"event {event_id} is of the rule {clean_text(found.event['rule_name'])!r}, not of "
            f"{name!r}"
        )
    _note(f"event {event_id} of {name}")
    reason = "resolved" if found.event["resolved_at"] is not None else _NO_EVENT
    return Item(found.event, reason, history)


def _example(name: str, rule: RuleSettings) -> Item:
    made = example()
    event: dict[str, Any] = {
        **made.event,
        "rule_name": name,
        "importance": rule.importance.value,
        "category": rule.category,
        "runbook": rule.runbook,
        "suggested_action": suggested_action(rule.suggestions, str(made.event["message"])),
    }
    return Item(event, made.reason, made.history)


def _print(medium: Medium, message: Message, *, several: bool) -> None:
    if several:
        print(f"--- {medium.value}")
    if medium in (Medium.SLACK, Medium.PAGERDUTY):
        print(json.dumps(_plain(message.payload), indent=2, ensure_ascii=False))
        return
    subject = f"Subject: {message.subject}" if medium is Medium.EMAIL else message.subject
    print(clean_text(f"{subject}\n\n{message.body}".strip()))


def _plain(value: Any) -> Any:
    """Texts that a terminal only shows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def _write(file: Path, message: Message) -> None:
    """The email's HTML, its pictures inside, so that a browser shows it as a mail program would."""
    page = message.html or ""
    for name, picture in message.images.items():
        data = base64.b64encode(picture).decode()
        page = page.replace(f"cid:{name}", f"data:image/png;base64,{data}")
    try:
        file.write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror or error}") from error
    print(f"{file} written: {clean_text(message.subject)}")


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
