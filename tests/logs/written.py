"""What cannot be caused on a machine without GPU or scheduler: CUDA, NCCL, drivers, Slurm, the kernel's killer.

The wording of the deciding lines is the one that PyTorch, CUDA, NCCL and Slurm are known to print; the rest is made up.
"""

from __future__ import annotations

from typing import Any

from tests.logs.spec import spec

CASES: list[tuple[str, dict[str, object], str, str]] = []


def traceback(*frames: tuple[str, int, str, str], error: str) -> str:
    lines = [f'  File "{path}", line {line}, in {function}\n    {source}' for path, line, function, source in frames]
    return "\n".join(["Traceback (most recent call last):", *lines, error, ""])


MAIN = ("/study/experiment.py", 25, "<module>", "main(parser.parse_args().out_dir)")
STEP = ("/study/experiment.py", 12, "main", "loss = train(model)")
MOVE = ("/study/experiment.py", 11, "main", "model = Net().to('cuda')")
TORCH = "/venv/lib/python3.11/site-packages/torch"
INNER = (f"{TORCH}/nn/modules/linear.py", 125, "forward", "return F.linear(input, self.weight, self.bias)")
INIT = (f"{TORCH}/cuda/__init__.py", 412, "_lazy_init", "torch._C._cuda_init()")
HINT = (
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect."
    "\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
)
BODY = "model = Net().to('cuda')\nloss = train(model)"


def written(
    name: str, expected: str, stderr: str, stdout: str = "", body: str = BODY, was: str = BODY, **more: Any
) -> None:
    about = {
        "expected": expected, "why": more.pop("why", ""), "made": "written", "ending": "finished", "exit_code": 1, "signal": None,
        "detail": "", "network": "none", "baseline": False,
    }  # fmt: skip
    made = spec(
        name,
        expected,
        body,
        was=was,
        imports="import torch\nfrom torch import nn",
        was_imports="import torch\nfrom torch import nn",
    )
    CASES.append((name, {**about, **more, "edit": made.edit, "template": made.template}, stdout, stderr))


OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which {free} is free. "
    "{other}Including non-PyTorch memory, this process has {own} memory in use. Of the allocated memory {own} is allocated by PyTorch, "
    "and 210.11 MiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
