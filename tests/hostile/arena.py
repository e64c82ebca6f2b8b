"""One attack in one tier as one user: a throw-away machine, a study on it, and a look at what happened.

`fight` is what tests call. It starts this module again in namespaces of its own (machine.py), where `main` builds the
world, has tool.py start the attack, and prints what was `Seen`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import platform
import pwd
import re
import resource
import secrets
import shutil
import site
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent.core.job import Command, Job, Limits, Outcome, Reach
from agent.core.layout import Layout
from agent.runners import folder
from agent.runners.local import LocalRunner
from tests.hostile.canaries import Canaries
from tests.hostile.machine import OUTSIDE, UNSHARE, Machine, Snapshot, open_ways
from tests.hostile.table import ATTACKS, GROUPS, HONEST, Attack

AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n", "--preserve-env=PATH,LANG")
ROOT = Path(__file__).resolve().parents[2]
VISITOR = 4242  # an ordinary user, on the throw-away machine only
MB = 1_000_000
LIMITS = Limits(memory=200 * MB, disk=20 * MB, files=5000, processes=40, open_files=256, output=5 * MB)
FORGED = 424242.0
ALLOWANCE = 5.0  # seconds beyond a job's time limit until it must have an outcome
EVALUATE = """
import argparse, json
from pathlib import Path

def score(weights):
    return float(len(Path(__file__).with_name("heldout").joinpath("labels.txt").read_text()))

def main(out):
    weights = Path(out, "weights.txt").read_text()
    Path(out, "final_info.json").write_text(json.dumps({"core": {"means": {"kl_nats": score(weights)}}}))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir")
    main(parser.parse_args().out_dir)
"""
WAITING = """
import os, runpy, sys
os.kill(os.getpid(), 19)  # until job.json names this process
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.hostile.tool", run_name="__main__")
"""
READER = {
    "naive": """
import json, os, sys
print(json.dumps(json.loads(open(sys.argv[1] + "/run_1/final_info.json").read())))
"\\n".join(os.listdir(sys.argv[1] + "/run_1")).encode()
""",
    "ours": """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from agent.core.layout import Layout
from agent.core.result import Result
from agent.steps import judge
desk = SimpleNamespace(layout=Layout(Path(sys.argv[1])), state=SimpleNamespace(reference=None))
found = judge._result(desk, SimpleNamespace(name="run_1", baseline=False), SimpleNamespace(purpose="run", seeds=(0,), number=1))
print(json.dumps({k: m.mean for k, m in found.measures.items()} if isinstance(found, Result) else found))
""",
}


@dataclass
class Seen:
    """What happened: `signs` by kind (see table.py), and how the job ended as the tool was told."""

    outcome: dict[str, Any] | None
    signs: dict[str, list[str]] = field(default_factory=dict)
    output: str = ""
    results: str = ""  # as the reader of the results said them


@functools.cache
def hidden_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a study hides from its experiment, and from its evaluation: asked where studies make their jobs."""
    from agent.steps import launch

    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        root = Path(name).resolve()
        desk: Any = SimpleNamespace(
            layout=Layout(root),
            template=SimpleNamespace(sealed=("harness/heldout/**",)),
            profile=SimpleNamespace(data=()),
            machine={},
            workspace=SimpleNamespace(tree=lambda head: ["experiment.py", "harness/heldout/labels.txt"]),
            state=SimpleNamespace(head="", revisions=None),
        )
        made = [launch.reach(desk, root, "run_1", sealed) for sealed in (True, False)]
        assert all(reach.writable == (str(root / "run_1"),) and reach.readable == (str(root),) for reach in made)
        experiment, evaluation = (tuple(os.path.relpath(path, root) for path in reach.hidden) for reach in made)
    return experiment, evaluation


