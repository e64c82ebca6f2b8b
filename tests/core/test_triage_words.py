"""Wordings of many libraries, a line each: whose failure it is. The template takes "cuda", org/base-lm and a spaCy model."""

import pytest

from agent.core.case import Case
from agent.core.job import Outcome
from agent.core.triage import blame

TEMPLATE = {
    "experiment.py": "import os\nimport torch\nfrom harness import data\nimport flash_attn\n\ndef main():\n    x = data.load()\n    model = AutoModel.from_pretrained('org/base-lm')\n    nlp = spacy.load('en_core_web_sm')\n    token = os.environ['HF_TOKEN']\n    model = build().to('cuda')\n    loss = train(model)\n",
    "harness/data.py": "import torchvision\ndef load():\n    return torchvision.datasets.MNIST('/data', download=True)\n",
}
EDITED = (
    TEMPLATE["experiment.py"]
    + "    extra = load_dataset('made/up')\n    y = compute(x)\n    raise ConfigError('retry')\n"
)
PACKAGES = "/venv/lib/python3.11/site-packages"


def traceback(line, err, *lib, head="Traceback (most recent call last):"):
    out = head + '\n  File "/study/experiment.py", line 9, in main\n    ' + line + "\n"
    for path in lib:
        out += f'  File "{path}", line 3, in f\n    something(x)\n'
    return out + err + "\n"


