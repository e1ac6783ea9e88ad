"""The medium of a channel, by its block's type. Pure: loads nothing."""

from sentinel_core.message.content import Medium

_MEDIA = {
    "slack-incoming-webhook": Medium.SLACK,
    "slack-credentials": Medium.SLACK,
    "slack-webhook": Medium.SLACK,
    "email-server-credentials": Medium.EMAIL,
    "sendgrid-email": Medium.EMAIL,
    "pager-duty-webhook": Medium.PAGERDUTY,
    "ms-teams-webhook": Medium.MARKDOWN,
    "discord-webhook": Medium.MARKDOWN,
    "mattermost-webhook": Medium.MARKDOWN,
    "twilio-sms": Medium.SHORT,
}


def medium_of(channel: str) -> Medium:
    """The medium of `block-type/block-name`; plain text for an unknown type."""
    return _MEDIA.get(block_type(channel), Medium.PLAIN)


def block_type(channel: str) -> str:
    """The slug of the block's type: the part before the slash."""
    return channel.partition("/")[0]
