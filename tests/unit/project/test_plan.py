"""What a folder gets, what is left as it is in it, and that nothing is written by halves."""

import os
from pathlib import Path

import pytest
import yaml

from sentinel_core.base.errors import SentinelError
from sentinel_core.project.plan import ProjectPlan, make_plan
from sentinel_core.project.template import deployments, files
from sentinel_core.project.write import write

THEIRS = "# ours since 2019\ndeployments:\n- name: nightly\n  entrypoint: flows/etl.py:nightly\n"
HOUSEKEEPING = [piece.name for piece in deployments().values() if not piece.is_rule]


def init(folder: Path) -> ProjectPlan:
    plan = make_plan(folder)
    write(plan)
    return plan


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def kept(plan: ProjectPlan) -> dict[str, str]:
    return {item.name: item.why for item in plan.kept}


def names(folder: Path) -> list[str]:
    return [
        item["name"]
        for item in yaml.safe_load((folder / "prefect.yaml").read_text())["deployments"]
    ]


def test_a_new_folder_is_the_template(tmp_path: Path) -> None:
    plan = init(tmp_path / "new" / "alerts")
    assert contents(plan.folder) == files()
    assert (plan.kept, plan.notes, plan.is_project) == ([], [], False)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path)
    again = init(tmp_path)
    assert (again.changes, again.kept, again.notes) == ([], [], [])


@pytest.mark.parametrize("line", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_project_keeps_every_byte_and_a_second_time_changes_nothing(
    tmp_path: Path, line: str, mark: bytes
) -> None:
    theirs = mark + THEIRS.replace("\n", line).encode()
    (tmp_path / "prefect.yaml").write_bytes(theirs)
    (tmp_path / "prefect.yaml").chmod(0o640)
    (tmp_path / "README.md").write_text("The shop.")
    init(tmp_path)
    after = (tmp_path / "prefect.yaml").read_bytes()
    for written in theirs.splitlines(keepends=True):
        assert written in after
    assert after.startswith(mark)
    assert after.count(b"\n") == after.count(line.encode())
    assert (tmp_path / "prefect.yaml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "README.md").read_text() == "The shop."
    assert names(tmp_path) == ["nightly", *deployments()]
    assert init(tmp_path).changes == []


def test_a_prefect_yaml_behind_a_link_is_changed_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(THEIRS)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "prefect.yaml").symlink_to(tmp_path / "real.yaml")
    init(tmp_path / "shop")
    assert (tmp_path / "shop" / "prefect.yaml").is_symlink()
    assert "reconcile" in (tmp_path / "real.yaml").read_text()


def test_a_deployment_of_the_same_name_is_left_alone_and_named(tmp_path: Path) -> None:
    theirs = (
        THEIRS.replace("nightly", "reconcile") + "- {name: disk-nearly-full, entrypoint: a.py:b}\n"
    )
    (tmp_path / "prefect.yaml").write_text(theirs)
    plan = init(tmp_path)
    assert names(tmp_path).count("reconcile") == names(tmp_path).count("disk-nearly-full") == 1
    assert "entrypoint: sentinel_core.flow.scheduled.reconcile" in kept(plan)["reconcile"]
    assert "this example is left out" in kept(plan)["disk-nearly-full"]
    assert not (tmp_path / "tests/rules/disk-nearly-full.yaml").exists()
    assert (tmp_path / "tests/rules/memory-high-3min.yaml").exists()
    assert init(tmp_path).changes == []


def test_housekeeping_under_another_name_is_not_added_twice(tmp_path: Path) -> None:
    entry = "- {name: tidy, entrypoint: sentinel_core.flow.scheduled.reconcile}\n"
    (tmp_path / "prefect.yaml").write_text("deployments:\n" + entry)
    init(tmp_path)
    assert "reconcile" not in names(tmp_path)


def test_a_file_of_flows_that_exists_decides_which_rules_are_added(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "system.py").write_text("import os\n")
    plan = init(tmp_path)
    assert names(tmp_path) == [n for n in deployments() if not n.startswith("disk-")]
    assert (tmp_path / "flows" / "system.py").read_text() == "import os\n"
    assert "`disk_usage = rule_flow(DiskUsage)`" in kept(plan)["disk-any-use"]
    # As the sentence says:
    (tmp_path / "flows" / "system.py").write_text("import os\ndisk_usage = os\n")
    init(tmp_path)
    assert sorted(names(tmp_path)) == sorted(deployments())


def test_files_that_most_projects_have_are_left_alone_with_what_to_add(tmp_path: Path) -> None:
    for name in (".gitignore", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("# theirs\n")
    plan = init(tmp_path)
    assert set(kept(plan)) == {".gitignore", "requirements.txt", "pyproject.toml"}
    assert "prefect-sentinel>=" in kept(plan)["requirements.txt"]
    assert (tmp_path / "pyproject.toml").read_text() == "# theirs\n"


def test_settings_of_pytest_in_another_file_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert "pyproject.toml" not in [change.path for change in init(tmp_path).changes]


def test_steps_that_the_new_deployments_inherit_are_named(tmp_path: Path) -> None:
    steps = "pull:\n- prefect.deployments.steps.git_clone: {repository: x}\n"
    steps += "build:\n- prefect_docker.deployments.steps.build_docker_image: {}\n"
    (tmp_path / "prefect.yaml").write_text(steps + THEIRS)
    pull, build = init(tmp_path).notes
    assert "(git_clone)" in pull
    assert "commit and push" in pull
    assert "(build_docker_image)" in build
    after = yaml.safe_load((tmp_path / "prefect.yaml").read_text())
    for item in after["deployments"][1:]:
        assert item.get("pull") == ([] if item["name"] in HOUSEKEEPING else None)


@pytest.mark.parametrize("name", ["triggers/__init__.py", "triggers.py", "flows/triggers.py"])
def test_what_would_hide_the_installed_triggers_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    [note] = init(tmp_path).notes
    assert note.startswith(f"{name} hides Sentinel's own triggers")


HOSTILE = {
    "prefect.yaml": {
        "broken": b"deployments: [",
        "tabs": b"deployments:\n\t- name: a\n",
        "in braces": b"{}",
        "a flow list": b"deployments: [{name: a}]\n",
        "an alias": b"x: &x []\ndeployments: *x\n",
        "UTF-16": "deployments:\n".encode("utf-16"),
        "Latin-1": "# für\n".encode("latin-1"),
        "a control character": b"name: \x07\n",
    },
    "flows": {"a file": b""},
    "tests": {"a file": b""},
}


@pytest.mark.parametrize(
    ("name", "content"),
    [(n, c) for n, cases in HOSTILE.items() for c in cases.values()],
    ids=[f"{n}: {case}" for n, cases in HOSTILE.items() for case in cases],
)
def test_what_can_not_be_added_to_is_refused_and_left_as_it_was(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SentinelError, match=name):
        init(tmp_path)
    assert contents(tmp_path) == {name: content}


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SentinelError, match="file"):
            init(folder)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    with pytest.raises(SentinelError, match=r"README\.md is a folder"):
        init(tmp_path)
    assert contents(tmp_path) == {}


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SentinelError, match="can't be a project's folder: File name too long"):
        init(tmp_path / ("n" * 300))
    assert contents(tmp_path) == {}


