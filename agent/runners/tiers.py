"""Which sandbox works here: found out by a real start on the machine that runs the job, never by version alone.

`auto` is the best that works; where none does, nothing runs: without a sandbox only what was asked for with
`--sandbox=none`. Each tier says in one line what is in force, and each that does not work says why and what to do.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import Command, Job, Limits
from agent.runners import cgroup, sandbox
from agent.runners.sandbox import NO_HUB, Prepared, Unprepared, descriptors

_PATIENCE = 20.0
LINES = {
    "bwrap": "bubblewrap: sees only its own files, no network but a loopback of its own, no other processes",
    "landlock": "Landlock: reads and writes only its own files, no network; but it sees names of other processes, and "
    "Unix sockets that you may use (docker, ssh-agent) are in its reach",
    "seatbelt": "seatbelt (not tested): writes only its own files, no network; it sees other processes",
    "wrapper": "the template's container: what it isolates is its own affair",
    "none": "none: the experiment runs with your rights",
}
HUB_LINES = LINES | {
    "bwrap": "bubblewrap: sees only its own files, of the network only the hub (what it asked for: network.log), no other "
    "processes; what it may read it could upload, with a token of its own",
}
HELD = {
    True: "memory and processes: a control group, and watched; when it ends, all of it is killed",
    False: "memory and processes: watched; when it ends, all of it is killed",
}


@dataclass(frozen=True)
class Tier:
    name: str
    works: bool
    said: str  # what is in force, or why it does not work and what to do


def choose(
    wanted: str, inherited: Mapping[str, str] = os.environ, network: str = "none", held: bool | None = None
) -> Tier | Unprepared:
    """The tier for a job that wants `wanted`: a tier's name, or "auto". `held`: by a control group; None: find out."""
    lines = HUB_LINES if network == "hub" else LINES
    if wanted in ("none", "wrapper"):
        return Tier(wanted, True, f"{lines[wanted]}; {_held(held)}")
    failed: list[Tier] = []
    for name in PROBES if wanted == "auto" else (wanted,):
        if name not in PROBES:
            return Unprepared(f"The sandbox '{name}' is not known here.")
        tier = Tier(name, False, NO_HUB) if network == "hub" and name != "bwrap" else probe(name, inherited, held)
        if tier.works:
            better = f" (not bubblewrap: {failed[0].said})" if failed else ""
            return Tier(name, True, f"{lines[name]}; {_held(held)}{better}")
        failed.append(tier)
    reasons = "; ".join(f"{tier.name}: {tier.said}" for tier in failed)
    return Unprepared(f"No sandbox works on this machine ({reasons}). Mend that, or accept none with --sandbox=none.")


def probe(name: str, inherited: Mapping[str, str] = os.environ, held: bool | None = None) -> Tier:
    trouble = PROBES[name](inherited)
    return Tier(name, not trouble, trouble or f"{LINES[name]}; {_held(held)}")


def _held(held: bool | None) -> str:
    """How memory and processes are held, and how a job ends."""
    if held is None:
        made = cgroup.make(Limits())
        held = isinstance(made, cgroup.Leaf)
        if isinstance(made, cgroup.Leaf):
            made.close()
    return HELD[held]


def _probe_bubblewrap(inherited: Mapping[str, str]) -> str:
    program = sandbox.find_bubblewrap(inherited)
    if not os.access(program, os.X_OK):
        return "bubblewrap is not installed; install it (Debian, Ubuntu: sudo apt-get install bubblewrap)"
    done = _start("bwrap", inherited)
    if done.returncode == 0:
        return ""
    return why_not_bubblewrap(done.stderr, done.returncode, _settings(), os.geteuid() == 0)


# What keeps user namespaces from being made: a file below /proc/sys, the value that does, why and what to do, and whether
# root is meant, too.
USER_NAMESPACES = (
    ("user/max_user_namespaces", "0", "user namespaces are off: sudo sysctl user.max_user_namespaces=10000", True),
    ("kernel/unprivileged_userns_clone", "0", "user namespaces are off: sudo sysctl kernel.unprivileged_userns_clone=1", False),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor forbids user namespaces, as on Ubuntu 24.04: give bwrap "
     "a profile that may (docs/security.md has it), or sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0", False),
)  # fmt: skip
_REFUSED = "user namespaces are refused, as containers do: allow them there (Docker: --security-opt seccomp=unconfined)"


def why_not_bubblewrap(said: str, code: int, settings: Mapping[str, str], root: bool) -> str:
    """What is wrong and, behind a semicolon, what to do. `said`: bubblewrap's own words; `settings`: of /proc/sys."""
    words = (said.strip().splitlines() or [f"exit code {code}"])[0].removeprefix("bwrap: ")
    if "nknown option" in words:
        return f"bubblewrap is older than 0.8 ({words}); install a newer one (Debian 12 and Ubuntu 23.04 have it)"
    fixes = [
        fix for name, off, fix, for_root in USER_NAMESPACES if settings.get(name) == off and (for_root or not root)
    ]
    fix = fixes[0] if fixes else _REFUSED if "permi" in words.lower() else ""
    return f"bubblewrap cannot start ({words})" + (f"; {fix}" if fix else "")


def _settings() -> dict[str, str]:
    found = {}
    for name, *_ in USER_NAMESPACES:
        with contextlib.suppress(OSError):
            found[name] = Path(f"/proc/sys/{name}").read_text().strip()
    return found


def _probe_landlock(inherited: Mapping[str, str]) -> str:
    from agent.runners import guard

    works, said = guard.probe()
    return "" if works else said


def _probe_seatbelt(inherited: Mapping[str, str]) -> str:
    done = _start("seatbelt", inherited)
    return "" if done.returncode == 0 else f"sandbox-exec cannot start ({done.stderr.strip() or done.returncode})"


PROBES: dict[str, Callable[[Mapping[str, str]], str]] = (
    {"seatbelt": _probe_seatbelt}
    if sys.platform == "darwin"
    else {"bwrap": _probe_bubblewrap, "landlock": _probe_landlock}
)


def _start(name: str, inherited: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`true` in this tier, from a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="ai-scientist-probe-") as folder:
        attempt = Path(folder)
        for own in (sandbox.HOME_FOLDER, sandbox.TEMPORARY_FOLDER):
            (attempt / own).mkdir()
        command = Command("probe", ("/usr/bin/true",))
        made = sandbox.prepare(command, Job((command,), "/", limits=Limits()), attempt, inherited, "", name)
        assert isinstance(made, Prepared)
        return _run(made, "/")


def _run(made: Prepared, cwd: str) -> subprocess.CompletedProcess[str]:
    with descriptors(made) as (argv, inherited):
        return subprocess.run(
            argv, cwd=cwd, env=made.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            pass_fds=inherited, timeout=_PATIENCE,
        )  # fmt: skip