def fight(name: str, tier: str, user: str, limits: bool = True) -> Seen:
    """`tier`: one of the sandbox's, or "raw": started without the launcher. `user`: "root" or "user"."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        told = (scratch, name, tier, user, str(int(limits)), json.dumps(hidden_names()))
        argv = (*AS_ROOT, *UNSHARE, sys.executable, "-m", "tests.hostile.arena", *told)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV", "AI_SCIENTIST"))}
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, errors="replace", timeout=60)
    if not done.stdout.strip():
        raise RuntimeError(f"the arena broke: {done.stderr[-3000:]}")
    return Seen(**json.loads(done.stdout.splitlines()[-1]))


def main(scratch: str, name: str, tier: str, user: str, limits: bool, hidden: list[list[str]]) -> None:
    machine = Machine(scratch)
    world = World({**ATTACKS, "honest": HONEST}[name], 0 if user == "root" else VISITOR, tier, limits, hidden)
    with world.bystander() as bystander:
        before = machine.snapshot()
        guard = Guard(bystander, world.attempt)
        seen = world.run(guard)
        signs = {**guard.signs(), **world.signs(), **changes(before, machine.snapshot(), world)}
        signs |= {"alive": left} if (left := survivors(bystander.pid)) else {}
        if world.canaries.reached:
            signs["reached"] = sorted(world.canaries.reached)
    print(json.dumps(dataclasses.asdict(Seen(seen, signs, world.output()[-3000:], world.results))), flush=True)
    os._exit(0)


class World:
    """A home with secrets, a study, an attempt at its run_1 and the canaries."""

    def __init__(self, attack: Attack, user: int, tier: str, limits: bool, hidden: list[list[str]]) -> None:
        self.attack, self.user, self.tier = attack, user, tier
        self.proof = secrets.token_hex(8)
        self.secrets: dict[str, str] = {}
        self.told: Outcome | None = None
        self.results = ""
        self.allowance = ALLOWANCE if limits else 1.5  # without limits nobody waits for what may never come
        _people()
        self.home = Path(pwd.getpwuid(user).pw_dir)
        self.study = self.home / "project" / "results" / "study"
        self.run_folder, self.attempt = self.study / "run_1", self.study / ".study" / "attempts" / "run_1-try-1"
        self._write_home()
        self._write_study()
        self._write_machine()
        subprocess.run(["chown", "-R", f"{user}:{user}", self.home / "project", *self._in_home()], check=True)
        self.canaries = Canaries(self.proof, user)
        self.job = self._job(limits, *hidden)

    def secret(self, name: str) -> str:
        return self.secrets.setdefault(name, f"PLANTED-{name}-{secrets.token_hex(8)}")

    def _in_home(self) -> list[Path]:
        return [self.home / name for name in (".ssh", ".netrc", ".aws", ".config", ".bashrc")]

    def _write_home(self) -> None:
        self.home.mkdir(exist_ok=True)
        os.chown(self.home, self.user, self.user)
        files = {".ssh/id_rsa": "ssh", ".netrc": "netrc", ".aws/credentials": "aws", ".config/hub-token": "hub"}
        for name, secret in files.items():
            _write(self.home / name, self.secret(secret), 0o600)
        _write(self.home / ".bashrc", "alias l=ls\n")

    def _write_study(self) -> None:
        study = self.study
        attack = Path(__file__).parent / "attacks" / f"{self.attack.name}.py"
        _write(study / "experiment.py", attack.read_text())
        _write(study / "template.toml", 'name = "toy"\n')
        _write(study / "harness" / "__init__.py", "")
        _write(study / "harness" / "evaluate.py", EVALUATE)
        _write(study / "harness" / "heldout" / "labels.txt", self.secret("sealed"))
        _write(study / "run_0" / "final_info.json", '{"core": {"means": {"kl_nats": 1.0}}}')
        _write(study.with_name("splendid.json"), json.dumps({"core": {"means": {"kl_nats": FORGED}}}))
        _write(study / ".gitignore", ".study\nrun_*\n")
        for name, content in {
            "HEAD": "ref: refs/heads/main\n",
            "config": "[core]\n",
            "hooks/sample": "#!/bin/sh\n",
        }.items():
            _write(study / ".git" / name, content)
        _write_object(study / ".git", self.secret("sealed").encode())  # what git keeps of a sealed file
        for place in (study, study.with_name("other")):
            _write(place / ".study" / "journal.jsonl", json.dumps({"type": "x", "told": self.secret("journal")}) + "\n")
        _write(study.with_name("other") / "notes.txt", "mine\n")
        self.run_folder.mkdir()
        (self.attempt / "checkpoint").mkdir(parents=True)

    def _write_machine(self) -> None:
        other = VISITOR if self.user == 0 else 0
        _write(Path("/etc/shadow"), f"root:{self.secret('shadow')}:1::::::\n", 0o600)
        _write(Path("/var/private.txt"), self.secret("private"), 0o600)
        os.chown("/var/private.txt", other, other)
        _write(Path("/usr/local/bin/hostile-id"), "", 0o755)
        shutil.copy(shutil.which("id") or "/usr/bin/id", "/usr/local/bin/hostile-id")
        os.chown("/usr/local/bin/hostile-id", other, other)
        os.chmod("/usr/local/bin/hostile-id", 0o4755)
        Path("/etc/cron.d").mkdir(exist_ok=True)
        for name, content in {f"/tmp/mine-{self.proof}": "mine\n", "/dev/shm/mine": self.secret("shm")}.items():
            _write(Path(name), content, 0o600)
            os.chown(name, self.user, self.user)
        if self.user:
            open_ways(
                sys.executable, os.path.realpath(sys.executable), f"{sys.prefix}/x", f"{sys.base_prefix}/x", f"{ROOT}/x"
            )
            for name in self._interpreter():
                os.chown(name, self.user, self.user)

    def _interpreter(self) -> list[str]:
        return [*site.getsitepackages(), os.path.dirname(os.__file__)]

    def parameters(self) -> dict[str, Any]:
        c = self.canaries
        return {
            "home": str(self.home), "study": str(self.study), "run": str(self.run_folder), "attempt": str(self.attempt),
            "other_run": str(self.study / "run_0"), "other_study": str(self.study.with_name("other")),
            "splendid": str(self.study.with_name("splendid.json")), "proof": self.proof, "private": "/var/private.txt",
            "setuid": "/usr/local/bin/hostile-id", "tmp_file": f"/tmp/mine-{self.proof}", "shm_file": "/dev/shm/mine",
            "interpreter": self._interpreter(), "agent_socket": c.agent_socket, "terminal": c.terminal,
            "outside": OUTSIDE, "tcp": c.tcp, "udp": c.udp, "offered": c.offered, "daemon": c.daemon,
        }  # fmt: skip

    def _job(self, limits: bool, from_experiment: list[str], from_evaluation: list[str]) -> Job:
        """As steps/launch.py makes it."""
        python, out = sys.executable, f"--out_dir={self.run_folder.name}"
        commands = [Command("experiment", (python, "experiment.py", out), reach=self._reach(from_experiment))]
        if self.attack.evaluated and not (self.tier == "raw" and self.attack.name == "results_patched"):
            argv = (python, "-m", "harness.evaluate", out)
            first = ("run_1/final_info.json",)
            commands.append(Command("evaluate", argv, first, self._reach(from_evaluation)))
        tier = "none" if self.tier == "raw" else self.tier
        alone = 12.0 if self.attack in GROUPS["Limits"] else 3.0
        return Job(
            tuple(commands), str(self.study), seconds=self.attack.seconds if limits else alone, sandbox=tier,
            limits=LIMITS if limits else Limits(), stream_bytes=MB, network=self.attack.network,
        )  # fmt: skip

    def _reach(self, hidden: list[str]) -> Reach:
        readable = (str(self.study), *sorted({sys.prefix, sys.base_prefix}))
        return Reach((str(self.run_folder),), readable, tuple(str(self.study / name) for name in hidden))

    def as_user(self) -> list[str]:
        words = ["--reuid", str(self.user), "--regid", str(self.user), "--clear-groups"]
        return ["setpriv", *words] if self.user else []

    @contextlib.contextmanager
    def bystander(self) -> Iterator[subprocess.Popen[str]]:
        argv = [
            *self.as_user(),
            sys.executable,
            "-S",
            "-E",
            "-B",
            str(Path(__file__).with_name("bystander.py")),
            f"--token={self.secret('argv')}",
        ]
        env = {"PATH": os.environ["PATH"], "SOME_API_KEY": self.secret("environ")}
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin and process.stdout
        told = {name: self.secret(name) for name in ("sysv", "file", "memory")}
        if self.attack.name == "user_keyring":  # it outlives the machine for some seconds, and there are few per user
            told["keyring"] = self.secret("keyring")
        process.stdin.write(json.dumps({**told, "home": str(self.home), "proof": self.proof}) + "\n")
        process.stdin.flush()
        self.known = {**json.loads(process.stdout.readline()), "bystander": process.pid}
        yield process

    def run(self, guard: Guard) -> dict[str, Any] | None:
        """Have the tool run the job; the outcome as it says, or as the files say if it was killed."""
        how = "raw" if self.tier == "raw" else "launch"
        patience = self.job.seconds + self.allowance
        argv = [
            *self.as_user(),
            sys.executable,
            "-I",
            "-B",
            "-c",
            WAITING,
            str(ROOT),
            how,
            str(self.attempt),
            str(patience),
        ]
        env = {**os.environ, "OPENAI_API_KEY": self.secret("key")}
        tool = subprocess.Popen(argv, cwd="/", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        parameters = {**self.parameters(), **self.known, "tool": tool.pid}
        folder.write_job(self.attempt, dataclasses.replace(self.job, env=self._env(parameters)))
        for name in ("home", "tmp"):
            (self.attempt / name).mkdir()
        subprocess.run(["chown", "-R", f"{self.user}:{self.user}", self.attempt], check=True)
        self.written = (self.attempt / "job.json").read_bytes()
        self.folder = self.run_folder.stat().st_ino
        os.waitpid(tool.pid, os.WUNTRACED)  # it has stopped itself; its number is in job.json now
        os.kill(tool.pid, 18)
        guard.tool = tool.pid
        guard.start()
        try:
            said, complaints = tool.communicate(timeout=patience + self.allowance)
        except subprocess.TimeoutExpired:
            tool.kill()
            said, complaints = tool.communicate()
        guard.stop()
        self.complaints = complaints
        if said.strip() and said.strip() != "null":
            self.told = Outcome.from_json(json.loads(said))
        elif how == "launch":
            guard.note("the tool was not told any outcome")
            self.told = self._look()
        if self.told and self.told.ending == "lost":
            guard.note("the launcher is dead")
        return self.told.to_json() if self.told else None

    def _env(self, parameters: dict[str, Any]) -> dict[str, str]:
        return {"HOSTILE": json.dumps(parameters), "AI_SCIENTIST_CHECKPOINT": str(self.attempt / "checkpoint")}

    def _look(self) -> Outcome | None:
        deadline = time.monotonic() + self.allowance
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if isinstance(seen := LocalRunner().look(self.attempt), Outcome):
                    return seen
            time.sleep(0.05)
        return None

    def output(self) -> str:
        texts = [_text(self.attempt / name) for name in ("stdout.log", "stderr.log", "launcher.log")]
        return "\n".join([*texts, self.complaints])

    def signs(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        written = "\n".join([self.output(), *map(_text, _files(self.run_folder))])
        if leaked := [name for name, secret in self.secrets.items() if secret in written]:
            found["leak"] = leaked
        if marks := re.findall(r"^REACHED (.*)", written, re.M):
            found["mark"] = sorted(set(marks))
        if self.told and "FORGED" in self.told.detail:
            found["forged"] = ["the outcome"]
        if self.attack.name.startswith(("results_", "odd_")) or self.attack.evaluated:
            self._read_results(found)
        return found

    def _read_results(self, found: dict[str, list[str]]) -> None:
        """With the tool's reader if the job ended well, for only then are results read; within bounds."""
        naive = self.tier == "raw"
        if not naive and not (self.told and self.told.ok):
            return
        argv = [sys.executable, "-c", READER["naive" if naive else "ours"], str(self.study)]

        def bounded() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (700 * MB, 700 * MB))

        try:
            done = subprocess.run(
                argv, cwd=ROOT, capture_output=True, text=True, timeout=5 if not naive else 1.5, preexec_fn=bounded
            )
        except subprocess.TimeoutExpired:
            found["stuck"] = ["the reader of the results hung"]
            return
        self.results = done.stdout.strip()
        if done.returncode != 0:
            found["stuck"] = [f"the reader of the results: {done.stderr.strip().splitlines()[-1:]}"]
        elif str(FORGED) in done.stdout:
            found["forged"] = ["the results"]