written(
    "cuda_out_of_memory",
    "resource",
    traceback(MAIN, STEP, INNER, error=OOM.format(free="1.31 GiB", other="", own="77.80 GiB")),
)
written(
    "cuda_out_of_memory_old_wording",
    "resource",
    traceback(
        MAIN,
        STEP,
        INNER,
        error="RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.70 GiB total capacity; 21.10 GiB already allocated; 1.01 GiB free; 21.56 GiB reserved in total by PyTorch)",
    ),
)
written(
    "cuda_memory_taken_by_another_process",
    "environment",
    traceback(
        MAIN,
        MOVE,
        INNER,
        error=OOM.format(free="12.00 MiB", other="Process 48213 has 78.02 GiB memory in use. ", own="498.00 MiB"),
    ),
    why="somebody else fills the card",
)
written(
    "cublas_alloc_failed",
    "resource",
    traceback(
        MAIN,
        STEP,
        INNER,
        error="RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ),
)
written(
    "bad_alloc",
    "resource",
    "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
    exit_code=None,
    signal=6,
)
written(
    "cuda_oom_then_cleanup_fails",
    "resource",
    traceback(MAIN, STEP, INNER, error="torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB.")
    + "\nDuring handling of the above exception, another exception occurred:\n\n"
    + traceback(
        MAIN,
        STEP,
        error="UnboundLocalError: cannot access local variable 'batch' where it is not associated with a value",
    ),
)
ASSERT = "../aten/src/ATen/native/cuda/Indexing.cu:1369: indexSelectLargeIndex: block: [{}, 0, 0], thread: [{}, 0, 0] Assertion `srcIndex < srcSelectDimSize` failed.\n"
written(
    "device_side_assert",
    "numeric",
    "".join(ASSERT.format(b, t) for b in range(4) for t in range(32))
    + traceback(MAIN, STEP, INNER, error="RuntimeError: CUDA error: device-side assert triggered" + HINT),
)
written(
    "device_side_assert_accelerator",
    "numeric",
    ASSERT.format(1, 2)
    + traceback(MAIN, STEP, INNER, error="torch.AcceleratorError: CUDA error: device-side assert triggered" + HINT),
)
written(
    "driver_too_old",
    "environment",
    traceback(
        MAIN,
        MOVE,
        INIT,
        error="RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver.",
    ),
)
written(
    "driver_not_found",
    "environment",
    traceback(
        MAIN,
        MOVE,
        INIT,
        error="RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx",
    ),
)
written(
    "driver_insufficient",
    "environment",
    traceback(MAIN, MOVE, INIT, error="RuntimeError: CUDA driver version is insufficient for CUDA runtime version"),
)
written(
    "driver_mismatch_nvml",
    "environment",
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161\n"
    + traceback(
        MAIN,
        MOVE,
        INIT,
        error="RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 803: system has unsupported display driver / cuda driver combination",
    ),
)
written(
    "not_compiled_with_cuda",
    "environment",
    traceback(
        MAIN,
        MOVE,
        (
            f"{TORCH}/cuda/__init__.py",
            405,
            "_lazy_init",
            'raise AssertionError("Torch not compiled with CUDA enabled")',
        ),
        error="AssertionError: Torch not compiled with CUDA enabled",
    ),
)
written(
    "no_kernel_image",
    "environment",
    traceback(
        MAIN,
        STEP,
        INNER,
        error="RuntimeError: CUDA error: no kernel image is available for execution on the device" + HINT,
    ),
)
written(
    "ecc_error",
    "environment",
    traceback(MAIN, STEP, INNER, error="RuntimeError: CUDA error: uncorrectable ECC error encountered" + HINT),
)
written(
    "gpu_fell_off_the_bus",
    "environment",
    "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU\n"
    + traceback(MAIN, MOVE, INIT, error="RuntimeError: No CUDA GPUs are available"),
)
written(
    "gpus_busy",
    "environment",
    traceback(
        MAIN, MOVE, INNER, error="RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable" + HINT
    ),
)
written(
    "invalid_device_ordinal_of_the_edit",
    "code",
    traceback(
        MAIN,
        ("/study/experiment.py", 11, "main", "model = Net().to('cuda:3')"),
        INNER,
        error="RuntimeError: CUDA error: invalid device ordinal" + HINT,
    ),
    body="model = Net().to('cuda:3')\nloss = train(model)",
)
written(
    "tensors_on_two_devices",
    "code",
    traceback(
        MAIN,
        STEP,
        INNER,
        error="RuntimeError: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! (when checking argument for argument mat1 in method wrapper_CUDA_addmm)",
    ),
)
written(
    "missing_cuda_library",
    "environment",
    traceback(
        ("/study/experiment.py", 5, "<module>", "import torch"),
        (f"{TORCH}/__init__.py", 427, "<module>", "from torch._C import *"),
        error="ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",
    ),
)
written(
    "missing_glibcxx",
    "environment",
    traceback(
        ("/study/experiment.py", 5, "<module>", "import torch"),
        (f"{TORCH}/__init__.py", 427, "<module>", "from torch._C import *"),
        error="ImportError: /usr/lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /venv/lib/python3.11/site-packages/torch/lib/libtorch_python.so)",
    ),
)
written(
    "undefined_symbol",
    "environment",
    traceback(
        ("/study/experiment.py", 5, "<module>", "import torch"),
        (f"{TORCH}/__init__.py", 427, "<module>", "from torch._C import *"),
        error="ImportError: /venv/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so: undefined symbol: ncclCommRegister",
    ),
)
written(
    "numpy_built_for_another",
    "environment",
    "\nA module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.1.0 as it may crash. To support both 1.x and 2.x\nversions of NumPy, modules must be compiled with NumPy 2.0.\n\n"
    + traceback(
        MAIN,
        ("/study/harness/data.py", 10, "load", "return np.load(HERE / name)"),
        (f"{TORCH}/_tensor.py", 1030, "__array__", "return self.numpy()"),
        error="RuntimeError: Numpy is not available",
    ),
)
written(
    "numpy_dtype_size_changed",
    "environment",
    traceback(
        ("/study/experiment.py", 5, "<module>", "import numpy as np"),
        ("pandas/_libs/interval.pyx", 1, "init pandas._libs.interval", ""),
        error="ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject",
    ),
)
NCCL = "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1970, {}, NCCL version 2.21.5\n{}"
written(
    "nccl_remote_error",
    "transient",
    traceback(
        MAIN,
        STEP,
        error=NCCL.format(
            "remote process exited or there was a network error",
            "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.\nLast error:\nsocketPollConnect: connect to 10.0.3.7<45211> returned Connection refused",
        ),
    ),
)
written(
    "nccl_system_error",
    "transient",
    traceback(
        MAIN,
        STEP,
        error=NCCL.format(
            "unhandled system error (run with NCCL_DEBUG=INFO for details)",
            "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.\nLast error:\nsocketProgress: Connection closed by remote peer node-17<33712>",
        ),
    ),
)
written(
    "nccl_watchdog",
    "unknown",
    "[rank1]:[E1119 04:11:20.291 ProcessGroupNCCL.cpp:632] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=410, OpType=ALLREDUCE, NumelIn=8192, NumelOut=8192, Timeout(ms)=600000) ran for 600029 milliseconds before timing out.\nterminate called after throwing an instance of 'c10::DistBackendError'\n",
    exit_code=None,
    signal=6,
    why="a broken link or ranks that do not agree: nobody can say",
)
written(
    "ranks_prefix_their_lines",
    "code",
    "".join(
        f"[rank0]: {line}\n"
        for line in traceback(
            MAIN, STEP, INNER, error="RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x8 and 16x2)"
        ).splitlines()
    ),
)
written(
    "torchrun_reports_a_child",
    "resource",
    "".join(
        f"[rank0]: {line}\n"
        for line in traceback(
            MAIN, STEP, INNER, error="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB."
        ).splitlines()
    )
    + "E1119 04:12:01 2211 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) local_rank: 0 (pid: 2290)\n"
    + traceback(
        ("/venv/bin/torchrun", 8, "<module>", "sys.exit(main())"),
        (f"{TORCH}/distributed/launcher/api.py", 269, "launch_agent", "raise ChildFailedError("),
        error="torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n============================================================\nexperiment.py FAILED",
    ),
)
written(
    "slurm_preempted",
    "transient",
    "slurmstepd: error: *** JOB 88123 ON node-12 CANCELLED AT 2026-11-19T04:10:22 DUE TO PREEMPTION ***\n",
    exit_code=None,
    signal=15,
)
written(
    "slurm_node_failure",
    "transient",
    "slurmstepd: error: *** JOB 88124 ON node-12 CANCELLED AT 2026-11-19T04:10:22 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***\n",
    exit_code=None,
    signal=9,
)
written(
    "slurm_time_limit",
    "resource",
    "slurmstepd: error: *** JOB 88125 ON node-12 CANCELLED AT 2026-11-19T04:10:22 DUE TO TIME LIMIT ***\n",
    exit_code=None,
    signal=15,
)
written(
    "slurm_out_of_memory",
    "resource",
    "slurmstepd: error: Detected 1 oom_kill event in StepId=88126.batch. Some of the step tasks have been OOM Killed.\n",
    exit_code=137,
)
written(
    "shell_said_killed",
    "resource",
    "bash: line 1:  2291 Killed                  python experiment.py --out_dir=run_1\n",
    exit_code=137,
    stdout="epoch 4: loss 0.31\n",
)
written(
    "quota_exceeded",
    "environment",
    traceback(
        MAIN,
        ("/study/experiment.py", 14, "main", "torch.save(model.state_dict(), path)"),
        (f"{TORCH}/serialization.py", 850, "save", "_save(obj, opened_zipfile, pickle_module, pickle_protocol)"),
        error="OSError: [Errno 122] Disk quota exceeded: 'run_1/weights.pt'",
    ),
)
written(
    "disk_fails",
    "environment",
    traceback(
        MAIN,
        ("/study/harness/data.py", 10, "load", "return np.load(HERE / name)"),
        error="OSError: [Errno 5] Input/output error: '/study/harness/corpus.npy'",
    ),
)
written(
    "stale_file_handle",
    "transient",
    traceback(
        MAIN,
        ("/study/harness/data.py", 10, "load", "return np.load(HERE / name)"),
        error="OSError: [Errno 116] Stale file handle: '/study/harness/corpus.npy'",
    ),
    why="a network disk; the same again may do",
)
written(
    "shared_memory_too_small",
    "resource",
    "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).\n"
    + traceback(
        MAIN,
        STEP,
        (f"{TORCH}/utils/data/dataloader.py", 1251, "_try_get_data", "raise RuntimeError(...)"),
        error="RuntimeError: DataLoader worker (pid 2310) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.",
    ),
)
written(
    "interrupted_at_the_keyboard",
    "interrupted",
    traceback(MAIN, STEP, error="KeyboardInterrupt"),
    exit_code=None,
    signal=2,
)
written("timeout_ending", "resource", "", stdout="epoch 9: loss 0.2\n", ending="timeout", exit_code=None)
written(
    "limit_ending",
    "resource",
    "",
    ending="limit",
    exit_code=None,
    detail="'experiment' used 12.3 GB of memory; 12 GB are allowed.",
)
written("lost_ending", "lost", "", ending="lost", exit_code=None)
written(
    "unstartable_ending",
    "environment",
    "",
    ending="unstartable",
    exit_code=None,
    detail="no such interpreter: /opt/python",
)
