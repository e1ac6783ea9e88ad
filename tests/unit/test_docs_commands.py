"""Commands in the shell blocks of the pages exist, with these options."""

import re

import pytest

from tests.support.deploy_files import assert_commands_exist
from tests.support.pages import DOCS

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPTS = {
    f"{page.relative_to(DOCS)}-{number}": block
    for page in sorted(DOCS.rglob("*.md"))
    for number, block in enumerate(_BLOCK.findall(page.read_text("utf-8")))
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_command_exists(script: str) -> None:
    assert_commands_exist(script)


def test_there_are_commands_to_look_at() -> None:
    assert sum(map(assert_commands_exist, SCRIPTS.values())) > 20