def changes(before: Snapshot, after: Snapshot, world: World) -> dict[str, list[str]]:
    """What of the machine is another than before, the job's own folders apart."""
    own = (f"{world.run_folder}/", f"{world.attempt}/")  # of the attempt more below
    ours = re.compile(
        rf"{re.escape(str(ROOT))}/.*__pycache__|/tmp/(ai-scientist-|hoard-)|/dev/shm/(hoard-|sem\.)|.*/\.nameless$"
    )
    differ = [
        path
        for path in {*before, *after}
        if before.get(path) != after.get(path)
        and path != str(world.run_folder)
        and not path.startswith(own)
        and not ours.match(path)
    ]
    if world.tier != "raw":
        differ += list(_attempt_changes(world))
    if not world.run_folder.is_dir() or world.run_folder.is_symlink() or world.run_folder.stat().st_ino != world.folder:
        differ.append("the run folder is another")
    return {"change": sorted(differ)[:20]} if differ else {}


def _attempt_changes(world: World) -> Iterator[str]:
    attempt = world.attempt
    if not (attempt / "job.json").exists() or (attempt / "job.json").read_bytes() != world.written:
        yield "job.json of the attempt"
    if (attempt / "stop").exists():
        yield "stop file of the attempt"
    if not (attempt / "lock").exists():
        yield "lock of the attempt"
    if world.attack.name == "attempt_logs" and "WOULD HIDE" not in _text(attempt / "stdout.log"):
        yield "logs of the attempt"
    recorded = folder.read_status(attempt)
    if recorded is None or recorded.outcome is None or "FORGED" in recorded.outcome.detail:
        yield "status.json of the attempt"


