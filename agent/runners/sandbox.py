"""What a command may see and touch: the one place where a job's command line and environment are made.

`prepare` is pure: it turns a command into what is really executed. Today the only tier is "none": NOTHING IS ISOLATED.
The job runs with all rights of the user: it can read every file of theirs, write outside the study, use the network
and signal their processes. What always holds, whatever the tier, is the scrubbed environment: of the caller's
variables only those named below are passed on, none of which normally holds a secret. That keeps keys out of the
job's environment and logs; it is not a security boundary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import PROGRESS_FILE, Command, Job

HOME_FOLDER = "home"
TEMPORARY_FOLDER = "tmp"

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


@dataclass(frozen=True)
class Unprepared:
    """This command cannot be started as asked; `reason` is one sentence for people."""

    reason: str


def scrubbed(inherited: Mapping[str, str]) -> dict[str, str]:
    """The harmless part of an environment."""
    return {name: value for name, value in inherited.items() if name in INHERITED or name.startswith("LC_")}


def environment(job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str = "") -> dict[str, str]:
    """Harmless inherited variables, then the job's own, then what no job may choose."""
    return {
        **scrubbed(inherited),
        **job.env,
        "HOME": str(attempt / HOME_FOLDER),  # ~/.cache, ~/.config and all XDG defaults follow it
        "TMPDIR": temporary or str(attempt / TEMPORARY_FOLDER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",  # or the last lines before a kill would be lost
        "AI_SCIENTIST_PROGRESS": str(attempt / PROGRESS_FILE),
    }


def prepare(
    command: Command, job: Job, attempt: Path, inherited: Mapping[str, str], temporary: str = ""
) -> Prepared | Unprepared:
    """What to execute for `command`. `temporary` is another, shorter name of the attempt's temporary folder."""
    if job.sandbox != "none":
        return Unprepared(f"The sandbox '{job.sandbox}' is not known here; only 'none' is.")
    return Prepared(command.argv, environment(job, attempt, inherited, temporary))
