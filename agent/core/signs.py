"""The table of signs: what an exception says → whose failure it is, and what to do about it.

Rows are tried from the top on "Type: message" of each exception of a chain, the first failure first. `asks` names how it is
found out who asked for what is missing: by its module, path, repository (hub), its line, … (see `triage`, `ownership`); the
row's kind counts if the template did, `code` if the edit did.
Without a traceback the same rows are tried on the last lines of a log, from the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INSTALL = "Install {name} into the experiment's Python, then resume."
HUB = "Look whether {name} is there, accept its licence if it is gated, set HF_TOKEN, then resume."
NETWORK = "Nothing: the same job is started again after a pause."
SMALLER = "Nothing: the coder is told what was used and what is allowed."
DISK = "Make room on the disk (or raise the quota), then resume."
GPU = "See to the GPU and its driver (nvidia-smi; `ai-scientist doctor`), then resume."
FREE_GPU = "Free the GPU of the other process, or choose another with CUDA_VISIBLE_DEVICES, then resume."
WITH_CUDA = "Install a PyTorch with CUDA into the experiment's Python, or choose a profile without, then resume."
REBUILD = "Install versions of the libraries that fit together into the experiment's Python, then resume."
COMPILER = "Install a C compiler and Python's headers (or the CUDA toolkit), then resume."
PREFETCH = "Fetch the data before the run ([environment] prefetch of the template), then resume."
CERTIFICATES = "Install the certificates of your network (SSL_CERT_FILE, REQUESTS_CA_BUNDLE), then resume."
PROXY = "Give the proxy its password (HTTPS_PROXY), then resume."
RIGHTS = "Give the user who runs this the right to {name}, then resume."
PLACE = "Put {name} where the template looks for it, then resume."
DAMAGED = "Put the template's data back as it was made (it is damaged), then resume."
PYTHON = "Mend the experiment's Python ([environment] of the template), then resume."


@dataclass(frozen=True)
class Sign:
    kind: str
    action: str
    asks: str  # how it is asked who is to blame; nothing: it does not matter
    pattern: re.Pattern[str]
    frames: re.Pattern[str] | None = None  # one of the exception's frames has to lie here


def _sign(kind: str, action: str, asks: str, *words: str, frames: str = "") -> Sign:
    return Sign(kind, action, asks, re.compile("|".join(words)), re.compile(frames) if frames else None)


def _status(number: str) -> str:
    """A status of HTTP, as the libraries say it."""
    said = (
        rf"\b(?:Client|Server) [Ee]rror '?{number}\b",
        rf"\b{number} (?:Client|Server) Error\b",
        rf"HTTP Error {number}\b",
        rf"ClientResponseError: {number},",
        rf"too many {number} error responses",
        rf"Tunnel connection failed: {number}\b",
        rf"ProxyError: {number}\b",
        rf"(?:[Ss]tatus(?: code)?|Error code)[ :=]{{1,3}}{number}\b",
    )
    return f"(?:{'|'.join(said)})"


_LATER = r"(?:408|425|429|5[0-35-9]\d|50[0-46-9])"
_PATH = r"[^:\n]{0,80}(?:: b?['\"](?P<path>[^'\"\n]{1,1000})['\"])?"
_NET_FRAMES = (
    r"(?:^|/)(?:socket|ssl|http/client|urllib/request)\.py$"
    r"|packages/(?:urllib3|requests|httpx|httpcore|aiohttp|anyio|huggingface_hub|datasets|fsspec|s3fs|botocore)/"
)

# Exceptions that say something about the code whatever their words are.
PROGRAMMING = re.compile(
    r"^(?:\w+\.)*(?:NameError|UnboundLocalError|AttributeError|TypeError|KeyError|IndexError|SyntaxError|IndentationError"
    r"|TabError|RecursionError|NotImplementedError|ZeroDivisionError|JSONDecodeError|UnicodeDecodeError|ArgumentError)$"
)
# Exceptions that say only that a child failed: what the child said counts.
MESSENGER = re.compile(
    r"ChildFailedError|CalledProcessError|ProcessExitedException|BrokenProcessPool|ProcessRaisedException"
)

SIGNS: tuple[Sign, ...] = (
    _sign("interrupted", "", "", r"^KeyboardInterrupt\b"),
    # --- the scheduler and the kernel
    _sign("transient", NETWORK, "", r"DUE TO (?:PREEMPTION|NODE FAILURE|NODE_FAIL)", r"\bNODE_FAIL\b", r"[Nn]ode failure"),
    _sign(
        "resource", SMALLER, "",
        r"DUE TO TIME LIMIT", r"[Dd]etected \d+ oom[_-]kill", r"oom-kill event",
        r"Out of memory: Killed process", r"\bOOM Killed",
    ),
    _sign("transient", NETWORK, "", r"DataLoader worker .{0,60}is killed by signal: (?:Terminated|Hangup)"),
    # --- a child of it that was killed
    _sign("resource", SMALLER, "", r"killed by signal:? (?:9\b|Killed|SIGKILL)", r"\bSIGKILL\b", r"exit ?code:? -9\b"),
    _sign("transient", NETWORK, "", r"killed by signal:? (?:1|15|SIGTERM|SIGHUP)\b", r"Signals\.SIG(?:TERM|HUP)\b"),
    _sign(
        "unknown", "", "",
        r"killed by signal:? (?:4|6|7|8|11)\b", r"\bSIG(?:SEGV|BUS|ABRT|ILL|FPE)\b", r"exit ?code:? -(?:4|6|7|8|11)\b",
    ),
    # --- memory, and all else that there is so much of
    _sign(
        "environment", FREE_GPU, "",  # somebody else has most of the GPU, and this process little
        r"CUDA out of memory.{0,400}Process \d+ has \d{2,}\.\d+ GiB memory in use"
        r".{0,200}this process has (?:\d+(?:\.\d+)? MiB|[0-3]\.\d+ GiB) memory",
    ),
    _sign(
        "resource", SMALLER, "",
        r"OutOfMemoryError", r"(?:CUDA|MPS|HIP|XPU)(?: backend)?(?: error:)? out of memory",
        r"CU(?:BLAS|DNN|SOLVER|SPARSE)_STATUS_ALLOC_FAILED", r"RESOURCE_EXHAUSTED",
    ),
    _sign(
        "resource", SMALLER, "",
        r"^(?:\w+\.)*_?(?:Array)?MemoryError\b", r"DefaultCPUAllocator: (?:can't allocate|not enough) memory",
        r"std::bad_alloc", r"Unable to allocate [\d.]+ \w?i?B", r"\[Errno 12\]", r"cannot allocate memory in static TLS",
    ),
    _sign(
        "resource", SMALLER, "",
        r"out of shared memory", r"insufficient shared memory", r"unable to open shared memory object",
        r"unable to write to file </torch_", r"unable to mmap \d+ bytes",
        r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: Killed|exited unexpectedly)",
    ),
    _sign(
        "resource", SMALLER, "",
        r"\[Errno 2[347]\]", r"Too many open files", r"can't start new thread", r"^BlockingIOError: \[Errno 11\]",
        r"libgomp: Thread creation failed", r"pthread_create failed",
    ),
    # --- the disk
    _sign(
        "environment", DISK, "",
        r"\[Errno 28\]", r"No space left on device", r"\[Errno 122\]", r"[Dd]isk quota exceeded",
        r"\b\d+ requested and \d+ written", r"unexpected pos \d+ vs \d+", r"basic_ios::clear: iostream error",
        r"database or disk is full",
    ),
    _sign("environment", "See to the disk (dmesg), then resume.", "", r"\[Errno 5\]", r"Input/output error"),
    _sign(
        "transient", NETWORK, "",  # disks of the network
        r"\[Errno 116\]", r"Stale (?:NFS )?file handle", r"\[Errno 121\] Remote I/O", r"\[Errno 107\] Transport endpoint",
        r"\[Errno 16\] Device or resource busy: '.{0,400}\.nfs", r"file lock '.{0,400}' could not be acquired",
    ),
    # --- GPUs and their drivers
    _sign(
        "environment", GPU, "",
        r"uncorrectable (?:NVLink|ECC)", r"\bECC error", r"fallen off the bus", r"GPU is lost",
        r"devices? (?:is|are|is/are|\(s\) is/are) busy or unavailable", r"hardware stack error",
        r"NVML: Driver/library version mismatch", r"unsupported display driver",
    ),
    _sign(
        "environment", GPU, "cuda",
        r"NVIDIA driver on your system is too old", r"Found no NVIDIA driver", r"CUDA driver version is insufficient",
        r"forward compatibility was attempted", r"Error 80[2-4]:", r"No CUDA GPUs are available",
        r"no CUDA-capable device", r"no kernel image is available", r"cudaErrorInsufficientDriver",
        r"hipErrorNoBinaryForGpu", r"deserialize object on a CUDA device but torch\.cuda\.is_available\(\) is False",
    ),
    _sign(
        "environment", WITH_CUDA, "cuda",
        r"Torch not compiled with CUDA", r"not compiled with (?:CUDA|GPU) support",
    ),
    _sign(
        "transient", NETWORK, "",
        r"nccl(?:Remote|System)Error", r"NCCL error.{0,300}(?:network error|system error)",
        r"NCCL communicator was aborted", r"Connection closed by remote peer", r"EADDRINUSE", r"\[Errno 98\]",
        r"DistStoreError: Timed out", r"DistNetworkError: The client socket",
    ),
    _sign(
        "unknown", "", "",
        r"Watchdog caught collective operation timeout", r"INTERNAL ASSERT FAILED", r"CUDA error: unknown error",
        r"CU(?:BLAS|DNN)_STATUS_(?:NOT_INITIALIZED|INTERNAL_ERROR|EXECUTION_FAILED)", r"unspecified launch failure",
        r"DataLoader worker .{0,60}is killed by signal: (?!Killed|Bus)",
    ),
    # --- numbers
    _sign("numeric", "", "", r"device-side assert triggered"),
    _sign(
        "numeric", "", "",
        r"^(?:\w+\.)*_?(?:FloatingPointError|OverflowError|LinAlgError)\b", r"returned nan values in its",
        r"cannot convert float (?:NaN|infinity)", r"Out of range float values", r"\bnot (?:all )?finite\b",
        r"linalg\.\w+: .{0,60}(?:singular|failed to converge)",
    ),
    _sign(
        "numeric", "", "numbers",
        r"(?<![\w./'\"-])(?<!No )(?i:nans?|non-?finite|infs?|infinity|infinite (?:values?|loss|gradients?)|diverged)(?![\w/-]|\.\w)",
    ),
    # --- the network and the hub
    _sign(
        "environment", CERTIFICATES, "reach",
        r"CERTIFICATE_VERIFY_FAILED", r"certificate verify failed", r"self[- ]signed certificate",
        r"certificate has expired",
    ),
    _sign("environment", PROXY, "reach", _status("407"), r"Proxy Authentication Required"),
    _sign(
        "environment", PREFETCH, "hub",
        r"OfflineModeIsEnabled", r"[Oo]ffline mode is enabled", r"outgoing traffic has been disabled",
        r"(?:HF_HUB|TRANSFORMERS|HF_DATASETS)_OFFLINE",
    ),
    _sign(
        "environment", HUB, "hub",
        r"GatedRepoError", r"gated (?:repo|dataset)", r"restricted and you are not", _status("(?:401|403)"),
        r"Invalid user token", r"Invalid credentials in Authorization",
    ),
    _sign(
        "environment", HUB, "hub",
        r"\b(?:Repository|Revision|Entry|Dataset|RemoteEntry)NotFoundError", r"is not a valid model identifier",
        r"doesn't exist on the Hub", _status("4(?:04|10)"), r"^OSError: Can't load .{0,200}If you were trying to load it from",
    ),
    _sign("code", "", "", _status(r"4\d\d(?<!408)(?<!425)(?<!429)")),
    _sign(
        "transient", NETWORK, "reach",
        _status(_LATER), r"Too Many Requests", r"Service (?:Temporarily )?Unavailable", r"Bad Gateway",
        r"Gateway Time-?out", r"Too many users have viewed", r"StatusCode\.(?:UNAVAILABLE|DEADLINE_EXCEEDED)",
        r"\b(?:APIConnection|APITimeout|RateLimit|InternalServer|ServiceUnavailable|Overloaded)Error\b",
        r"rate limit(?:ed)? (?:exceeded|reached)",
    ),
    _sign(
        "transient", NETWORK, "reach",
        r"\b(?:Connect|Read|Write|Pool)Timeout(?:Error)?\b", r"\b(?:Connect|Read|Proxy|MaxRetry|NewConnection)Error\b",
        r"\b(?:RemoteProtocol|NameResolution|Protocol|ChunkedEncoding|LocalEntryNotFound)Error\b",
        r"\b(?:ServerDisconnected|ClientConnector|ClientPayload|ClientOS|ServerTimeout|ClientConnectionReset)Error\b",
        r"\b(?:EndpointConnection|FSTimeout|ConnectionClosed|ClientConnection)Error\b",
        r"\b(?:IncompleteRead|RemoteDisconnected|SSLEOFError|SSLZeroReturnError|gaierror|URLError)\b",
        r"requests\.exceptions\.(?:ConnectionError|Timeout|SSLError)",
    ),
    _sign(
        "transient", NETWORK, "reach",
        r"Read timed out", r"(?:read|handshake) operation timed out", r"urlopen error", r"Max retries exceeded with url",
        r"[Tt]emporary failure in name resolution", r"Name or service not known", r"nodename nor servname",
        r"Remote end closed connection", r"peer closed connection without", r"Server disconnected without",
        r"Couldn't reach", r"[Cc]ouldn't connect to '?http", r"Consistency check failed",
        r"EOF occurred in violation", r"Connection aborted",
        r"Connection error, and we cannot find", r"[Nn]etwork is unreachable", r"while trying to locate the files? on the Hub",
    ),
    _sign(
        "transient", NETWORK, "reach",
        r"^(?:(?:asyncio\.exceptions\.)?TimeoutError|socket\.timeout|ConnectionError|Connection(?:Reset|Refused|Aborted)Error|BrokenPipeError)\b",
        r"^ssl\.SSL\w*Error\b", r"^OSError: \[Errno (?:101|104|110|111|112|113)\]", r"the client has been closed",
        frames=_NET_FRAMES,
    ),
    # --- what is missing on this machine
    _sign("environment", INSTALL, "module", r"^(?:ModuleNotFoundError|ImportError): No module named '(?P<name>[\w.]+)'"),
    _sign(
        "environment", REBUILD, "line",
        r"^(?:ImportError|OSError|RuntimeError)\b.{0,300}lib[\w+.-]{1,80}\.so\S{0,20}: cannot open shared object",
        r"version `GLIB\w*_[\d.]+' not found", r"undefined symbol", r"DLL load failed", r"Library not loaded",
    ),
    _sign(
        "environment", REBUILD, "line",
        r"numpy\.dtype size changed", r"Numpy is not available", r"compiled using NumPy 1", r"binary incompatibility",
        r"compiled against (?:ABI|API) version",
    ),
    _sign(
        "environment", INSTALL, "line",
        r"(?:Missing optional dependency '|requires the |requires? ')(?P<name>[\w-]+)(?:'| library)",
    ),
    _sign(
        "environment", INSTALL, "line",
        r"^(?:ImportError|ModuleNotFoundError|RuntimeError|ValueError)\b(?s:.{0,800}?)pip3? install (?:-U |--upgrade )?"
        r"['\"`]?(?P<name>[\w.-]+)",
    ),
    _sign(
        "environment", PLACE, "path",
        r"Repo id must be in the form .{0,80}: '(?P<folder>/[^']{1,300})'",  # a folder that is not there
        r"^LookupError(?s:.{0,200})Resource .{0,12}?(?P<path>\w+).{0,8} not found", r"\[E050\] Can't find model '(?P<model>[\w.-]+)'",
    ),
    _sign(
        "environment", "Give {name} to the experiment (`env` of the profile), then resume.", "path",
        r"^KeyError: '(?P<path>[A-Z][A-Z0-9_]+)'", frames=r"(?:^<frozen os>|/os\.py)$",
    ),
    _sign(
        "environment", COMPILER, "line",
        r"[Ff]ailed to find C compiler", r"Cannot find a working triton", r"Python\.h: No such file",
        r"CUDA_HOME environment variable is not set", r"nvcc(?:'|:)? not found",
    ),
    _sign(
        "environment", REBUILD, "import",
        r"^ImportError: cannot import name '(?P<name>\w+)' from '(?P<where>[\w.]+)'(?! \(most likely)",
    ),
    _sign("environment", RIGHTS, "path", rf"^(?:PermissionError|OSError): \[Errno (?:1|13|30)\]{_PATH}"),
    _sign(
        "environment", PLACE, "path",
        rf"^(?:FileNotFoundError|OSError): \[Errno 2\]{_PATH}",
    ),
    _sign(
        "environment", PLACE, "line",
        r"^(?:NotADirectoryError|IsADirectoryError|OSError): \[Errno 2[01]\]", r"\(os error (?:2|13|20|21|30)\)",
        r"unable to open database file",
    ),
    _sign(
        "environment", PLACE, "path",
        r"^(?:FileNotFoundError|PermissionError): .{0,200}?(?P<path>/?[\w.-]+(?:/[\w.-]+)+|[\w-]+\.\w{2,8})",
    ),
    _sign(
        "environment", "See to the template's data and the disk, then resume.", "frozen",
        r"^(?:OSError|FileNotFoundError|PermissionError)\b",
    ),
    _sign(
        "environment", DAMAGED, "data",
        r"Cannot load file containing pickled data", r"BadZipFile", r"No data left in file", r"BadGzipFile",
        r"failed finding central directory", r"(?:MetadataIncomplete|HeaderTooLarge|InvalidHeader)",
        r"truncated file: eof", r"file signature not found", r"ArrowInvalid: .{0,60}(?:Parquet|0 bytes)",
        r"UnpicklingError: invalid load key", r"Parquet magic bytes not found", r"zlib\.error", r"git-lfs",
    ),
)  # fmt: skip

# The last words of a job that was killed at its time limit while it waited for the network.
WAITS = re.compile(
    r"thrown while requesting |^Retrying in [\d.]+ ?s|Retrying \(Retry\(total=|(?:[Rr]ead|[Cc]onnect\w*) timed out"
    r"|Connection refused|Connection reset by peer|[Tt]emporary failure in name resolution"
    r"|\b(?:429|50[234])\b.{0,80}(?:[Rr]etry|again|wait)"
)

# What programs say that end by themselves, where an exception would have said more.
SPOKEN: tuple[Sign, ...] = (
    _sign(
        "transient", NETWORK, "reach",
        r"\b[Tt]imed out\.?$", r"Connection (?:refused|reset|timed out)", r"[Nn]etwork (?:error|is down)",
        r"\b(?:timeout|Timeout)\('",
    ),
)  # fmt: skip

# What a process leaves that Python could not explain: looked for in the text when there is no exception.
LAST_WORDS: tuple[Sign, ...] = (
    _sign(
        "environment", PYTHON, "",
        r"Fatal Python error: (?:init_\w+|Py_Initialize|initialization)", r"No module named encodings",
        r"error while loading shared libraries", r"bad interpreter", r"command not found", r"^bwrap: ",
        r"container creation failed", r"[Ee]xec format error",
    ),
)  # fmt: skip

# How a process ended that said nothing. Shells say 128 + n.
SIGNALS: dict[int, tuple[str, str, str]] = {
    1: ("transient", "SIGHUP", NETWORK),
    2: ("interrupted", "SIGINT", ""),
    4: ("environment", "SIGILL", "Install libraries that were built for this processor, then resume."),
    6: ("unknown", "SIGABRT", ""),
    7: ("unknown", "SIGBUS", ""),
    8: ("unknown", "SIGFPE", ""),
    9: ("resource", "SIGKILL, as the kernel does when memory is out", SMALLER),
    10: ("transient", "SIGUSR1", NETWORK),
    11: ("unknown", "SIGSEGV", ""),
    12: ("transient", "SIGUSR2", NETWORK),
    15: ("transient", "SIGTERM, from outside", NETWORK),
    24: ("resource", "SIGXCPU: its time on the processor is used up", SMALLER),
    25: ("resource", "SIGXFSZ: a file grew too large", SMALLER),
}

# Exit codes of a shell or a wrapper that could not start the program.
UNSTARTED = {126: "could not be executed", 127: "was not found"}

PACKAGES = {
    "sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml", "bs4": "beautifulsoup4",
    "skimage": "scikit-image", "dateutil": "python-dateutil", "faiss": "faiss-cpu", "umap": "umap-learn", "attr": "attrs",
    "git": "GitPython", "dotenv": "python-dotenv", "hydra": "hydra-core", "google.protobuf": "protobuf", "Crypto": "pycryptodome",
    "OpenSSL": "pyopenssl", "pkg_resources": "setuptools", "sentence_transformers": "sentence-transformers",
    "flash_attn": "flash-attn", "mpl_toolkits": "matplotlib", "Levenshtein": "python-Levenshtein", "docx": "python-docx",
}  # fmt: skip


def package(module: str) -> str:
    return PACKAGES.get(module) or PACKAGES.get(module.split(".")[0], module.split(".")[0])
