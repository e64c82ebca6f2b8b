"""Failures that are the machine's, the template's world's, or a lack of resources; and their look-alikes."""

from __future__ import annotations

import signal

from tests.logs.spec import DATA, spec

TORCH = "import torch"
SMALL = ("bash", "-c", 'ulimit -v 700000; exec "$@"', "-")
FEW_FILES = ("bash", "-c", 'ulimit -n 40; exec "$@"', "-")
BIG_FILE = ("bash", "-c", 'ulimit -f 8; exec "$@"', "-")
TIME = ("bash", "-c", 'ulimit -S -t 1; exec "$@"', "-")
FULL = ("unshare", "-m", "bash", "-c", 'mkdir -p out; mount -t tmpfs -o size=64k tmpfs out; exec "$@"', "-")
READ_ONLY = ("unshare", "-m", "bash", "-c", 'mkdir -p kept; mount -t tmpfs -o ro tmpfs kept; exec "$@"', "-")
# Root, but without the right to pass over permissions.
POWERLESS = "exec setpriv --bounding-set=-dac_override,-dac_read_search "
TOKENS = '"""Words."""\nimport {module}\n\n\ndef words(text):\n    return {module}.split(text)\n'
SEGMENT = "import ctypes\nctypes.string_at(0)\nloss = 0"
CORE = ("bash", "-c", 'ulimit -c 0; exec "$@"', "-")

