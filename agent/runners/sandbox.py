"""What a command may see and touch: the one place where a job's command line and environment are made.

`prepare` turns a command into what is really executed in a tier; tiers.py finds out which tier works on this machine.

    bwrap     bubblewrap: an own file system, own processes, own network (bubblewrap.py)
    landlock  Landlock and seccomp: files by rules, no sockets but Unix ones (guard.py)
    seatbelt  macOS: files by name, no network (seatbelt.py; not tested)
    wrapper   the template's own container; what it isolates is its affair
    none      NOTHING IS ISOLATED: the job can read the user's files, write outside the study, use the network

What always holds, whatever the tier, is the scrubbed environment: of the caller's variables only those named below are
passed on, none of which normally holds a secret. docs/security.md says what each tier contains.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import PROGRESS_FILE, Command, Job, Limits
from agent.runners import bubblewrap
from agent.runners.bubblewrap import Walls

HOME_FOLDER = "home"
TEMPORARY_FOLDER = "tmp"
CHECKPOINT_FOLDER = "checkpoint"
OWN = (HOME_FOLDER, CHECKPOINT_FOLDER, PROGRESS_FILE)  # of an attempt's folder, what its job may write
_THREADS, _THREADS_EACH = 1024, 64
SECCOMP = "{seccomp}"  # in an argv: the number of the descriptor that holds `Prepared.seccomp`
DOOR = "{door}"  # in an argv: the number of the descriptor that leads to hub.py
DOORWAY = str(Path(__file__).resolve().with_name("doorway.py"))
PROXY_PORT = 3128  # on the sandbox's own loopback
NO_HUB = (
    'network = "hub" needs bubblewrap, for no other sandbox tells one host from another; install bubblewrap, or let the '
    'template fetch what it needs by prefetch and leave network = "none"'
)

# Names, not patterns: NVIDIA_* would let NVIDIA_API_KEY through, SLURM_* the keys of some plug-ins.
INHERITED = frozenset(
    """
    PATH LANG LANGUAGE TZ TERM USER LOGNAME SHELL
    LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH SSL_CERT_FILE SSL_CERT_DIR
    CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_ROOT CUBLAS_WORKSPACE_CONFIG
    NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES NVIDIA_TF32_OVERRIDE PYTORCH_CUDA_ALLOC_CONF PYTORCH_ALLOC_CONF
    ROCM_PATH HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES HSA_OVERRIDE_GFX_VERSION
    OMP_NUM_THREADS OMP_PROC_BIND OMP_PLACES MKL_NUM_THREADS MKL_DYNAMIC OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS
    VECLIB_MAXIMUM_THREADS KMP_AFFINITY KMP_BLOCKTIME GOMP_CPU_AFFINITY MALLOC_ARENA_MAX
    SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_NODELIST SLURM_JOB_NUM_NODES SLURM_JOB_CPUS_PER_NODE SLURM_JOB_GPUS
    SLURM_NNODES SLURM_NODEID SLURM_NODELIST SLURM_NTASKS SLURM_PROCID SLURM_LOCALID SLURM_CPUS_PER_TASK
    SLURM_CPUS_ON_NODE SLURM_GPUS SLURM_GPUS_ON_NODE SLURM_GPUS_PER_NODE SLURM_MEM_PER_NODE SLURM_MEM_PER_CPU
    SLURM_RESTART_COUNT SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_STEP_ID SLURM_STEP_GPUS SLURMD_NODENAME
    """.split()  # noqa: SIM905  seventy strings, one by one, read worse
)


@dataclass(frozen=True)
class Prepared:
    argv: tuple[str, ...]
    env: dict[str, str]
    seccomp: bytes = b""  # a filter for the tier's program, which wants it as a descriptor
    outer: bool = False  # argv begins with a process that is the tier's, not the job's


@dataclass(frozen=True)
class Unprepared:
    """This command cannot be started as asked; `reason` is one sentence for people."""

    reason: str


def scrubbed(inherited: Mapping[str, str], more: Collection[str] = ()) -> dict[str, str]:
    """The harmless part of an environment, and the variables that are asked for by name."""
    return {n: value for n, value in inherited.items() if n in INHERITED or n.startswith("LC_") or n in more}


def environment(job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str = "") -> dict[str, str]:
    """Threads for the cores it has, harmless inherited variables, the job's own, then what no job may choose."""
    return {
        **_threads(job.limits.cpus),
        **scrubbed(inherited, job.inherit),
        **job.env,
        "HOME": str(attempt / HOME_FOLDER),  # ~/.cache, ~/.config and all XDG defaults follow it
        "TMPDIR": temporary or str(attempt / TEMPORARY_FOLDER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",  # or the last lines before a kill would be lost
        "AI_SCIENTIST_PROGRESS": str(attempt / PROGRESS_FILE),
    }


def _threads(cpus: int | None) -> dict[str, str]:
    if cpus is None:
        return {}
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(min(cpus, there))}  # MKL, OpenBLAS and torch follow it


def prepare(
    command: Command, job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str = "", tier: str = "none"
) -> Prepared | Unprepared:
    """What to execute for `command` in `tier`. `temporary` is another, shorter name of the attempt's temporary folder."""
    if tier in ("none", "wrapper"):
        return Prepared(command.argv, environment(job, attempt, inherited, temporary))
    if tier == "bwrap":
        return _in_bubblewrap(command, job, attempt, inherited)
    if tier == "seatbelt":
        return _in_seatbelt(command, job, attempt, inherited, temporary)
    if tier == "landlock":
        return _guarded(command, job, attempt, inherited, temporary)
    return Unprepared(f"The sandbox '{tier}' is not known here.")