def test_when_the_last_file_can_not_be_written_the_others_are_removed(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    (tmp_path / "triggers").touch()  # came in between
    with pytest.raises(SentinelError, match="Nothing was changed"):
        write(plan)
    assert contents(tmp_path) == {"triggers": b""}
    assert [path.name for path in tmp_path.iterdir()] == ["triggers"]


def test_a_prefect_yaml_that_changed_in_between_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(THEIRS)
    plan = make_plan(tmp_path)
    (tmp_path / "prefect.yaml").write_text(THEIRS + "# more\n")
    with pytest.raises(SentinelError, match="has changed in the meantime"):
        write(plan)
    assert contents(tmp_path) == {"prefect.yaml": (THEIRS + "# more\n").encode()}


@pytest.mark.parametrize("linked", [True, False])
def test_files_of_the_same_folder_with_similar_names_are_not_touched(
    tmp_path: Path, linked: bool
) -> None:
    folder, victim = tmp_path / "shop", tmp_path / "victim"
    folder.mkdir()
    (folder / "prefect.yaml").write_text(THEIRS)
    victim.write_text("precious")
    other = folder / "prefect.yaml.sentinel-init"
    if linked:
        other.symlink_to(victim)
    else:
        other.write_text("precious")
    init(folder)
    assert victim.read_text() == other.read_text() == "precious"
    assert other.is_symlink() is linked
    assert [path.name for path in folder.glob("*.sentinel-init")] == [other.name]
    assert names(folder) == ["nightly", *deployments()]


@pytest.mark.parametrize("name", ["[a]", "{a: b}", "7", "~"])
def test_a_deployment_whose_name_is_no_text_hinders_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "prefect.yaml").write_text(f"deployments:\n- name: {name}\n")
    init(tmp_path)
    assert names(tmp_path)[1:] == list(deployments())


@pytest.mark.parametrize("name", ["prefect.yaml", ".gitignore", "flows/system.py"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(SentinelError, match=f"{name} is a pipe, a socket or a device"):
        make_plan(tmp_path)
