"""Real processes, really killed: the command line, the launcher, git, and two sessions at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from agent.core.again import KINDS
from tests.stories import world
from tests.stories.world import block, edits, notes, rate

SLOW = {"experiment__py": lambda text: text.replace("    fits = {}", "    import time; time.sleep(1.0)\n    fits = {}")}


def command(*words, **kw):
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kw,
    )


def resume(place, *words):
    done = subprocess.run(
        [sys.executable, "-m", "agent", "resume", "last", "-o", place / "results", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def recording(path, replies):
    rows = [{"action": a, "run": r, "turn": t, "reply": text} for (a, r, t), text in replies.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"replay:{path}"


def begin(place, model, toy=None, more=(), **kw):
    idea = place / "idea.json"
    idea.write_text(
        json.dumps(
            {
                **json.loads((world.TOY / "ideas/iterate_averaging.json").read_text()),
                "Template": str(toy or world.TOY / "template"),
            }
        )
    )
    return command("run", idea, "-m", model, "-o", place / "results", "--max-runs", 1, *more, **kw)


def wait_for(condition, patience=20.0):
    until = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return found


def study(place):
    return next(iter(sorted((place / "results").glob("2*"))), None)


def happened(place, kind, run=None):
    root = study(place)
    if not root:
        return []
    return [x for x in world.events_of(root) if x.type == kind and run in (None, getattr(x, "run", None))]


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


ONE_RUN = edits([rate(0.05, 0.01)]) | {("notes", "run_1", 1): notes("run_1")}


def assert_done_once(place, launches=1):
    root = study(place)
    state = world.state_of(root)
    assert state.ended == "max_runs" and [r.name for r in state.good] == ["run_1"]
    assert len([e for e in world.events_of(root) if e.type == "run.launched" and e.run == "run_1"]) == launches
    calls = [e.call for e in world.events_of(root) if e.type == "call.replied"]
    assert len(calls) == len(set(calls))
    assert subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True).stdout == ""
    assert subprocess.run(["git", "fsck", "--strict"], cwd=root, capture_output=True).returncode == 0


def test_the_command_killed_during_a_coder_call_asks_for_the_same_call_again(tmp_path):
    prompts = tmp_path / "prompts"
    process = begin(tmp_path, f"manual:{prompts}")
    wait_for((prompts / "0001-edit.prompt.md").exists)
    kill(process)
    asked = (prompts / "0001-edit.prompt.md").read_text()
    (prompts / "0001-edit.reply.md").write_text(rate(0.05, 0.01))
    (prompts / "0002-notes.reply.md").unlink(missing_ok=True)
    process = command("resume", "last", "-o", tmp_path / "results")
    wait_for((prompts / "0002-notes.prompt.md").exists)
    (prompts / "0002-notes.reply.md").write_text(notes("run_1"))
    assert process.wait(20) == 0
    process.stdout.close()
    assert (prompts / "0001-edit.prompt.md").read_text() == asked
    assert len(happened(tmp_path, "call.asked")) == 2
    assert_done_once(tmp_path)


def test_the_command_killed_during_a_run_finds_the_run_again(tmp_path):
    toy = world.template(tmp_path / "toy", **SLOW)
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy)
    wait_for(lambda: happened(tmp_path, "run.launched", "run_1"))
    wait_for((study(tmp_path) / ".study/attempts/run_1-try-1/status.json").exists)
    kill(process)
    launcher = json.loads((study(tmp_path) / ".study/attempts/run_1-try-1/status.json").read_text())["pid"]
    assert psutil.pid_exists(launcher)
    code, said = resume(tmp_path)
    assert code == 0, said
    assert_done_once(tmp_path)


def test_a_run_that_ends_while_nobody_watches_is_taken_as_it_is(tmp_path):
    toy = world.template(tmp_path / "toy", **SLOW)
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy)
    wait_for(lambda: happened(tmp_path, "run.launched", "run_1"))
    wait_for((study(tmp_path) / ".study/attempts/run_1-try-1/status.json").exists)
    kill(process)
    status = study(tmp_path) / ".study/attempts/run_1-try-1/status.json"
    wait_for(lambda: json.loads(status.read_text())["outcome"])
    assert resume(tmp_path)[0] == 0
    assert_done_once(tmp_path)


def test_a_killed_launcher_takes_its_job_along_and_the_job_is_done_again(tmp_path):
    toy = world.template(tmp_path / "toy", **SLOW)
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy)
    wait_for(lambda: happened(tmp_path, "run.launched", "run_1"))
    status = study(tmp_path) / ".study/attempts/run_1-try-1/status.json"
    wait_for(status.exists)
    jobs = wait_for(
        lambda: [
            p.pid
            for p in psutil.process_iter(["cmdline"])
            if "--out_dir=run_1" in (p.info["cmdline"] or []) and p.cwd() == str(study(tmp_path))
        ]
    )
    os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)
    assert process.wait(30) == 0
    process.stdout.close()
    assert not [pid for pid in jobs if psutil.pid_exists(pid)]
    failed = happened(tmp_path, "run.failed", "run_1")
    assert [e.blame for e in failed] == ["lost"]
    assert len(happened(tmp_path, "call.asked")) == 2  # the coder was never told
    assert_done_once(tmp_path, launches=2)


def test_a_job_that_is_lost_again_and_again_ends_the_session_and_can_be_resumed(tmp_path):
    kill_parent = (
        "    import os, signal, time; os.path.exists('KILL') and (os.kill(parent(), signal.SIGKILL), time.sleep(5))\n"
    )
    finder = "\n\ndef parent():\n    import json, glob\n    newest = sorted(glob.glob('.study/attempts/run_1-try-*/status.json'))[-1]\n    return json.load(open(newest))['pid']\n"
    toy = world.template(
        tmp_path / "toy",
        experiment__py=lambda text: text.replace("\n\ndef main", finder + "\n\ndef main").replace(
            "    fits = {}", kill_parent.replace("'KILL'", "'.study/KILL'") + "    fits = {}"
        ),
    )
    settings = {"executor": "local", "sandbox": "none"}  # in a sandbox it would not find its launcher
    root, settings = world.start(tmp_path, folder=toy, max_runs=1, **settings)
    model = world.Script(ONE_RUN, before_reply=lambda prompt: (root / ".study" / "KILL").touch())
    stop = world.go(root, model, settings)
    assert (stop.exit_code, len(happened(tmp_path, "run.failed", "run_1"))) == (4, KINDS["lost"].tries)
    (root / ".study" / "KILL").unlink()
    model.before_reply = None
    assert world.go(root, model).exit_code == 0
    assert_done_once(tmp_path, launches=KINDS["lost"].tries + 1)


@pytest.mark.parametrize("seed", range(2))
def test_the_command_killed_at_any_moment_again_and_again_still_gets_there(tmp_path, seed):
    chance = random.Random(seed)
    model = recording(tmp_path / "session.jsonl", ONE_RUN)
    process = begin(tmp_path, model, start_new_session=True)
    wait_for(lambda: study(tmp_path))
    for _ in range(6):
        time.sleep(chance.uniform(0.0, 0.25))
        os.killpg(process.pid, signal.SIGKILL)  # git children too, in the middle of a commit
        kill(process)
        if happened(tmp_path, "study.ended"):
            break
        process = command("resume", "last", "-o", tmp_path / "results", start_new_session=True)
        wait_for(lambda process=process: process.poll() is not None or (time.sleep(0.35) or True))
    process.wait(30)
    process.stdout.close()
    if not happened(tmp_path, "study.ended"):
        code, said = resume(tmp_path)
        assert code == 0, said
    assert_done_once(tmp_path)


def test_of_two_sessions_at_once_one_works_and_the_other_says_so(tmp_path):
    prompts = tmp_path / "prompts"
    first = begin(tmp_path, f"manual:{prompts}")
    wait_for((prompts / "0001-edit.prompt.md").exists)
    code, said = resume(tmp_path)
    assert code == 2 and "is being worked on by process" in said
    first.send_signal(signal.SIGINT)
    assert first.wait(10) == 130
    first.stdout.close()


def test_ctrl_c_ends_the_local_job_and_resume_does_it_again(tmp_path):
    toy = world.template(tmp_path / "toy", **SLOW)
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy)
    wait_for(lambda: happened(tmp_path, "run.launched", "run_1"))
    wait_for((study(tmp_path) / ".study/attempts/run_1-try-1/status.json").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    process.stdout.close()
    outcome = happened(tmp_path, "run.ended", "run_1")[0].outcome
    assert outcome["ending"] == "stopped"
    assert resume(tmp_path)[0] == 0
    assert [e.blame for e in happened(tmp_path, "run.failed", "run_1")] == ["interrupted"]
    assert_done_once(tmp_path, launches=2)


def test_the_inner_pages_of_a_failing_run_reach_the_coder(tmp_path):
    broken = "Break.\n" + block("    fits = {}", '    fits = {}["no such key"]')
    script = edits([broken, "Mend.\n" + block('    fits = {}["no such key"]', "    fits = {}") + rate(0.05, 0.01)])
    root, settings = world.start(tmp_path, max_runs=1)
    model = world.Script(script | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    told = model.prompts[1].request
    assert "KeyError: 'no such key'" in told
    assert "experiment.py, line 32, in main" in told and '>   32 |     fits = {}["no such key"]' in told
    assert "Its goal: Break." in told and "attempt 1 of 4" in told