WORDINGS = [
    ("resource", "a training process was killed by signal 9 (SIGKILL)\n"),
    ("unknown", "a training process was killed by signal 11 (SIGSEGV)\n"),
    ("transient", "a training process was killed by signal 15 (SIGTERM)\n"),
    ("numeric", "The evaluation was refused: seed 1: W_dec or b_dec holds values that are not finite\n"),
    ("code", "The evaluation was refused: seed 1: a dictionary of 512 latents; this profile allows 256\n"),
    (
        "resource",
        traceback("y = compute(x)", "subprocess.CalledProcessError: Command 'a' died with <Signals.SIGKILL: 9>."),
    ),
    (
        "unknown",
        traceback("y = compute(x)", "subprocess.CalledProcessError: Command 'a' died with <Signals.SIGSEGV: 11>."),
    ),
    ("transient", traceback("x = data.load()", "fsspec.exceptions.FSTimeoutError", f"{PACKAGES}/fsspec/asyn.py")),
    ("transient", traceback("x = data.load()", "asyncio.exceptions.TimeoutError", f"{PACKAGES}/aiohttp/helpers.py")),
    (
        "transient",
        traceback(
            "x = data.load()",
            'botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: "https://s3.amazonaws.com/"',
        ),
    ),
    ("code", traceback("y = compute(x)", "TimeoutError: step took longer than 30 seconds")),
    ("unknown", traceback("loss = train(model)", "RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED")),
    ("code", traceback("loss = train(model)", "AssertionError: No inf checks were recorded for this optimizer.")),
    ("environment", traceback("token = os.environ['HF_TOKEN']", "KeyError: 'HF_TOKEN'", "<frozen os>")),
    ("code", traceback("y = os.environ['MY_FLAG']", "KeyError: 'MY_FLAG'", "<frozen os>")),
    (
        "environment",
        traceback(
            "nlp = spacy.load('en_core_web_sm')",
            "OSError: [E050] Can't find model 'en_core_web_sm'. It doesn't seem to be a Python package or a valid path to a data directory.",
            f"{PACKAGES}/spacy/util.py",
        ),
    ),
    (
        "code",
        traceback(
            "nlp = spacy.load('de_core_news_lg')",
            "OSError: [E050] Can't find model 'de_core_news_lg'. It doesn't seem to be a Python package",
            f"{PACKAGES}/spacy/util.py",
        ),
    ),
    (
        "environment",
        traceback(
            "import flash_attn",
            "ImportError: /venv/lib/python3.11/site-packages/flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi",
        ),
    ),
    (
        "environment",
        traceback(
            "x = data.load()",
            "urllib.error.HTTPError: HTTP Error 403: Forbidden",
            "/study/harness/data.py",
            "/usr/lib/python3.11/urllib/request.py",
        ),
    ),
    (
        "code",
        traceback(
            "extra = load_dataset('made/up')",
            "datasets.exceptions.DatasetNotFoundError: Dataset 'made/up' doesn't exist on the Hub or cannot be accessed.",
            f"{PACKAGES}/datasets/load.py",
        ),
    ),
    (
        "environment",
        traceback(
            "model = AutoModel.from_pretrained('org/base-lm')",
            "OSError: Can't load tokenizer for 'org/base-lm'. If you were trying to load it from 'https://huggingface.co/models', make sure you don't have a local directory",
            f"{PACKAGES}/transformers/tokenization_utils_base.py",
        ),
    ),
    (
        "code",
        traceback(
            "model = AutoModel.from_pretrained('gpt5-tiny')",
            "OSError: gpt5-tiny is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
            f"{PACKAGES}/transformers/utils/hub.py",
        ),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.",
        ),
    ),
    (
        "transient",
        "[rank3]: "
        + traceback(
            "x = data.load()",
            "torch.distributed.DistNetworkError: The client socket has failed to connect to any network address of (node1, 29500).",
        ).replace("\n", "\n[rank3]: "),
    ),
    (
        "code",
        "╭───── Traceback (most recent call last) ─────╮\n│ /study/experiment.py:9 in main                │\n│ ❱ 9 loss = x[99]                              │\n╰──────────────────────────────────────────────╯\nIndexError: list index out of range\n",
    ),
    (
        "transient",
        "╭───── Traceback (most recent call last) ─────╮\n│ /study/experiment.py:9 in main                │\n╰──────────────────────────────────────────────╯\nrequests.exceptions.ReadTimeout: HTTPSConnectionPool(host='huggingface.co', port=443): Read timed out.\n",
    ),
    (
        "code",
        traceback("y = compute(x)", "torch._dynamo.exc.Unsupported: Unsupported: call_function BuiltinVariable(print)"),
    ),
    (
        "code",
        traceback(
            "loss = train(model)",
            "RuntimeError: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
        ),
    ),
    (
        "code",
        traceback(
            "loss = train(model)", "torch.AcceleratorError: CUDA error: an illegal memory access was encountered"
        ),
    ),
    (
        "numeric",
        traceback(
            "loss = train(model)",
            "ValueError: Expected parameter scale (Tensor of shape (3,)) of distribution Normal to satisfy the constraint GreaterThan(lower_bound=0.0), but found invalid values:\ntensor([nan, nan, nan])",
        ),
    ),
    ("numeric", traceback("loss = train(model)", "ValueError: Out of range float values are not JSON compliant")),
    ("numeric", traceback("loss = train(model)", "RuntimeError: loss is not finite at step 3")),
    (
        "resource",
        traceback(
            "loss = train(model)",
            "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes",
        ),
    ),
    (
        "environment",
        "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces\n",
    ),
    (
        "environment",
        traceback(
            "import torch", "ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory"
        ),
    ),
    ("code", traceback("import bitsandbytes", "ModuleNotFoundError: No module named 'bitsandbytes'")),
    ("environment", traceback("import flash_attn", "ModuleNotFoundError: No module named 'flash_attn'")),
    (
        "environment",
        traceback("x = data.load()", "ModuleNotFoundError: No module named 'torchvision'", "/study/harness/data.py"),
    ),
    (
        "code",
        traceback(
            "y = pd.read_parquet('x.parquet')",
            "ImportError: Unable to find a usable engine; tried using: 'pyarrow', 'fastparquet'.\nMissing optional dependency 'pyarrow'. pyarrow is required for parquet support.",
        ),
    ),
    (
        "transient",
        traceback("x = data.load()", "http.client.IncompleteRead: IncompleteRead(22 bytes read)")
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + traceback("raise Broken('x')", "Broken: x"),
    ),
    ("transient", traceback("x = data.load()", "openai.APIConnectionError: Connection error.")),
    (
        "environment",
        traceback(
            "x = data.load()",
            "requests.exceptions.SSLError: HTTPSConnectionPool(host='x', port=443): Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')))",
        ),
    ),
    (
        "environment",
        traceback(
            "x = data.load()",
            "PermissionError: [Errno 13] Permission denied: '/data/MNIST'",
            "/study/harness/data.py",
            f"{PACKAGES}/torchvision/datasets/mnist.py",
        ),
    ),
    (
        "code",
        traceback(
            "os.makedirs('/data/mine')", "PermissionError: [Errno 13] Permission denied: '/data/mine'", "<frozen os>"
        ),
    ),
    (
        "environment",
        traceback(
            "x = data.load()",
            "OSError: [Errno 30] Read-only file system: '/home/x/.cache/huggingface/hub'",
            f"{PACKAGES}/huggingface_hub/file_download.py",
        ),
    ),
    (
        "code",
        traceback("y = compute(x)", "RuntimeError: mat1 and mat2 must have the same dtype, but got Float and BFloat16"),
    ),
    ("code", traceback("import yaml", "KeyError: 'nan'")),
    (
        "unknown",
        'Fatal Python error: Aborted\n\nThread 0x1 (most recent call first):\n  File "/x.py", line 3 in f\n',
        {"exit_code": None, "signal": 6},
    ),
    ("resource", "", {"exit_code": None, "signal": 9}),
    ("resource", "Killed\n", {"exit_code": 137}),
    ("environment", "/bin/sh: 1: python3.12: not found\n", {"exit_code": 127}),
    ("transient", "Error: HTTPSConnectionPool(host='huggingface.co', port=443): Read timed out. (read timeout=10)\n"),
    ("code", "ERROR: unknown activation 'foo'\n"),
    (
        "transient",
        traceback(
            "x = data.load()",
            "huggingface_hub.errors.HfHubHTTPError: 504 Server Error: Gateway Time-out for url: https://huggingface.co/api/datasets/org/x (Request ID: Root=1)\n\nThe server took too long",
        ),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "huggingface_hub.utils._errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api/models/org/x",
        ),
    ),
    (
        "environment",
        traceback(
            "model = AutoModel.from_pretrained('org/base-lm')",
            "OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/org/base-lm.\n401 Client Error. (Request ID: x)",
        ),
    ),
    (
        "code",
        traceback(
            "y = compute(x)",
            'torch.multiprocessing.spawn.ProcessRaisedException: \n\n-- Process 0 terminated with the following error:\nTraceback (most recent call last):\n  File "/venv/lib/python3.11/site-packages/torch/multiprocessing/spawn.py", line 90, in _wrap\n    fn(i, *args)\n  File "/study/experiment.py", line 8, in w\n    return a[3]\nIndexError: list index out of range',
        ),
    ),
    (
        "transient",
        traceback(
            "y = compute(x)",
            'torch.multiprocessing.spawn.ProcessRaisedException: \n\n-- Process 0 terminated with the following error:\nTraceback (most recent call last):\n  File "/venv/lib/python3.11/site-packages/torch/multiprocessing/spawn.py", line 90, in _wrap\n    fn(i, *args)\n  File "/study/experiment.py", line 8, in w\n    x = data.load()\nrequests.exceptions.ConnectTimeout: HTTPSConnectionPool(host=\'huggingface.co\', port=443): Max retries exceeded',
        ),
    ),
    (
        "environment",
        traceback(
            "x = data.load()",
            "OSError: Unable to synchronously open file (truncated file: eof = 96, sblock->base_addr = 0, stored_eof = 2048)",
            "/study/harness/data.py",
            f"{PACKAGES}/h5py/_hl/files.py",
        ),
    ),
    (
        "unknown",
        traceback(
            "y = compute(x)",
            "concurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated abruptly while the future was running or pending.",
        ),
    ),
    ("code", traceback("y = compute(x)", "subprocess.TimeoutExpired: Command '['a']' timed out after 5 seconds")),
    ("code", traceback("y = compute(x)", "ValueError: Connection weights must be positive")),
    ("code", traceback("y = compute(x)", "RuntimeError: Retry budget 503 exceeded")),
    (
        "code",
        traceback(
            "y = compute(x)",
            "FileNotFoundError: [Errno 2] No such file or directory: 'run_1/weights.npz'",
            "/study/harness/data.py",
        ),
    ),
    (
        "environment",
        traceback(
            "loss = train(model)",
            "torch._inductor.exc.InductorError: RuntimeError: Failed to find C compiler. Please specify via CC environment variable or set triton.knobs.build.impl.",
        ),
    ),
    (
        "code",
        traceback(
            "model = torch.compile(model)",
            "torch._inductor.exc.InductorError: RuntimeError: Failed to find C compiler. Please specify via CC environment variable.",
        ),
    ),
    (
        "resource",
        traceback("loss = train(model)", "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2 GiB"),
    ),
    ("resource", traceback("loss = train(model)", "RuntimeError: MPS backend out of memory (MPS allocated: 1 GB)")),
    ("resource", traceback("loss = train(model)", "OSError: [Errno 12] Cannot allocate memory")),
    (
        "transient",
        traceback("x = data.load()", "TimeoutError: [Errno 110] Connection timed out", "/usr/lib/python3.11/socket.py"),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='cdn-lfs.hf.co', port=443): Read timed out.",
        ),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "ConnectionError: (ProtocolError('Connection aborted.', RemoteDisconnected('Remote end closed connection without response')), '(Request ID: 1)')",
        ),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "RuntimeError: Data processing error: CAS service error : Reqwest Error: HTTP status server error (503 Service Unavailable), domain: https://cas-server.xethub.hf.co/reconstructions/1",
            f"{PACKAGES}/huggingface_hub/file_download.py",
        ),
    ),
    (
        "transient",
        traceback(
            "x = data.load()",
            "OSError: Consistency check failed: file should be of size 100 but has size 50 (model.safetensors).\nThis is usually due to network issues while downloading the file.",
        ),
    ),
    ("code", traceback("y = compute(x)", "zipfile.BadZipFile: File is not a zip file")),
]


