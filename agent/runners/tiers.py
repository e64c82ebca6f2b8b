"""Which sandbox works here: found out by a real start on the machine that runs the job, never by version alone.

`auto` is the best that works; where none does, nothing runs: without a sandbox only what was asked for with
`--sandbox=none`. Each tier says in one line what is in force, and each that does not work says why and what to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import Command, Job, Limits
from agent.runners import sandbox
from agent.runners.sandbox import NO_HUB, Prepared, Unprepared, descriptors

_PATIENCE = 20.0
LINES = {
    "bwrap": "bubblewrap: sees only its own files, no network but a loopback of its own, no other processes",
    "landlock": "Landlock: reads and writes only its own files, no network; but it sees names of other processes, and "
    "Unix sockets that you may use (docker, ssh-agent) are in its reach",
    "seatbelt": "seatbelt (not tested): writes only its own files, no network",
    "wrapper": "the template's container: what it isolates is its own affair",
    "none": "none: the experiment runs with your rights",
}
HUB_LINES = LINES | {
    "bwrap": "bubblewrap: sees only its own files, of the network only the hub (what it asked for: network.log), no other "
    "processes; what it may read it could upload, with a token of its own",
}


@dataclass(frozen=True)
class Tier:
    name: str
    works: bool
    said: str  # what is in force, or why it does not work and what to do


def choose(wanted: str, inherited: Mapping[str, str] = os.environ, network: str = "none") -> Tier | Unprepared:
    """The tier for a job that wants `wanted`: a tier's name, or "auto"."""
    lines = HUB_LINES if network == "hub" else LINES
    if wanted in ("none", "wrapper"):
        return Tier(wanted, True, lines[wanted])
    failed: list[Tier] = []
    for name in PROBES if wanted == "auto" else (wanted,):
        if name not in PROBES:
            return Unprepared(f"The sandbox '{name}' is not known here.")
        tier = Tier(name, False, NO_HUB) if (name, network) == ("landlock", "hub") else probe(name, inherited)
        if tier.works:
            better = f" (not bubblewrap: {failed[0].said})" if failed else ""
            return Tier(name, True, lines[name] + better)
        failed.append(tier)
    reasons = "; ".join(f"{tier.name}: {tier.said}" for tier in failed)
    return Unprepared(f"No sandbox works on this machine ({reasons}). Mend that, or accept none with --sandbox=none.")


def probe(name: str, inherited: Mapping[str, str] = os.environ) -> Tier:
    trouble = PROBES[name](inherited)
    return Tier(name, not trouble, trouble or LINES[name])


def _probe_bubblewrap(inherited: Mapping[str, str]) -> str:
    if sys.platform != "linux":
        return "bubblewrap is for Linux"
    program = sandbox.find_bubblewrap(inherited)
    if not os.access(program, os.X_OK):
        return "bubblewrap is not installed; install it (Debian, Ubuntu: apt-get install bubblewrap)"
    done = _start("bwrap", inherited)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()[0] if done.stderr.strip() else f"exit code {done.returncode}"
    if "nknown option" in said:
        return f"bubblewrap is older than 0.8 ({said})"
    return f"bubblewrap cannot start ({said.removeprefix('bwrap: ')}){_namespaces_off()}"


def _namespaces_off() -> str:
    """What keeps ordinary users from making user namespaces, and how to allow it."""
    settings = {
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "AppArmor forbids user namespaces; allow bwrap with a profile "
            "(apparmor.d(5)), or sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        "kernel/unprivileged_userns_clone": ("0", "user namespaces are off; sysctl kernel.unprivileged_userns_clone=1"),
        "user/max_user_namespaces": ("0", "user namespaces are off; sysctl user.max_user_namespaces=10000"),
    }  # fmt: skip
    for path, (off, fix) in settings.items():
        try:
            if Path(f"/proc/sys/{path}").read_text().strip() == off:
                return f"; {fix}"
        except OSError:
            continue
    return ""


def _probe_landlock(inherited: Mapping[str, str]) -> str:
    from agent.runners import guard

    works, said = guard.probe()
    return "" if works else said


PROBES: dict[str, Callable[[Mapping[str, str]], str]] = {"bwrap": _probe_bubblewrap, "landlock": _probe_landlock}


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