class Guard(threading.Thread):
    """Watches the processes that are not the job's: alive, not stopped, with the limits and rank they had."""

    def __init__(self, bystander: subprocess.Popen[str], attempt: Path) -> None:
        super().__init__(daemon=True)
        self.bystander, self.attempt, self.tool = bystander.pid, attempt, 0
        self.found: list[str] = []
        self.over = threading.Event()
        self.rank = self._rank()

    def _rank(self) -> tuple[object, ...]:
        pid = self.bystander
        limits = _text(Path(f"/proc/{pid}/limits"))
        first = _text(Path(f"/proc/{pid}/oom_score_adj"))
        return (limits, os.getpriority(os.PRIO_PROCESS, pid), sorted(os.sched_getaffinity(pid)), first)

    def note(self, what: str) -> None:
        if what not in self.found:
            self.found.append(what)

    def run(self) -> None:
        while not self.over.wait(0.02):
            for name, pid in {"bystander": self.bystander, "launcher": self._launcher()}.items():
                if pid and _state(pid) in "Tt":
                    self.note(f"the {name} is stopped")
            if _state(self.tool) in "Tt":
                self.note("the tool is stopped")
                os.kill(self.tool, 18)

    def _launcher(self) -> int:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads((self.attempt / "status.json").read_text())["pid"])
        return 0

    def stop(self) -> None:
        self.over.set()

    def signs(self) -> dict[str, list[str]]:
        if _state(self.bystander) in "ZX":
            self.note("the bystander is dead")
        elif self._rank() != self.rank:
            self.note("the bystander's limits or rank")
        return {"killed": self.found} if self.found else {}


