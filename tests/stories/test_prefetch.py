"""Whole studies of a template that fetches its data first: done once, killed, failing, and what experiments get of it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from agent.core.errors import InputProblem
from agent.runners import tiers
from tests import tiny_hub
from tests.stories import world
from tests.stories.test_kill import ONE_RUN, begin, happened, kill, recording, resume, study, wait_for
from tests.stories.world import Script

FETCH = """
import json, os, time
def fetch():
    cache = os.environ["AI_SCIENTIST_CACHE"]
    open(".study/fetches", "a").write("x")
    {more}
    open(os.path.join(cache, "points.txt"), "w").write("fetched")
    return {{"toy/points": "{revision}"}}
"""
LOOK = """
    import json, os
    told = {name: os.environ.get(name) for name in ("AI_SCIENTIST_REVISIONS", "HF_HUB_OFFLINE", "HF_TOKEN")}
    cache = os.environ["AI_SCIENTIST_CACHE"]
    told["read"] = open(os.path.join(cache, "points.txt")).read()
    told["home"] = os.path.relpath(os.environ["HF_HOME"], cache)
    for name in ("points.txt", "new.txt", "huggingface/new.txt"):
        try:
            open(os.path.join(cache, name), "a").write("x")
            told[name] = "written"
        except OSError as error:
            told[name] = "refused"
    json.dump(told, open(os.path.join(out_dir, "told.json"), "w"))
    fits = {}"""


def toy(place, more="pass", revision="r1", profile="", experiment=None):
    folder = world.template(
        place / "toy",
        experiment__py=lambda text: text.replace("    fits = {}", experiment or "    fits = {}"),
        template__toml=lambda text: (
            text.replace("[profiles.tiny]", f"[profiles.tiny]\n{profile}", 1).split("[[baselines]]")[0]
            + '[environment]\nprefetch = "harness/data.py:fetch"\n\n[[baselines]]\nname = "sgd"\n'
        ),
    )
    (folder / "harness/data.py").write_text(FETCH.format(more=more, revision=revision))
    return folder


def fetches(root):
    return len((root / ".study/fetches").read_text()) if (root / ".study/fetches").exists() else 0


def kinds(root):
    return [getattr(x, "kind", "fetched") for x in world.events_of(root) if x.type.startswith("data.")]


@pytest.mark.parametrize("tier", ["bwrap", "landlock"])
def test_what_was_fetched_is_there_to_read_for_every_run_and_its_revisions_are_part_of_the_protocol(tmp_path, tier):
    found = tiers.probe(tier)
    if not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    root, settings = world.start(
        tmp_path, folder=toy(tmp_path, experiment=LOOK), max_runs=1, executor="local", sandbox=tier, retry_wait=0.01
    )
    assert world.go(root, Script(ONE_RUN), settings).exit_code == 0
    state = world.state_of(root)
    for run in ("run_0", "run_1"):
        assert json.loads((root / run / "told.json").read_text()) == {
            "AI_SCIENTIST_REVISIONS": '{"toy/points": "r1"}', "HF_HUB_OFFLINE": "1", "HF_TOKEN": None, "read": "fetched",
            "home": "huggingface", "points.txt": "refused", "new.txt": "refused", "huggingface/new.txt": "refused",
        }  # fmt: skip
        assert state.runs[run].protocol == {"revisions": {"toy/points": "r1"}}
    assert state.plan["revisions"] == {"toy/points": "r1"}
    assert "toy/points at r1" in (root / "README.md").read_text()
    assert (fetches(root), kinds(root)) == (1, ["fetched"])
    happenings = [x.type for x in world.events_of(root)]
    assert happenings.index("data.fetched") < min(happenings.index("run.launched"), happenings.index("call.asked"))


def test_data_is_fetched_once_a_study_however_often_it_is_gone_on_with(tmp_path):
    root, settings = world.start(tmp_path, folder=toy(tmp_path), max_runs=0)
    assert world.go(root, Script({}), settings).exit_code == 1
    assert world.go(root, Script(ONE_RUN), max_runs=1, reopen=True).exit_code == 0
    assert fetches(root) == 1


def test_a_baseline_of_other_revisions_is_measured_again(tmp_path):
    for number, revision in enumerate(("r1", "r1", "r2")):
        root, settings = world.start(
            tmp_path,
            folder=toy(tmp_path / str(number), more="rev = open('../../rev').read()", revision="x"),
            max_runs=0,
        )
        data = (root / "harness/data.py").read_text().replace('"x"}', "rev}")
        assert data  # the code is the same for all of them; only what it returns is not
        (tmp_path / "rev").write_text(revision)
        (root / "harness/data.py").write_text(data)
        assert world.go(root, Script({}), settings).exit_code == 5
        assert world.go(root, Script({}), take=True).exit_code == 1
        source = world.state_of(root).runs["run_0"].source
        assert bool(source) == (number == 1)


def test_a_network_that_fails_is_tried_again_and_the_coder_never_hears_of_it(tmp_path):
    more = "if len(open('.study/fetches').read()) < 3: raise ConnectionError('no route to the hub')"
    root, settings = world.start(tmp_path, folder=toy(tmp_path, more), max_runs=1, retry_wait=0.01)
    model = Script(ONE_RUN)
    assert world.go(root, model, settings).exit_code == 0
    assert kinds(root) == ["network", "network", "fetched"]
    assert not any("no route" in prompt.request for prompt in model.prompts)


@pytest.mark.parametrize(
    ("more", "exit_code", "said"),
    [
        (
            "raise KeyError('train')",
            2,
            "its code failed: KeyError: 'train' (see .study/attempts/prefetch-try-1/stderr.log)",
        ),
        ("raise OSError(28, 'No space left on device')", 4, "there is no room on the disk"),
        ("raise RuntimeError('GatedRepoError: 403')", 2, "the hub refuses it"),
        ("return 3", 2, "it returned no revisions: it must return a dictionary"),
        ("raise ConnectionError('no route')", 4, "the network failed (5 times)"),
    ],
)
def test_what_cannot_be_fetched_stops_the_study_before_anything_is_paid_for(tmp_path, more, exit_code, said):
    root, settings = world.start(
        tmp_path, folder=toy(tmp_path, f"if not os.path.exists('.study/mended'): {more}"), max_runs=1, retry_wait=0.01
    )
    stop = world.go(root, Script({}), settings)
    assert stop.exit_code == exit_code and said in stop.why and stop.hint
    assert not [x for x in world.events_of(root) if x.type.startswith(("run.", "call."))]
    (root / ".study/mended").touch()
    assert world.go(root, Script(ONE_RUN)).exit_code == 0


def test_code_that_a_person_mends_in_the_study_is_run_and_what_is_made_editable_is_not(tmp_path):
    root, settings = world.start(tmp_path, folder=toy(tmp_path, "raise KeyError('train')"), max_runs=0)
    assert world.go(root, Script({}), settings).exit_code == 2
    (root / "harness/data.py").write_text(FETCH.format(more="pass", revision="r1"))
    toml = (root / "template.toml").read_text()
    (root / "template.toml").write_text(toml.replace('"plot.py"]', '"plot.py", "harness/*"]'))
    assert world.go(root, Script({})).exit_code == 5
    with pytest.raises(InputProblem, match="is editable, and what the coder writes never runs outside the sandbox"):
        world.go(root, Script({}), take=True)
    assert fetches(root) == 1
    (root / "template.toml").write_text(toml)
    assert world.go(root, Script({})).exit_code == 5
    assert world.go(root, Script({}), take=True).exit_code == 1
    assert kinds(root) == ["code", "fetched"]


# --- real processes, really killed -----------------------------------------------------------------------------------------

SLOW = "time.sleep(1.5)"


def fetching(tmp_path, code=SLOW, **kw):
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy(tmp_path, code), **kw)
    wait_for(lambda: study(tmp_path) and fetches(study(tmp_path)))
    return process


def test_the_command_killed_while_data_is_fetched_finds_the_job_again(tmp_path):
    kill(fetching(tmp_path))
    code, said = resume(tmp_path)
    assert code == 0, said
    assert (fetches(study(tmp_path)), kinds(study(tmp_path))) == (1, ["fetched"])


def test_a_launcher_killed_while_data_is_fetched_is_lost_and_the_data_is_fetched_again(tmp_path):
    first_is_slow = 'time.sleep(60 if os.path.getsize(".study/fetches") == 1 else 0)'
    process = fetching(tmp_path, first_is_slow, more=["-c", "retry_wait=0.1s"])
    status = study(tmp_path) / ".study/attempts/prefetch-try-1/status.json"
    os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)
    assert process.wait(60) == 0
    process.stdout.close()
    assert (fetches(study(tmp_path)), kinds(study(tmp_path))) == (2, ["lost", "fetched"])


def test_ctrl_c_ends_the_fetching_and_resume_does_it_again(tmp_path):
    process = fetching(tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()
    assert kinds(study(tmp_path)) == ["lost"]
    assert resume(tmp_path)[0] == 0
    assert kinds(study(tmp_path)) == ["lost", "fetched"]


def test_a_person_who_stops_the_study_while_data_is_fetched_is_heard(tmp_path):
    process = fetching(tmp_path, "time.sleep(30)")
    subprocess.run(
        [sys.executable, "-m", "agent", "stop", "last", "-o", tmp_path / "results"], check=True, capture_output=True
    )
    assert process.wait(20) == 1
    process.stdout.close()
    assert world.state_of(study(tmp_path)).ended == "stopped"


# --- keys and the hub's own library ------------------------------------------------------------------------------------------


def test_a_token_reaches_the_fetching_and_nothing_else(tmp_path, monkeypatch):
    token, password = "hf_planted0123456789abcdef", "planted-password-of-a-proxy"
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nobody-logged-in"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{password}@127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-of-a-model")
    more = (
        "import sys; print(os.environ['HF_TOKEN'], file=sys.stderr); print(os.environ['HTTPS_PROXY']);"
        "open(os.environ['HF_TOKEN_PATH'], 'w').write('what a login would keep');"
        "assert os.environ['HF_TOKEN'] == 'hf_' + 'planted0123456789abcdef' and 'OPENAI_API_KEY' not in os.environ\n"
        "    if len(open('.study/fetches').read()) < 2: raise ConnectionError('refused for ' + os.environ['HF_TOKEN'])\n"
        "    open(os.path.join(cache, 'points.txt'), 'w').write('fetched'); return {'toy/points': os.environ['HF_TOKEN']}"
    )
    process = begin(
        tmp_path,
        recording(tmp_path / "s.jsonl", ONE_RUN),
        toy(tmp_path, more, experiment=LOOK),
        more=["-c", "retry_wait=0.1s"],
    )
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert json.loads((study(tmp_path) / "run_1/told.json").read_text())["HF_TOKEN"] is None
    logs = [study(tmp_path) / f".study/attempts/prefetch-try-1/{name}.log" for name in ("stderr", "stdout")]
    assert all("[key]" in log.read_text() for log in logs)
    assert "refused for [key]" in told and "toy/points at [key]" in told
    cache = study(tmp_path).parent / ".cache"
    assert (
        subprocess.run(["grep", "-rl", "what a login would keep", cache], capture_output=True, text=True).stdout == ""
    )
    for secret in (token, password, "planted-key-of-a-model"):
        assert secret not in told
        found = subprocess.run(["grep", "-rl", secret, study(tmp_path).parent], capture_output=True, text=True).stdout
        assert found == ""


def test_the_token_of_a_login_is_found_where_the_hubs_library_keeps_it(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "login"))
    (tmp_path / "login").mkdir()
    (tmp_path / "login/token").write_text("planted-by-a-login-0123456789\n")
    with tiny_hub.running(secure=False) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        more = "from huggingface_hub import model_info, get_token; print(get_token()); model_info('tiny/model')"
        root, settings = world.start(tmp_path, folder=toy(tmp_path, more), max_runs=0)
        assert world.go(root, Script({}), settings).exit_code == 1
    assert hub.tokens == ["Bearer planted-by-a-login-0123456789"]
    assert (root / ".study/attempts/prefetch-try-1/stdout.log").read_text().strip() == "[key]"


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["bwrap", "landlock"])
def test_what_the_hubs_library_fetched_it_finds_again_offline_in_the_sandbox(tmp_path, tier, monkeypatch):
    found = tiers.probe(tier)
    if not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    more = (
        "from huggingface_hub import snapshot_download, model_info; sha = model_info('tiny/model').sha;"
        "snapshot_download('tiny/model', revision=sha); return {'tiny/model': sha}"
    )
    load = (
        "    import json, os; from huggingface_hub import hf_hub_download\n"
        "    sha = json.loads(os.environ['AI_SCIENTIST_REVISIONS'])['tiny/model']\n"
        "    assert len(open(hf_hub_download('tiny/model', 'weights.bin', revision=sha), 'rb').read()) == 512000\n"
        "    fits = {}"
    )
    with tiny_hub.running(secure=False) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HTTP_PROXY", "")
        hub.failing = 1
        root, settings = world.start(
            tmp_path,
            folder=toy(tmp_path, more, experiment=load),
            max_runs=0,
            executor="local",
            sandbox=tier,
            retry_wait=0.01,
        )
        stop = world.go(root, Script({}), settings)
    state = world.state_of(root)
    assert stop.exit_code == 1 and state.runs["run_0"].status == "good", stop
    assert state.revisions == {"tiny/model": tiny_hub.REVISION}
    assert kinds(root) == ["network", "fetched"]


def test_a_study_without_its_cache_says_so(tmp_path):
    root, settings = world.start(tmp_path, folder=toy(tmp_path), max_runs=0)
    assert world.go(root, Script({}), settings).exit_code == 1
    (tmp_path / "elsewhere").mkdir()
    moved = root.rename(tmp_path / "elsewhere" / root.name)
    with pytest.raises(InputProblem, match="is not there any more"):
        world.go(moved, Script(ONE_RUN), max_runs=1, reopen=True)


def test_a_plan_says_what_is_fetched_before_it_starts(tmp_path):
    process = begin(tmp_path, recording(tmp_path / "s.jsonl", ONE_RUN), toy(tmp_path), more=["--plan"])
    told, _ = process.communicate(timeout=60)
    assert "harness/data.py:fetch fetches it first" in told and not happened(tmp_path, "data.fetched")


def test_fetching_counts_as_work(tmp_path):
    root, settings = world.start(tmp_path, folder=toy(tmp_path, "time.sleep(0.5)"), max_runs=0)
    began = time.monotonic()
    world.go(root, Script({}), settings)
    fetched = next(x for x in world.events_of(root) if x.type == "data.fetched")
    assert 0.5 <= fetched.seconds < time.monotonic() - began
