"""Each hostile experiment against each tier, as root and as an ordinary user: what docs/security.md claims is so.

An attack that does not get through where nothing is protected would prove nothing: `control` shows that it does, on the
same throw-away machine. Needs root (or sudo without a password) to make that machine; nothing leaves it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from agent.core.job import Ending
from agent.runners import landlock
from tests.hostile import arena
from tests.hostile.arena import Seen, fight
from tests.hostile.table import ATTACKS, CONTAINED, GROUPS, NOT, Attack, table

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
TIERS, USERS = ("bwrap", "landlock"), ("root", "user")
OWNERLESS = (*GROUPS["Limits"], *GROUPS["Results"])  # no rights of files are in play: one control is enough


def lacking(tier: str) -> str:
    """What the machine needs before this can be tried."""
    programs = ["unshare", "setpriv", *(["bwrap"] if tier == "bwrap" else [])]
    if missing := [name for name in programs if not shutil.which(name)]:
        return f"{', '.join(missing)} is not installed"
    if platform.machine() != "x86_64":
        return "the attacks name system calls by their numbers on x86-64"
    if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
        return "a throw-away machine needs root"
    modules = Path("/sys/kernel/security/lsm")
    if tier == "landlock" and modules.exists() and "landlock" not in modules.read_text():
        return "this kernel has no Landlock"
    return ""


@pytest.fixture(autouse=True)
def able(request: pytest.FixtureRequest) -> None:
    if "tier" in request.fixturenames or "control" in request.node.name:
        tier = request.getfixturevalue("tier") if "tier" in request.fixturenames else "control"
        if reason := lacking(tier):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def cells() -> Iterator[tuple[str, str, str]]:
    for attack in ATTACKS.values():
        yield from ((attack.name, tier, user) for tier in TIERS for user in USERS)
        if attack.none != NOT:
            yield attack.name, "none", "root"
        if attack.claim("none") not in (NOT, CONTAINED):
            yield attack.name, "none", "user"


def controls() -> Iterator[tuple[str, str]]:
    for attack in ATTACKS.values():
        yield attack.name, "root"
        if not attack.root_only and attack not in OWNERLESS:
            yield attack.name, "user"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "user"), list(controls()))
def test_control_without_protection_the_attack_gets_through(name, user):
    attack = ATTACKS[name]
    seen = fight(name, "none" if attack.none == NOT else "raw", user, limits=False)
    assert set(seen.signs) & set(attack.signs), seen


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tier", "user"), list(cells()))
def test_a_tier_does_what_its_cell_claims(name, tier, user):
    attack = ATTACKS[name]
    seen = fight(name, tier, user)
    assert seen.outcome is not None, seen
    assert seen.outcome["ending"] in get_args(Ending), seen
    claim = attack.claim(tier) if user in attack.open_to else CONTAINED
    if tier == "landlock" and attack.since:
        if landlock.abi() < attack.since and claim == CONTAINED:
            return  # said to be open on this kernel
        claim = CONTAINED if landlock.abi() >= attack.since else claim
    {CONTAINED: contained, NOT: not_contained}.get(claim, limited)(attack, seen)


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("tier", ["none", *TIERS])
def test_an_honest_experiment_works_in_every_tier(tier, user):
    seen = fight("honest", tier, user)
    assert seen.signs == {}, seen
    assert (seen.outcome["ending"], seen.outcome["exit_code"]) == ("finished", 0), seen
    assert "core.kl_nats" in seen.results, seen  # the evaluation has read the sealed file and the weights
    assert ("LOOPBACK hello" in seen.output) == (tier != "landlock"), seen


def contained(attack: Attack, seen: Seen) -> None:
    assert seen.signs == {}, seen
    assert attack.ending in ("", seen.outcome["ending"]), seen
    assert seen.outcome["ending"] != "limit" or (seen.outcome["detail"] and seen.outcome["usage"]), seen


def not_contained(attack: Attack, seen: Seen) -> None:
    """Said to be open, and it is: a table that is too modest sends people to look for what is not there."""
    assert set(seen.signs) & set(attack.signs), seen
    assert set(seen.signs) <= set(attack.signs), seen


def limited(attack: Attack, seen: Seen) -> None:
    not_contained(attack, seen)
    got = [sign for found in seen.signs.values() for sign in found]
    assert not attack.partly or all(sign.startswith(attack.partly) for sign in got), seen


def test_every_attack_has_a_program_and_every_program_a_row():
    programs = {path.stem for path in (Path(arena.__file__).parent / "attacks").glob("*.py")} - {"__init__", "honest"}
    assert programs == set(ATTACKS)


def test_the_document_holds_this_table():
    text = SECURITY.read_text()
    for title, rows in GROUPS.items():
        assert f"### {title}\n\n{table(rows)}\n" in text, f"{title}: paste it from python -m tests.hostile.table"
