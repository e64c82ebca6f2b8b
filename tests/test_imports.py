"""What is only looked at must come up fast: the heavy libraries stay out of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories import world
from tests.stories.world import Script

HEAVY = ("litellm", "aider", "torch", "transformers", "scipy", "datasets", "matplotlib", "numpy", "httpx", "git")
LOOK = """
import contextlib, io, json, sys
from agent.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    try:
        code = main(sys.argv[1:])
    except SystemExit as stop:
        code = stop.code
print(json.dumps([code, len(out.getvalue()), sorted({name.split(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    place = tmp_path_factory.mktemp("imports")
    root, settings = world.start(place, max_runs=1)
    assert (
        world.go(
            root, Script(world.edits(world.rate(0.05, 0.02)) | {("notes", "run_1", 1): world.notes("run_1")}), settings
        ).exit_code
        == 0
    )
    return place / "results"


def imported(*arguments):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    code, printed, modules = json.loads(done.stdout)
    assert (code, printed > 0) == (0, True)
    return set(modules)


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    assert imported(*arguments).isdisjoint({*HEAVY, "pydantic", "rich"})


@pytest.mark.parametrize("command", ["show", "diff", "note"])
def test_looking_imports_nothing_heavy(results, command):
    more = {"diff": ["run_1"], "note": ["a hint"]}.get(command, [])
    assert imported(command, "last", *more, "-o", str(results)).isdisjoint(HEAVY)


def test_the_check_sees_what_is_imported(results):
    assert {"agent", "pydantic"} <= imported("show", "last", "-o", str(results))