@pytest.mark.parametrize(("expected", "stderr", "how"), [(*row, {})[:3] for row in WORDINGS])
def test_a_wording_is_known(expected, stderr, how):
    case = Case(
        Outcome("finished", "experiment", **{"exit_code": 1, **how}),
        "",
        stderr,
        root="/study",
        template=TEMPLATE,
        editable=lambda path: path == "experiment.py",
        sources=lambda path: EDITED if path == "experiment.py" else "",
    )
    found = blame(case)
    assert found.kind == expected, found.evidence


SEALED = """Traceback (most recent call last):
  File "/study/experiment.py", line 9, in main
    peek = np.load('harness/heldout/heldout.npz')
FileNotFoundError: [Errno 2] No such file or directory: 'harness/heldout/heldout.npz'
"""


def test_who_looks_for_a_sealed_file_is_wrong_though_the_template_names_it():
    template = {"experiment.py": "", "harness/heldout/heldout.npz": "", "harness/evaluate.py": "FILE = 'heldout.npz'"}
    case = Case(
        Outcome("finished", "experiment", 1), "", SEALED, root="/study", template=template,
        editable=lambda path: path == "experiment.py", sealed=("harness/heldout/**",),
    )  # fmt: skip
    found = blame(case)
    assert found.kind == "code"
    assert "this file is sealed" in found.detail
    assert blame(Case(**{**vars(case), "sealed": ()})).kind == "environment"


