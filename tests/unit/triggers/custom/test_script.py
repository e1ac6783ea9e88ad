"""Scripts that answer, and scripts that misbehave; all of them really run."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sentinel_core.base.errors import OutputError
from tests.support.processes import wait_for
from triggers.custom._process import Outcome
from triggers.custom.script import STDERR_KEPT, Script, ScriptError

ROOT = Path(__file__).parents[4]


@pytest.fixture
def make(tmp_path: Path):
    """Write a script and give the trigger that runs it."""

    def made(code: str, *, name: str = "check.py", interpreter: str = sys.executable, **settings):
        (tmp_path / name).write_text(textwrap.dedent(code))
        return Script(
            path=name, interpreter=interpreter, working_directory=str(tmp_path), **settings
        )

    return made


def alive(pid: int) -> bool:
    """Is it there, and not only waiting to be collected?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int) -> None:
    wait_for(lambda: not alive(pid), what=f"the end of process {pid}", every=0.02)


def test_parameters_go_in_as_json_and_one_output_comes_back(make):
    script = make(
        """
        import json, sys
        given = json.load(sys.stdin)
        print(json.dumps({"triggered": given["level"] > 3, "ticker": sys.argv[1],
                          "metrics": {"value": given["level"]}}))
        """,
        parameters={"level": 5, "text": "ä" * 200_000},
        arguments=["pump-7"],
    )
    [output] = script.check()
    assert (output.triggered, output.ticker, output.metrics) == (True, "pump-7", {"value": 5.0})
    assert "stderr" not in output.metadata


def test_a_list_is_one_output_for_each_ticker_and_an_empty_one_is_a_check_too(make):
    body = '[{"triggered": true, "ticker": "a"}, {"triggered": false, "ticker": "b"}]'
    outputs = make(f"print('''{body}''')").check()
    assert [(output.ticker, output.triggered) for output in outputs] == [("a", True), ("b", False)]
    assert make("print('[]')").check() == []


def test_stderr_is_kept_as_evidence_up_to_a_limit(make):
    script = make(
        """
        import sys
        sys.stderr.write("x" * 300_000 + "the end ü\\x00")
        print('{"triggered": true, "metadata": {"own": 1}}')
        """
    )
    [output] = script.check()
    assert output.metadata["own"] == 1
    assert len(output.metadata["stderr"]) == STDERR_KEPT
    assert output.metadata["stderr"].endswith("the end ü\N{REPLACEMENT CHARACTER}")


def test_any_interpreter_will_do(make):
    script = make("echo '{\"triggered\": true}'", name="check.sh", interpreter="sh")
    assert script.check()[0].triggered


def test_a_script_sees_a_small_environment_and_what_it_is_given(make, monkeypatch):
    monkeypatch.setenv("SENTINEL_RULE_DEMO_TOKEN", "given")
    monkeypatch.setenv("DEMO_SECRET", "kept")
    code = """
        import json, os
        print(json.dumps({"triggered": False, "metadata": dict(os.environ)}))
    """
    seen = make(code, pass_environment=["SENTINEL_RULE_DEMO_TOKEN"]).check()[0].metadata
    assert seen["SENTINEL_RULE_DEMO_TOKEN"] == "given"
    assert seen["PATH"] == os.environ["PATH"]
    assert "DEMO_SECRET" not in seen
    assert "SENTINEL_DATABASE_URL" not in seen


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.stderr.write('disk gone'); sys.exit(3)", r"exit code 3.*disk gone"),
        ("1 / 0", "exit code 1.*ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 11)", "signal SIGSEGV"),
    ],
)
def test_a_script_that_ends_badly_is_an_error_that_says_how(make, code, said):
    with pytest.raises(ScriptError, match=f"(?s){said}"):
        make(code).check()


@pytest.mark.parametrize(
    ("stdout", "said"),
    [
        ("", "printed nothing"),
        ("all is well", "not one JSON document"),
        ('{"triggered": true} {"triggered": true}', "not one JSON document"),
        ("checking…\n{}", "not one JSON document"),
        ('{"triggered": true, "metrics": {"value": NaN}}', "NaN is not JSON"),
        ('{"triggered": true, "metrics": {"value": 1e999}}', "not a number"),
        ('{"triggered": "yes"}', "triggered: Input should be a valid boolean"),
        ('{"triggered": true, "color": "red"}', "color"),
        ('{"triggered": true, "timestamp": "2026-01-01T00:00:00"}', "timestamp"),
        ('{"triggered": true, "metadata": [1]}', "metadata"),
        ("42", "not an alert output"),
        ('[{"triggered": true}, {"triggered": true}]', "more than once"),
        ("[" * 100_000, "not one JSON document"),
        (b"\xff\xfe", "printed nothing"),
        (b"\xff{}", "not UTF-8"),
        ("{}".encode("utf-16-le"), "zero bytes, like UTF-16 without a byte order mark"),
    ],
)
def test_an_answer_that_is_no_alert_output_is_an_error(stdout, said):
    raw = stdout if isinstance(stdout, bytes) else stdout.encode()
    outcome = Outcome(stdout=bytearray(raw), stderr=bytearray(b"a hint"))
    with pytest.raises(OutputError, match=f"(?s){said}.*a hint"):
        Script(path="x").evaluate(outcome)


