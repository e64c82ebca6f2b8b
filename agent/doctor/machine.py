"""What this machine has of what the tool needs. Looks, and changes nothing."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from agent.core.config import Settings
from agent.core.errors import ScientistError
from agent.core.text import listed
from agent.doctor.check import Check

_ROOM = 5 * 1024**3
_PACKAGES = ("pydantic", "rich", "aider-chat", "litellm", "torch", "transformers", "datasets")


def examine(settings: Settings) -> list[Check]:
    return [
        _python(),
        _git(),
        _packages(),
        _interpreter(settings),
        _results(settings),
        _gpu(),
        *_sandboxes(),
        _latex(),
    ]


def _python() -> Check:
    return Check("ok", "Python", f"{platform.python_version()} at {sys.executable}")


def _git() -> Check:
    path = shutil.which("git")
    if not path:
        return Check("missing", "git", "not found", "Install git (Debian: apt-get install git).")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
    return Check("ok", "git", version)


def _packages() -> Check:
    absent, found = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            absent.append(name)
    if absent:
        return Check("optional", "Packages", f"without {', '.join(absent)}", "`make setup` installs them all.")
    return Check("ok", "Packages", ", ".join(found))


def _interpreter(settings: Settings) -> Check:
    from agent.runners.inspect import fingerprint

    prefix = (settings.python,) if settings.python else (sys.executable,)
    try:
        found = fingerprint(prefix)
    except ScientistError as error:
        return Check("missing", "Experiment's Python", error.message, error.hint)
    return Check(
        "ok", "Experiment's Python", f"{found.python} at {found.executable}, torch {found.torch or 'not installed'}"
    )


def _results(settings: Settings) -> Check:
    place = Path(settings.results).absolute()
    while not place.exists():
        place = place.parent
    probe = place / ".ai-scientist-probe"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Check("missing", "Results folder", f"{settings.results}: {error.strerror}", "Choose another with -o.")
    room = shutil.disk_usage(place).free
    said = f"{settings.results}, {room / 1024**3:.0f} GiB free"
    return (
        Check("ok", "Results folder", said)
        if room > _ROOM
        else Check("optional", "Results folder", said, "Make room: runs may save weights.")
    )


def _gpu() -> Check:
    if not shutil.which("nvidia-smi"):
        return Check("optional", "GPU", "none found", "Profiles for a CPU work without one.")
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"], capture_output=True, text=True
    )
    return Check(
        "ok" if done.returncode == 0 else "optional",
        "GPU",
        done.stdout.strip().replace("\n", "; ") or "nvidia-smi fails",
    )


def _sandboxes() -> list[Check]:
    """Each tier with what it lacks; one that works is enough, and none is a reason to stop."""
    from agent.runners import tiers

    found = [tiers.probe(name) for name in tiers.PROBES]
    some = any(tier.works for tier in found)
    checks = []
    for tier in found:
        said, _, fix = tier.said.partition("; ")
        if tier.works:
            checks.append(Check("ok", f"Sandbox {tier.name}", tier.said))
        else:
            accept = "" if some else " Or accept that experiments run with your rights: --sandbox=none."
            checks.append(
                Check("optional" if some else "missing", f"Sandbox {tier.name}", said, f"{fix}{accept}".strip())
            )
    return checks


def _latex() -> Check:
    from agent.steps.build import DEBIAN, PROGRAMS, lacking

    if not (missing := lacking()):
        return Check("ok", "LaTeX", listed(PROGRAMS))
    fix = f"Needed for PDFs only; `make system` installs it, or on Debian: apt-get install {DEBIAN}."
    return Check("optional", "LaTeX", f"{listed(missing)} not found", fix)
