"""What all runs of the SAE template train on is made once, before the first one, where no run can change it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from agent.core.job import Outcome
from agent.core.prefetch import failure_of
from agent.store.catalog import load_template
from tests.templates.sae_world import TEMPLATE, sae, sae_cache  # noqa: F401

FETCH = ("-c", "import json; from harness import data; print(json.dumps(data.prefetch()))")
SAME = ("core.kl_nats", "core.explained_variance", "synthetic.mcc", "synthetic.f1")


@pytest.fixture
def made(sae):  # noqa: F811
    """The environment that runs get after it was made."""
    return fetched(sae)


def fetched(sae):  # noqa: F811
    env = {"AI_SCIENTIST_CACHE": str(sae.folder / "shared")}
    done = sae.python(*FETCH, **env)
    assert done.returncode == 0, done.stderr
    return {**env, "AI_SCIENTIST_REVISIONS": done.stdout.splitlines()[-1], "SAE_CACHE": str(sae.folder / "own")}


def test_the_template_names_it():
    assert load_template(str(TEMPLATE)).template.environment.prefetch == "harness/data.py:prefetch"


def test_a_run_takes_what_was_made_and_scores_as_one_by_hand(sae, made):  # noqa: F811
    done = sae.run(**made)
    assert done.returncode == 0, done.stderr
    assert "making" not in done.stdout
    assert not (sae.folder / "own").exists()
    alone = sae.means("by_hand")
    assert {m: sae.read()[m] for m in SAME} == {m: alone[m] for m in SAME}
    assert fetched(sae) == made, "and a second time there is nothing to do"


def test_nothing_held_out_is_in_what_every_run_can_read(sae, made):  # noqa: F811
    """It is made without a held-out file, and comes out the same."""
    shutil.rmtree(sae.folder / "harness/heldout")
    shutil.rmtree(sae.folder / "shared")
    assert fetched(sae) == made
    tables = sorted(json.loads(made["AI_SCIENTIST_REVISIONS"]))
    assert sorted(p.name for p in (sae.folder / "shared/sae").iterdir()) == sorted(
        f"{name}.{kind}" for name in tables for kind in ("f32", "json")
    )


def forge(sae):  # noqa: F811
    """Other activations, with a note that says that they are the right ones."""
    import hashlib

    path = next((sae.folder / "shared/sae").glob("layer*.f32"))
    path.write_bytes(path.read_bytes()[::-1])
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))


def test_a_run_that_finds_other_activations_than_its_study_began_with_makes_its_own(sae, made):  # noqa: F811
    honest = sae.means(**made)
    forge(sae)
    done = sae.run("again", **made)
    assert "making layer" in done.stdout and "making synthetic" not in done.stdout
    assert {m: sae.read("again")[m] for m in SAME} == {m: honest[m] for m in SAME}
    shutil.rmtree(sae.folder / "own")
    unpinned = sae.run("unpinned", **{**made, "AI_SCIENTIST_REVISIONS": "{}"})
    assert "making" not in unpinned.stdout
    assert unpinned.returncode or sae.read("unpinned")["core.kl_nats"] != honest["core.kl_nats"], "without the pin it is taken"


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no note"])
def test_what_is_damaged_is_made_again_by_a_run_for_itself_and_by_the_next_study_for_all(sae, made, damage):  # noqa: F811
    path = next((sae.folder / "shared/sae").glob("synthetic*.f32"))
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-4])
    elif damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "gone":
        path.unlink()
    else:
        path.with_suffix(".json").unlink()
    code = "from harness import data; print([w.name for w in data.worlds()])"
    done = sae.python("-c", code, **made)
    assert done.returncode == 0, done.stderr
    assert "making synthetic" in done.stdout and "/own" in done.stdout
    assert fetched(sae) == made
    assert path.read_bytes() == content


def test_a_study_that_began_on_another_kind_of_machine_is_told_so(sae, made):  # noqa: F811
    elsewhere = json.dumps(dict.fromkeys(json.loads(made["AI_SCIENTIST_REVISIONS"]), "0" * 64))
    done = sae.run(**{**made, "AI_SCIENTIST_REVISIONS": elsewhere})
    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("OSError: layer1-") and "other digits here than where this study began" in last


def test_a_full_disk_is_told_as_one_and_nothing_is_left_there(sae, tmp_path):  # noqa: F811
    """A file system of four megabytes."""
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap makes the small file system")
    small, said = tmp_path / "small", tmp_path / "listing"
    small.mkdir()
    inside = f"{sys.executable} -c '{FETCH[1]}'; code=$?; ls {small}/sae > {said}; exit $code"
    done = subprocess.run(
        ["bwrap", "--dev-bind", "/", "/", "--size", "4000000", "--tmpfs", str(small), "sh", "-c", inside],
        cwd=sae.folder, env={**os.environ, "SAE_PROFILE": "micro", "AI_SCIENTIST_CACHE": str(small)},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    kind, evidence = failure_of(Outcome("finished", exit_code=1), done.stderr, "")
    assert kind == "room", done.stderr
    assert "cannot be kept in" in evidence and "SAE_CACHE" not in evidence
    assert said.read_text() == ""


def test_what_a_killed_one_left_is_cleared_away_later_and_what_is_under_way_is_not(sae):  # noqa: F811
    folder = sae.folder / "shared/sae"
    folder.mkdir(parents=True)
    old, new = folder / "layer1-1-0.17.new", folder / "layer1-1-0.18.new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    fetched(sae)
    assert (old.exists(), new.exists()) == (False, True)