def test_of_two_ways_to_run_out_of_a_gpu_one_is_somebody_elses():
    words = (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB. {}this process has {} memory in use."
    )
    other = "Process 12 has 70.10 GiB memory in use. "
    kinds = {
        said: blame(Case(Outcome("finished", "experiment", 1), "", traceback("loss = train(model)", said))).kind
        for said in (words.format("", "78.00 GiB"), words.format(other, "9.00 GiB"), words.format(other, "412.00 MiB"))
    }
    assert list(kinds.values()) == ["resource", "resource", "environment"]


def judged(stderr, template=TEMPLATE, edited=EDITED, **more):
    return blame(
        Case(
            Outcome("finished", "experiment", 1), "", stderr, root="/study", template=template,
            editable=lambda path: path == "experiment.py", sources=lambda path: edited if path == "experiment.py" else "",
            **more,
        )
    )  # fmt: skip


def test_what_was_expected_to_be_missing_does_not_count():
    """The template imports it where it is there, and the edit's way of doing without it is wrong."""
    missing = traceback("import flash_attn", "ModuleNotFoundError: No module named 'flash_attn'")
    follows = "\nDuring handling of the above exception, another exception occurred:\n\n"
    assert judged(missing).kind == "environment"
    found = judged(missing + follows + traceback("y = compute(x)", "ValueError: no kernel"))
    assert (found.kind, found.evidence) == ("code", "ValueError: no kernel")
    translated = traceback("raise Missing('no kernels')", "Missing: no kernels")
    assert judged(missing + follows + translated).kind == "environment"