SPECS = [
    spec(
        "module_the_harness_needs",
        "environment",
        imports="from harness import words",
        frozen={"harness/words.py": TOKENS.format(module="sentencepiece_fast")},
        was_imports="from harness import words",
    ),
    spec("module_the_template_needs", "environment", imports="import einops_exts", was_imports="import einops_exts"),
    spec(
        "module_needed_by_a_frozen_file_lazily",
        "environment",
        harness=DATA.replace(
            "def load(",
            "def load_words():\n    import underthesea_core\n    return underthesea_core.read()\n\n\ndef load(",
        ),
        body="values = data.load()\nwords = data.load_words()\nloss = 0",
        was="values = data.load()\nwords = data.load_words()\nloss = 0",
    ),
    spec(
        "module_of_the_template_wrapped",
        "environment",
        "try:\n    import mamba_kernels\nexcept ImportError as error:\n    raise RuntimeError('the kernels could not be loaded') from error\nloss = 0",
        was="import mamba_kernels\nloss = mamba_kernels.run()",
    ),
    spec(
        "module_of_a_baseline",
        "environment",
        imports="import triton_ops",
        was_imports="import triton_ops",
        baseline=True,
    ),
    spec(
        "shared_library_of_the_template",
        "environment",
        "import kernels\nloss = 0",
        was="import kernels\nloss = 0",
        frozen={"kernels.py": "import ctypes\n\nlib = ctypes.CDLL('libcudart.so.11.0')\n"},
    ),
    spec(
        "shared_library_only_the_edit_wants",
        "code",
        "import ctypes\nlib = ctypes.CDLL('libsparsekernels.so.3')\nloss = 0",
    ),
    spec("data_file_missing", "environment", missing=("harness/corpus.npy",)),
    spec(
        "data_file_missing_other_code_above",
        "environment",
        "print('start')\nvalues = data.load()\nloss = values.sum()",
        missing=("harness/corpus.npy",),
    ),
    spec("data_file_missing_baseline", "environment", missing=("harness/corpus.npy",), baseline=True),
    spec(
        "data_file_missing_wrapped",
        "environment",
        "try:\n    values = data.load()\nexcept FileNotFoundError:\n    raise RuntimeError('could not load the training data')\nloss = 0",
        missing=("harness/corpus.npy",),
        why="translated by a raise of its own, without `from`",
    ),
    spec(
        "data_file_missing_read_by_the_edit",
        "environment",
        "values = np.load('harness/corpus.npy')\nloss = values.sum()",
        was="values = np.load('harness/corpus.npy')\nloss = values.mean()",
        missing=("harness/corpus.npy",),
    ),
    spec(
        "data_file_damaged",
        "environment",
        missing=("harness/corpus.npy",),
        wrap=("bash", "-c", 'printf nonsense > harness/corpus.npy; exec "$@"', "-"),
    ),
    spec(
        "data_of_a_folder_missing",
        "environment",
        harness=DATA.replace("HERE = Path(__file__).parent", 'HERE = Path("/data/shared/corpora")'),
    ),
    spec(
        "permission_of_the_templates_data",
        "environment",
        wrap=("bash", "-c", "chmod 000 harness/corpus.npy; " + POWERLESS + '"$@"', "-"),
    ),
    spec(
        "permission_of_a_path_of_the_edit",
        "code",
        "open('shared/seen.txt', 'w').write('1')\nloss = 0",
        wrap=("bash", "-c", "mkdir -m 555 shared; " + POWERLESS + '"$@"', "-"),
    ),
    spec(
        "permission_of_the_hubs_cache",
        "environment",
        "from huggingface_hub import hf_hub_download\nvalues = hf_hub_download('deepling/tiny-corpus', 'train.jsonl', repo_type='dataset')\nloss = 0",
        was="from huggingface_hub import hf_hub_download\nvalues = hf_hub_download('deepling/tiny-corpus', 'train.jsonl', repo_type='dataset')\nloss = 1",
        harness=DATA,
        hub="plain",
        network="hub",
        env={"HF_HOME": "/mnt/hub-cache"},
        wrap=("unshare", "-m", "bash", "-c", "mount -t tmpfs -o mode=555 tmpfs /mnt; " + POWERLESS + '"$@"', "-"),
    ),
    spec("read_only_place_of_the_edit", "code", "open('kept/x.txt', 'w').write('1')\nloss = 0", wrap=READ_ONLY),
    spec(
        "disk_full_writing_results",
        "environment",
        "with open('out/weights.bin', 'wb') as f:\n    f.write(bytes(200_000))\nloss = 0",
        was="with open('out/weights.bin', 'wb') as f:\n    f.write(bytes(100))\nloss = 0",
        wrap=FULL,
    ),
    spec("disk_full_numpy", "environment", "np.save('out/a.npy', np.zeros(50_000))\nloss = 0", wrap=FULL),
    spec(
        "disk_full_torch_save",
        "environment",
        "torch.save({'w': torch.zeros(100_000)}, 'out/model.pt')\nloss = 0",
        TORCH,
        wrap=FULL,
    ),
    spec("disk_full_dev_full", "environment", "with open('/dev/full', 'w') as f:\n    f.write('x')\nloss = 0"),
    spec(
        "disk_full_wrapped",
        "environment",
        "try:\n    np.save('out/a.npy', np.zeros(50_000))\nexcept Exception as error:\n    raise SaveFailed(f'seed 0: {error}') from error\nloss = 0",
        before="class SaveFailed(Exception):\n    pass",
        wrap=FULL,
    ),
    spec(
        "disk_full_only_printed",
        "environment",
        "import sys\ntry:\n    np.save('out/a.npy', np.zeros(50_000))\nexcept OSError as error:\n    print(f'ERROR: could not save: {error}', file=sys.stderr)\n    sys.exit(1)\nloss = 0",
        wrap=FULL,
        why="no traceback, only the error's text",
    ),
    spec(
        "file_size_limit",
        "resource",
        "with open('big.bin', 'wb') as f:\n    f.write(bytes(1_000_000))\nloss = 0",
        wrap=BIG_FILE,
    ),
    spec("memory_numpy", "resource", "loss = np.ones((40000, 40000)).sum()", wrap=SMALL),
    spec("memory_numpy_impossible", "resource", "loss = np.zeros((4_000_000, 4_000_000)).sum()"),
    spec(
        "memory_python", "resource", "rows = []\nwhile True:\n    rows.append(bytes(1_000_000))\nloss = 0", wrap=SMALL
    ),
    spec("memory_torch_cpu", "resource", "loss = torch.empty(10**13).sum()", TORCH),
    spec(
        "memory_chained",
        "resource",
        "try:\n    loss = torch.empty(10**13).sum()\nexcept RuntimeError:\n    cleanup(None)\nloss = 0",
        TORCH,
        before="def cleanup(model):\n    model.cpu()",
        why="the failure came first, the fallback fails as well",
    ),
    spec(
        "too_many_open_files",
        "resource",
        "files = [open('experiment.py') for _ in range(100)]\nloss = 0",
        wrap=FEW_FILES,
    ),
    spec("cpu_time_limit", "resource", "while True:\n    pass\nloss = 0", wrap=TIME),
    spec(
        "killed_without_a_word",
        "resource",
        "import signal\nos.kill(os.getpid(), 9)\nloss = 0",
        why="as the kernel ends what uses too much",
    ),
    spec("killed_137", "resource", "print('epoch 3')\nos.kill(os.getpid(), 9)\nloss = 0", exit_code=137),
    spec(
        "worker_killed",
        "resource",
        "for batch in torch.utils.data.DataLoader(Rows(), batch_size=2, num_workers=1):\n    loss = 0",
        TORCH,
        before="class Rows(torch.utils.data.Dataset):\n    def __len__(self):\n        return 8\n\n    def __getitem__(self, i):\n        os.kill(os.getpid(), 9)",
    ),
    spec(
        "terminated_from_outside",
        "transient",
        "import time\ntime.sleep(30)\nloss = 0",
        signal_after=(signal.SIGTERM, 1.5),
        why="preempted",
    ),
    spec(
        "terminated_143",
        "transient",
        "print('epoch 3')\nos.kill(os.getpid(), 15)\nloss = 0",
        exit_code=143,
        why="preempted",
    ),
    spec(
        "hang_up",
        "transient",
        "import time\ntime.sleep(30)\nloss = 0",
        signal_after=(signal.SIGHUP, 1.5),
        why="its session ended",
    ),
    spec("segmentation_fault", "unknown", SEGMENT, wrap=CORE),
    spec("segmentation_fault_139", "unknown", SEGMENT, wrap=CORE, exit_code=139),
    spec(
        "segmentation_fault_told_in_a_library",
        "unknown",
        "import faulthandler\nfaulthandler.enable()\nnp.ctypeslib.ctypes.string_at(8)\nloss = 0",
        wrap=CORE,
    ),
    spec("bus_error", "unknown", "os.kill(os.getpid(), 7)\nloss = 0", wrap=CORE),
    spec("aborted", "unknown", "os.abort()\nloss = 0", wrap=CORE),
    spec(
        "illegal_instruction",
        "environment",
        "import kernels\nloss = 0",
        was="import kernels\nloss = 0",
        wrap=CORE,
        frozen={"kernels.py": "import os\n\nos.kill(os.getpid(), 4)\n"},
        why="built for another processor",
    ),
    spec(
        "no_cuda_and_the_template_needs_it",
        "environment",
        "x = data.load()\nloss = torch.ones(2).cuda().sum()",
        TORCH,
        was="x = data.load()\nloss = torch.ones(2).cuda().mean()",
        was_imports=TORCH,
    ),
    spec(
        "no_cuda_for_saved_weights_of_the_edit",
        "code",
        "loss = torch.zeros(3, device='cuda').sum()",
        TORCH,
        was="loss = torch.zeros(3).sum()",
        was_imports=TORCH,
    ),
    spec(
        "ended_before_any_line_of_it",
        "environment",
        wrap=("env", "PYTHONHOME=/nowhere"),
        why="the interpreter itself does not start",
    ),
    spec("end_cut_off", "unknown", "loss = data.load()[40]", cut="end", why="which exception it was is not known"),
]
