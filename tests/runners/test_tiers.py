"""Why a tier does not work here, and what to do: for every case that people meet. What works is tried by real starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.config import Settings
from agent.doctor import machine
from agent.runners import tiers
from agent.runners.sandbox import Unprepared
from agent.runners.tiers import why_not_bubblewrap

UBUNTU_2404 = {
    "kernel/apparmor_restrict_unprivileged_userns": "1",
    "kernel/unprivileged_userns_clone": "1",
    "user/max_user_namespaces": "63000",
}
OPEN = {**UBUNTU_2404, "kernel/apparmor_restrict_unprivileged_userns": "0"}


@pytest.mark.parametrize(
    ("said", "settings", "root", "begins", "fix"),
    [
        ("bwrap: setting up uid map: Permission denied", UBUNTU_2404, False,
         "bubblewrap cannot start (setting up uid map: Permission denied); AppArmor forbids user namespaces", "a profile"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", UBUNTU_2404, False,
         "bubblewrap cannot start", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: No permissions to create a new namespace, likely because …", {**OPEN, "kernel/unprivileged_userns_clone": "0"},
         False, "bubblewrap cannot start", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("bwrap: Creating new namespace failed: No space left on device", {**OPEN, "user/max_user_namespaces": "0"}, False,
         "bubblewrap cannot start", "sudo sysctl user.max_user_namespaces=10000"),
        ("bwrap: Creating new namespace failed: No space left on device", {**OPEN, "user/max_user_namespaces": "0"}, True,
         "bubblewrap cannot start", "sudo sysctl user.max_user_namespaces=10000"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", UBUNTU_2404, True,
         "bubblewrap cannot start", "as containers do"),
        ("bwrap: No permissions to create new namespace", {}, False, "bubblewrap cannot start", "as containers do"),
        ("bwrap: Unknown option --disable-userns\nusage: …", OPEN, False,
         "bubblewrap is older than 0.8 (Unknown option --disable-userns)", "install a newer one"),
    ],
)  # fmt: skip
def test_each_hindrance_of_bubblewrap_has_its_sentence_and_its_cure(
    said: str, settings: dict[str, str], root: bool, begins: str, fix: str
) -> None:
    told = why_not_bubblewrap(said, 1, settings, root)
    assert told.startswith(begins) and told.count("; ") == 1
    assert fix in told.partition("; ")[2]


def test_what_is_not_understood_is_passed_on_as_it_is() -> None:
    assert why_not_bubblewrap("", 139, OPEN, False) == "bubblewrap cannot start (exit code 139)"
    assert (
        why_not_bubblewrap("bwrap: execvp x: Not a file", 1, OPEN, False)
        == "bubblewrap cannot start (execvp x: Not a file)"
    )


def program(folder: Path, text: str) -> dict[str, str]:
    """A PATH with a bwrap that does this."""
    (folder / "bwrap").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bwrap").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}


def test_an_old_bubblewrap_is_not_used_and_the_next_tier_says_why_not_the_better(tmp_path: Path) -> None:
    old = program(tmp_path, "echo 'bwrap: Unknown option --disable-userns' >&2; exit 1")
    assert not tiers.probe("bwrap", old).works
    chosen = tiers.choose("auto", old)
    assert isinstance(chosen, Unprepared) or "(not bubblewrap: bubblewrap is older than 0.8" in chosen.said


def test_a_bubblewrap_that_is_not_there_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.runners import sandbox

    monkeypatch.setattr(sandbox, "find_bubblewrap", lambda _: str(tmp_path / "bwrap"))
    tier = tiers.probe("bwrap")
    assert not tier.works
    assert tier.said == "bubblewrap is not installed; install it (Debian, Ubuntu: sudo apt-get install bubblewrap)"


def test_a_line_says_files_network_memory_and_how_it_ends() -> None:
    for name in tiers.PROBES:
        for held in (True, False):
            said = f"{tiers.LINES[name]}; {tiers.HELD[held]}"
            for word in ("files", "network", "memory", "killed"):
                assert word in said


def test_doctor_shows_each_tier_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = why_not_bubblewrap("bwrap: setting up uid map: Permission denied", 1, UBUNTU_2404, False)
    monkeypatch.setattr(tiers, "PROBES", {"bwrap": lambda _: refused, "landlock": lambda _: ""})
    bwrap, landlock = (check for check in machine.examine(Settings()) if check.what.startswith("Sandbox"))
    assert (bwrap.state, bwrap.found) == ("optional", "bubblewrap cannot start (setting up uid map: Permission denied)")
    assert bwrap.fix.startswith("AppArmor forbids user namespaces")
    assert landlock.state == "ok" and "network" in landlock.found
    monkeypatch.setattr(tiers, "PROBES", {"bwrap": lambda _: refused})
    (alone,) = (check for check in machine.examine(Settings()) if check.what.startswith("Sandbox"))
    assert alone.state == "missing" and alone.fix.endswith("--sandbox=none.")