def survivors(bystander: int) -> list[str]:
    """Processes on this machine that were not there before; the launcher may take a moment to leave."""
    deadline = time.monotonic() + 1.0
    while True:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        left = [pid for pid in pids if pid not in (1, bystander) and _state(pid) not in "ZX"]
        if not left or time.monotonic() > deadline:
            return [f"{pid} {_text(Path(f'/proc/{pid}/cmdline'))[:60]!r}" for pid in left]
        time.sleep(0.02)


def _state(pid: int) -> str:
    text = _text(Path(f"/proc/{pid}/stat"))
    return text.rpartition(")")[2].split()[0] if text else "X"


def _people() -> None:
    with open("/etc/passwd", "a") as file:
        file.write(f"visitor:x:{VISITOR}:{VISITOR}::/home/visitor:/bin/sh\n")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _write_object(git: Path, content: bytes) -> None:
    blob = b"blob %d\0" % len(content) + content
    name = hashlib.sha1(blob).hexdigest()
    file = git / "objects" / name[:2] / name[2:]
    file.parent.mkdir(parents=True)
    file.write_bytes(zlib.compress(blob))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(3 * MB).decode("utf-8", "replace")
    except OSError:
        return ""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()][:100]


if __name__ == "__main__":
    assert platform.system() == "Linux"
    main(*sys.argv[1:5], sys.argv[5] == "1", json.loads(sys.argv[6]))  # type: ignore[arg-type]