def test_endless_output_is_stopped_early(make):
    with pytest.raises(ScriptError, match="printed more than 2,097,152 bytes"):
        make("while True: print('x' * 1_000_000)").check()


def test_a_hundred_megabytes_on_stderr_cost_nothing(make):
    script = make(
        """
        import sys
        for _ in range(100): sys.stderr.write("x" * 1_000_000)
        print('{"triggered": false}')
        """
    )
    assert len(script.read().stderr) <= 4 * STDERR_KEPT


def test_a_script_that_hangs_is_stopped_in_time_with_its_children(make, tmp_path):
    script = make(
        """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = os.fork()
        if child:
            open("pids", "w").write(f"{os.getpid()} {child}")
            print("waiting for the tape", file=sys.stderr, flush=True)
        time.sleep(86_400)
        """,
        script_timeout_seconds=1,
    )
    with pytest.raises(ScriptError, match=r"(?s)within 1 s and was stopped.*for the tape"):
        script.check()
    for pid in (tmp_path / "pids").read_text().split():
        wait_gone(int(pid))


def test_one_that_closes_its_pipes_and_goes_on_is_stopped_too(make):
    script = make(
        "import os, time; os.close(1); os.close(2); time.sleep(86_400)", script_timeout_seconds=0.5
    )
    with pytest.raises(ScriptError, match=r"within 0\.5 s"):
        script.check()


@pytest.mark.parametrize("own_session", [False, True])
def test_a_grandchild_that_holds_the_pipes_delays_no_answer(make, tmp_path, own_session):
    script = make(
        f"""
        import os, time
        child = os.fork()
        if not child:
            if {own_session}: os.setsid()
            open("pid", "w").write(str(os.getpid()))
            time.sleep(86_400)
            os._exit(0)
        while not (os.path.exists("pid") and os.path.getsize("pid")): time.sleep(0.01)
        print('{{"triggered": true}}', flush=True)
        """
    )
    assert script.check()[0].triggered
    pid = int((tmp_path / "pid").read_text())
    if own_session:  # it left the group on purpose: it is not ours any more
        assert alive(pid)
        os.kill(pid, 9)
    wait_gone(pid)


def test_a_script_need_not_read_its_parameters(make):
    script = make("print('{\"triggered\": false}')", parameters={"text": "x" * 1_000_000})
    assert script.check()[0].triggered is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "absent.py"}, "there is no script"),
        ({"interpreter": "python0.1"}, "there is no program python0.1"),
        ({"working_directory": "nowhere/at/all"}, "there is no working directory"),
        (
            {"pass_environment": ["SENTINEL_RULE_NOT_SET_ANYWHERE"]},
            "SENTINEL_RULE_NOT_SET_ANYWHERE",
        ),
    ],
)
def test_a_wrong_set_up_is_an_error(make, change, said):
    script = make("print('{\"triggered\": false}')")
    with pytest.raises(ScriptError, match=said):
        script.model_copy(update=change).check()


def test_an_interpreter_that_cannot_be_started_is_an_error(make, tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x00no program")
    broken.chmod(0o755)
    with pytest.raises(ScriptError, match="could not be started"):
        make("pass", interpreter="./broken").check()


def test_the_example_script_measures_the_load_of_this_machine():
    example = Script(
        path="examples/scripts/load_average.py",
        working_directory=str(ROOT),
        parameters={"threshold": 10_000, "minutes": 1},
    )
    [output] = example.check()
    assert output.triggered is False
    assert output.metrics["threshold"] == 10_000
    assert output.metrics["cores"] == os.cpu_count()
    assert abs(output.metrics["load"] - os.getloadavg()[0]) < 5
    assert output.metrics["value"] == output.metrics["load"] / output.metrics["cores"]
    [fired] = example.model_copy(update={"parameters": {"threshold": -1}}).check()
    assert fired.triggered
    with pytest.raises(ScriptError, match="minutes is 7"):
        example.model_copy(update={"parameters": {"minutes": 7}}).check()


def test_parameters_that_hold_quotes_arrive_unchanged(make):
    given = {"a": '"; rm -rf', "nested": {"b": [1, None, True]}}
    script = make(
        "import json, sys; print(json.dumps({'triggered': False, "
        "'metadata': {'given': json.load(sys.stdin)}}))",
        parameters=given,
    )
    assert json.loads(json.dumps(script.check()[0].metadata["given"])) == given


def test_a_script_and_what_it_started_die_with_a_run_that_is_killed(tmp_path):
    code = """
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        with open("pids.part", "w") as file:
            print(os.getpid(), child.pid, file=file)
        os.rename("pids.part", "pids")
        time.sleep(600)
    """
    (tmp_path / "check.py").write_text(textwrap.dedent(code))
    check = f"Script(path='check.py', interpreter={sys.executable!r}).check()"
    run = subprocess.Popen(
        [sys.executable, "-c", f"from triggers.custom.script import Script; {check}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        pids = tmp_path / "pids"
        wait_for(pids.exists, what="the script to start", every=0.02)
    finally:
        run.kill()  # SIGKILL: it cleans nothing up
        run.wait()
    for pid in pids.read_text().split():
        wait_gone(int(pid))
