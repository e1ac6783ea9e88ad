"""Commands are imported when used; their help is complete before that."""

import subprocess
import sys

import pytest

from sentinel_core.cli import app, main

GROUPS = ("rules", "sla", "triggers", "events", "silences", "channels", "db")


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_of_a_group_can_be_imported_and_has_a_help(group: str) -> None:
    for name, command in app[group].resolved_commands().items():
        if not name.startswith("-"):
            assert command.default_command is not None, name
            assert command.help, name


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_has_a_line_for_each_command(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([group, "--help"])
    assert exit_.value.code == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, command in app[group].resolved_commands().items():
        if not name.startswith("-"):
            first = " ".join(command.help.split("\n\n")[0].replace("`", "").split())
            assert f"{name} {first}" in out


def test_the_command_starts_without_prefect_and_without_the_store() -> None:
    code = "import sys; import sentinel_core.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"prefect", "sqlalchemy", "streamlit"} & set(loaded.stdout.split())


@pytest.mark.parametrize("group", GROUPS)
def test_an_option_that_may_be_repeated_has_no_option_for_an_empty_list(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in app[group].resolved_commands():
        if not name.startswith("-"):
            with pytest.raises(SystemExit):
                main([group, name, "--help"])
    assert "--empty-" not in capsys.readouterr().out
