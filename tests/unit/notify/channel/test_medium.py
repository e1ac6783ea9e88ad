"""Which kind of message a channel takes."""

import pytest
from prefect.blocks import notifications
from prefect.blocks.core import Block

from sentinel_core.message.content import Medium
from sentinel_core.notify.channel.medium import block_type, medium_of


@pytest.mark.parametrize(
    ("channel", "medium"),
    [
        ("slack-incoming-webhook/alerts", Medium.SLACK),
        ("slack-credentials/bot", Medium.SLACK),
        ("slack-webhook/alerts", Medium.SLACK),
        ("email-server-credentials/office", Medium.EMAIL),
        ("sendgrid-email/office", Medium.EMAIL),
        ("pager-duty-webhook/primary", Medium.PAGERDUTY),
        ("ms-teams-webhook/ops", Medium.MARKDOWN),
        ("discord-webhook/ops", Medium.MARKDOWN),
        ("mattermost-webhook/ops", Medium.MARKDOWN),
        ("opsgenie-webhook/ops", Medium.PLAIN),
        ("twilio-sms/telephone", Medium.SHORT),
        ("custom-webhook/own", Medium.PLAIN),
        ("carrier-pigeon/alice", Medium.PLAIN),
        ("nonsense", Medium.PLAIN),
        ("", Medium.PLAIN),
    ],
)
def test_every_channel_takes_one_kind_of_message(channel: str, medium: Medium) -> None:
    assert medium_of(channel) is medium


def test_the_blocks_name_does_not_matter() -> None:
    assert medium_of("custom-webhook/slack-incoming-webhook") is Medium.PLAIN
    assert block_type("twilio-sms/a/b") == "twilio-sms"


def test_every_block_type_that_is_named_exists_in_prefect_or_its_collections() -> None:
    import prefect_email
    import prefect_slack

    from sentinel_core.notify.channel.medium import _MEDIA

    modules = (notifications, prefect_email, prefect_slack)
    classes = [item for module in modules for item in vars(module).values()]
    blocks = [item for item in classes if isinstance(item, type) and issubclass(item, Block)]
    assert set(_MEDIA) <= {block.get_block_type_slug() for block in blocks}