def test_a_door_on_this_machine_that_leads_to_the_hub_is_no_server_of_the_experiment():
    refused = (
        "requests.exceptions.ConnectionError: HTTPConnectionPool(host='127.0.0.1', port=8000): Max retries exceeded"
    )
    proxy = "requests.exceptions.ProxyError: HTTPSConnectionPool(host='huggingface.co'): Unable to connect to proxy 127.0.0.1"
    assert judged(traceback("x = data.load()", refused)).kind == "code"
    assert judged(traceback("x = data.load()", proxy)).kind == "transient"


def test_a_package_is_the_templates_if_it_imports_any_part_of_it():
    template = {"experiment.py": "import torch_sparse.ops\n"}
    missing = traceback("import torch_sparse.ops as ops", "ModuleNotFoundError: No module named 'torch_sparse'")
    assert judged(missing, template).kind == "environment"
    assert judged(missing.replace("'torch_sparse'", "'torch_sparse.more'"), template).kind == "code"


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_group_a_member_that_would_come_again_outweighs_a_time_out(order):
    members = ["httpx.ReadTimeout: timed out", "IndexError: list index out of range"][::order]
    group = (
        '  + Exception Group Traceback (most recent call last):\n  |   File "/study/experiment.py", line 3, in main\n'
    )
    group += "  |     x = data.load()\n  | ExceptionGroup: seeds failed (2 sub-exceptions)\n"
    group += "".join(
        f"  +-+---------------- {n} ----------------\n    | {member}\n" for n, member in enumerate(members, 1)
    )
    found = judged(group + "    +------------------------------------\n")
    assert (found.kind, found.evidence) == ("code", "IndexError: list index out of range")


@pytest.mark.parametrize(
    "error",
    [
        "AttributeError: module 'httpx' has no attribute 'ConnectTimeout'",
        "TypeError: ReadTimeout.__init__() missing 1 required keyword-only argument: 'request'",
        "NameError: name 'OutOfMemoryError' is not defined",
        "KeyError: 'CUDA out of memory'",
    ],
)
def test_a_type_that_speaks_of_code_is_never_taken_for_anything_else(error):
    assert judged(traceback("y = compute(x)", error)).kind == "code"


def test_what_the_coder_reads_stays_bounded_however_long_its_lines_are():
    edited = "\n".join(f"x{n} = '{'long ' * 60}'" for n in range(60))
    frames = "".join(f'  File "/study/experiment.py", line {n}, in f\n    x{n}\n' for n in range(5, 55, 5))
    one = f"Traceback (most recent call last):\n{frames}ValueError: {'many words ' * 300}\n"
    follows = "\nThe above exception was the direct cause of the following exception:\n\n"
    found = judged(follows.join([one] * 6), edited=edited)
    assert 1000 < len(found.detail) <= 3000
    assert found.detail.startswith("ValueError: many words")