def _in_bubblewrap(command: Command, job: Job, attempt: Path, inherited: Mapping[str, str]) -> Prepared:
    from agent.runners import syscalls

    hidden = [path for path in command.reach.hidden if os.path.lexists(path)]
    walls = Walls(
        readable=command.reach.readable,
        hidden_folders=tuple(path for path in hidden if Path(path).is_dir()),
        hidden_files=tuple(path for path in hidden if not Path(path).is_dir()),
        writable=(*command.reach.writable, *_own(attempt)),
        temporary=str(attempt / TEMPORARY_FOLDER),
        shared_memory=job.limits.memory or _half_of_memory(),
        gpus=_gpus(),
        network=job.network == "host",
    )
    program, inner = find_bubblewrap(inherited), _limited(command.argv, job.limits)
    env = environment(job, attempt, inherited, bubblewrap.SHORT_TEMPORARY)
    if job.network == "hub":
        walls = dataclasses.replace(walls, readable=(*walls.readable, *_doorway()))
        inner = (os.path.realpath(sys.executable), "-I", "-S", DOORWAY, DOOR, str(PROXY_PORT), "--", *inner)
        env |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{PROXY_PORT}")
    argv = bubblewrap.command_line(program, walls, job.cwd, inner)
    return Prepared(argv, env, syscalls.program(os.uname().machine, "all"), outer=True)


def _guarded(
    command: Command, job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str
) -> Prepared | Unprepared:
    from agent.runners import guard

    if job.network == "hub":
        return Unprepared(f"{NO_HUB}.")
    shared = os.path.realpath("/dev/shm")
    writable = [*command.reach.writable, *_own(attempt), str(attempt / TEMPORARY_FOLDER), shared]
    limits = {
        "processes": None,
        "open_files": job.limits.open_files,
        "file_bytes": job.limits.disk,
        "address_space": None,
    }
    spec = {
        "writable": writable,
        "readable": [*bubblewrap.SYSTEM, *bubblewrap.ETC, "/proc", *command.reach.readable],
        "optional": [*bubblewrap.SYSTEM, *bubblewrap.ETC, shared],
        "hidden": list(command.reach.hidden),
        "devices": list(_gpus()),
        "sockets": "all" if job.network == "host" else "unix",
        "limits": limits,
    }
    argv = (sys.executable, "-I", "-S", str(Path(guard.__file__)), json.dumps(spec), "--", *command.argv)
    return Prepared(argv, environment(job, attempt, inherited, temporary))


def _in_seatbelt(
    command: Command, job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str
) -> Prepared | Unprepared:
    from agent.runners import seatbelt

    if job.network == "hub":
        return Unprepared(f"{NO_HUB}.")
    reach, real = command.reach, os.path.realpath
    walls = seatbelt.Walls(
        readable=tuple(map(real, reach.readable)),
        hidden=tuple(map(real, reach.hidden)),
        writable=tuple(map(real, (*reach.writable, *_own(attempt), str(attempt / TEMPORARY_FOLDER)))),
        network=job.network == "host",
    )
    try:
        argv = seatbelt.command_line(walls, command.argv)
    except ValueError as problem:
        return Unprepared(f"{problem}.")
    return Prepared(argv, environment(job, attempt, inherited, temporary))


def _doorway() -> list[str]:
    """doorway.py, and this program's own Python, which runs it."""
    return [DOORWAY, *({sys.base_prefix, sys.base_exec_prefix} - set(bubblewrap.SYSTEM))]


def _own(attempt: Path) -> list[str]:
    return [str(attempt / name) for name in OWN if (attempt / name).exists()]


def _limited(argv: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    """A bomb's last bound, should the watch be too slow. It counts threads, per user namespace, so it is set inside."""
    if limits.processes is None or not Path("/usr/bin/prlimit").exists():
        return argv
    return ("/usr/bin/prlimit", f"--nproc={most_threads(limits.processes)}", "--", *argv)


def most_threads(processes: int) -> int:
    """Where a bound of the kernel counts threads: far more than so many honest processes have."""
    return max(_THREADS, processes * _THREADS_EACH)


def find_bubblewrap(inherited: Mapping[str, str]) -> str:
    return shutil.which("bwrap", path=inherited.get("PATH")) or "/usr/bin/bwrap"


def _gpus() -> tuple[str, ...]:
    return (*bubblewrap.GPUS, *(path for path in sorted(glob.glob("/dev/nvidia[0-9]*"))))


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


@contextlib.contextmanager
def descriptors(made: Prepared, door: int = -1) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The command line with its descriptors' numbers, and the descriptors that the program must inherit."""
    numbers = {DOOR: door} if DOOR in made.argv else {}
    if made.seccomp:
        numbers[SECCOMP] = os.memfd_create("seccomp", 0)
    try:
        if made.seccomp:
            os.write(numbers[SECCOMP], made.seccomp)
            os.lseek(numbers[SECCOMP], 0, os.SEEK_SET)
        yield tuple(str(numbers.get(word, word)) for word in made.argv), tuple(numbers.values())
    finally:
        if made.seccomp:
            os.close(numbers[SECCOMP])
