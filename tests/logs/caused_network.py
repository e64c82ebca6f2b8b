"""Failures of the network and of the hub, in all the libraries that experiments reach it with; and their look-alikes."""

from __future__ import annotations

from tests.logs.spec import DATA, spec

HUB = "from huggingface_hub import hf_hub_download"
MINE = "path = hf_hub_download('sparse-lab/big-corpus', 'data/part-0.jsonl', repo_type='dataset')\nloss = 0"
SNAPSHOT = '"""Data."""\nfrom huggingface_hub import snapshot_download\n\n\ndef load():\n    return snapshot_download("deepling/tiny-corpus", repo_type="dataset", revision="v2")\n'
MODEL = '"""Data."""\nfrom transformers import AutoConfig\n\n\ndef load():\n    return AutoConfig.from_pretrained("deepling/tiny-lm")\n'
DATASET = '"""Data."""\nfrom datasets import load_dataset\n\n\ndef load():\n    return load_dataset("deepling/tiny-corpus", split="train")\n'
ADDRESS = "address = os.environ['ENDPOINT'] + '/deepling/tiny-corpus/resolve/main/train.jsonl'"
REQUESTS = f"import requests\n{ADDRESS}"
RETRY = """
class DataUnavailable(RuntimeError):
    pass


def patiently(call, times=2):
    for attempt in range(times):
        try:
            return call()
        except Exception as error:
            print(f"attempt {attempt + 1} failed: {error}")
            last = error
    raise DataUnavailable(f"gave up after {times} attempts") from last
"""
RETRY_WITHOUT_CAUSE = RETRY.replace('            last = error\n    raise DataUnavailable(f"gave up after {times} attempts") from last',
                                    '            if attempt + 1 == times:\n                raise DataUnavailable("gave up")')  # fmt: skip
NO_NETWORK = ("unshare", "-n")
USES = "values = data.load()\nloss = 0"


def get(lines: str) -> dict[str, str]:
    """Both the template and the edit ask in these words."""
    return {"body": f"{lines}\nloss = 0", "was": f"{lines}\nloss = 1", "harness": DATA}


SPECS = [
    # the template's own repository, through huggingface_hub
    *(
        spec(f"hub_{way.replace(':', '_').replace('-', '_')}", kind, USES, hub=way, network="hub")
        for way, kind in (
            ("hang", "transient"),
            ("reset", "transient"),
            ("close", "transient"),
            ("refused", "transient"),
            ("status:429", "transient"),
            ("status:500", "transient"),
            ("status:502", "transient"),
            ("status:503", "transient"),
            ("status:504", "transient"),
            ("truncated", "transient"),
            ("stall", "transient"),
            ("chunks", "transient"),
            ("gated", "environment"),
            ("unauthorized", "environment"),
            ("forbidden", "environment"),
            ("no-repo", "environment"),
            ("private", "environment"),
            ("no-revision", "environment"),
            ("no-file", "environment"),
            ("self-signed", "environment"),
            ("tls-eof", "transient"),
        )
    ),
    *(
        spec(
            f"snapshot_{way.replace(':', '_').replace('-', '_')}", kind, USES, hub=way, network="hub", harness=SNAPSHOT
        )
        for way, kind in (
            ("status:503", "transient"),
            ("hang", "resource"),
            ("no-revision", "environment"),
            ("gated", "environment"),
        )
    ),
    *(
        spec(
            f"transformers_{way.replace(':', '_').replace('-', '_')}", kind, USES, hub=way, network="hub", harness=MODEL
        )
        for way, kind in (
            ("hang", "transient"),
            ("refused", "transient"),
            ("status:429", "transient"),
            ("gated", "environment"),
            ("no-repo", "environment"),
        )
    ),
    *(
        spec(f"datasets_{way.replace(':', '_').replace('-', '_')}", kind, USES, hub=way, network="hub", harness=DATASET)
        for way, kind in (
            ("hang", "transient"),
            ("status:500", "transient"),
            ("status:429", "transient"),
            ("refused", "transient"),
            ("gated", "environment"),
            ("no-repo", "environment"),
        )
    ),
    # a repository that only the edit names
    spec("edit_invents_a_repository", "code", MINE, HUB, hub="no-repo", network="hub"),
    spec("edit_invents_a_private_repository", "code", MINE, HUB, hub="private", network="hub"),
    spec("edit_wants_a_gated_repository", "code", MINE, HUB, hub="gated", network="hub"),
    spec(
        "edit_invents_a_file_of_the_templates_repository",
        "code",
        "path = hf_hub_download('deepling/tiny-corpus', 'validation-large.jsonl', repo_type='dataset')\nloss = 0",
        HUB,
        hub="no-file",
        network="hub",
    ),
    spec(
        "edit_invents_a_revision",
        "code",
        "path = hf_hub_download('deepling/tiny-corpus', 'train.jsonl', repo_type='dataset', revision='v9-clean')\nloss = 0",
        HUB,
        hub="no-revision",
        network="hub",
    ),
    spec(
        "edit_invents_a_dataset",
        "code",
        "from datasets import load_dataset\nrows = load_dataset('sparse-lab/big-corpus')\nloss = 0",
        hub="no-repo",
        network="hub",
    ),
    spec(
        "edit_invents_a_model",
        "code",
        "from transformers import AutoConfig\nmodel = AutoConfig.from_pretrained('sparse-lab/huge-lm')\nloss = 0",
        hub="no-repo",
        network="hub",
    ),
    spec(
        "edits_repository_times_out",
        "transient",
        MINE,
        HUB,
        hub="hang",
        network="hub",
        why="nobody knows yet whether it exists",
    ),
    # wrapped by the coder
    spec(
        "retry_gives_up_with_cause",
        "transient",
        f"{REQUESTS}\nrow = patiently(lambda: requests.get(address, timeout=0.5))\nloss = 0",
        before=RETRY,
        hub="hang",
        network="hub",
    ),
    spec(
        "retry_gives_up_without_cause",
        "transient",
        f"{REQUESTS}\nrow = patiently(lambda: requests.get(address, timeout=0.5))\nloss = 0",
        before=RETRY_WITHOUT_CAUSE,
        hub="hang",
        network="hub",
    ),
    spec(
        "retry_only_prints",
        "transient",
        "import sys\ntry:\n    data.load()\nexcept Exception as error:\n    print(f'Failed to load: {type(error).__name__}: {error}', file=sys.stderr)\n    sys.exit(1)\nloss = 0",
        hub="status:503",
        network="hub",
    ),
    spec(
        "fallback_after_a_timeout_is_wrong",
        "transient",
        "try:\n    data.load()\nexcept Exception:\n    values = read_local_copy()\nloss = 0",
        hub="stall",
        network="hub",
        why="without the time-out the fallback would not have run",
    ),
    spec(
        "retry_hides_a_bug",
        "code",
        "row = patiently(lambda: {}['train'])\nloss = 0",
        before=RETRY,
        why="no network in it",
    ),
    spec(
        "timeout_in_a_thread_pool",
        "transient",
        f"import requests\nfrom concurrent.futures import ThreadPoolExecutor\n{ADDRESS}\nwith ThreadPoolExecutor(2) as pool:\n    rows = list(pool.map(lambda a: requests.get(a, timeout=0.5), [address, address]))\nloss = 0",
        hub="hang",
        network="hub",
    ),
    spec(
        "timeout_in_a_group",
        "transient",
        f"import httpx\n{ADDRESS}\nerrors = []\nfor _ in range(2):\n    try:\n        httpx.get(address, timeout=0.5)\n    except httpx.HTTPError as error:\n        errors.append(error)\nraise ExceptionGroup('downloads failed', errors)\nloss = 0",
        hub="hang",
        network="hub",
    ),
    spec(
        "timeout_and_a_bug_in_a_group",
        "code",
        f"import httpx\n{ADDRESS}\nerrors = []\nfor f in (lambda: httpx.get(address, timeout=0.5), lambda: [][1]):\n    try:\n        f()\n    except Exception as error:\n        errors.append(error)\nraise ExceptionGroup('seeds failed', errors)\nloss = 0",
        hub="hang",
        network="hub",
        why="it would fail again",
    ),
    spec(
        "timeout_in_a_dataloader_worker",
        "transient",
        "import torch\nfor batch in torch.utils.data.DataLoader(Rows(), num_workers=1):\n    loss = 0",
        before="class Rows:\n    def __len__(self):\n        return 2\n\n    def __getitem__(self, i):\n        import urllib.request\n        return urllib.request.urlopen(os.environ['ENDPOINT'] + '/deepling/rows', timeout=0.5).read()",
        hub="hang",
        network="hub",
    ),
    spec("timeout_then_noise", "transient", USES, hub="stall", network="hub", cut="noise"),
    spec("timeout_front_cut_off", "transient", USES, hub="stall", network="hub", cut="front"),
    spec(
        "timeout_thread_dies_and_main_gives_up",
        "transient",
        f"import threading, queue\n{REQUESTS}\nq = queue.Queue()\nt = threading.Thread(target=lambda: q.put(requests.get(address, timeout=0.5)))\nt.start()\nt.join()\nloss = q.get(timeout=0.2)",
        hub="hang",
        network="hub",
    ),
    # other libraries
    spec(
        "requests_read_timeout",
        "transient",
        **get(f"{REQUESTS}\nrequests.get(address, timeout=0.5)"),
        hub="hang",
        network="hub",
    ),
    spec(
        "requests_connect_refused",
        "transient",
        **get(f"{REQUESTS}\nrequests.get(address, timeout=0.5)"),
        hub="refused",
        network="hub",
    ),
    spec("requests_reset", "transient", **get(f"{REQUESTS}\nrequests.get(address)"), hub="reset", network="hub"),
    spec(
        "requests_incomplete",
        "transient",
        **get(f"{REQUESTS}\nrequests.get(address).content"),
        hub="chunks",
        network="hub",
    ),
    spec(
        "requests_503_raised",
        "transient",
        **get(f"{REQUESTS}\nrequests.get(address).raise_for_status()"),
        hub="status:503",
        network="hub",
    ),
    spec(
        "requests_429_raised",
        "transient",
        **get(f"{REQUESTS}\nrequests.get(address).raise_for_status()"),
        hub="status:429",
        network="hub",
    ),
    spec(
        "requests_404_of_the_edit",
        "code",
        "import requests\naddress = os.environ['ENDPOINT'] + '/made-up/corpus/train.txt'\nrequests.get(address).raise_for_status()\nloss = 0",
        hub="no-repo",
        network="hub",
    ),
    spec(
        "requests_400_of_the_edit",
        "code",
        f"{REQUESTS}\nrequests.post(address, json={{'q': 1}}).raise_for_status()\nloss = 0",
        hub="status:400",
        network="hub",
    ),
    spec(
        "requests_proxy_refuses",
        "transient",
        **get(f"{REQUESTS}\nrequests.get('https://huggingface.co/x', timeout=2)"),
        hub="refused",
        network="hub",
        env={"HTTPS_PROXY": "{endpoint}"},
    ),
    spec(
        "requests_proxy_wants_a_password",
        "environment",
        **get(f"{REQUESTS}\nrequests.get('https://huggingface.co/x', timeout=2)"),
        hub="status:407",
        network="hub",
        env={"HTTPS_PROXY": "{endpoint}"},
    ),
    spec(
        "proxy_refuses_a_host_of_the_edit",
        "code",
        "import requests\nrequests.get('https://example.org/corpus.txt', timeout=2)\nloss = 0",
        hub="forbidden",
        network="hub",
        env={"HTTPS_PROXY": "{endpoint}"},
        why="only the hub is let through",
    ),
    spec(
        "proxy_bad_gateway",
        "transient",
        **get("import urllib.request\nurllib.request.urlopen('https://huggingface.co/x', timeout=2)"),
        hub="status:502",
        network="hub",
        env={"HTTPS_PROXY": "{endpoint}"},
    ),
    spec(
        "httpx_connect_refused",
        "transient",
        **get(f"import httpx\n{ADDRESS}\nhttpx.get(address)"),
        hub="refused",
        network="hub",
    ),
    spec(
        "httpx_read_timeout",
        "transient",
        **get(f"import httpx\n{ADDRESS}\nhttpx.get(address, timeout=0.5)"),
        hub="hang",
        network="hub",
    ),
    spec(
        "httpx_closed", "transient", **get(f"import httpx\n{ADDRESS}\nhttpx.get(address)"), hub="close", network="hub"
    ),
    spec(
        "httpx_503_raised",
        "transient",
        **get(f"import httpx\n{ADDRESS}\nhttpx.get(address).raise_for_status()"),
        hub="status:503",
        network="hub",
    ),
    spec(
        "httpx_truncated",
        "transient",
        **get(f"import httpx\n{ADDRESS}\nhttpx.get(address)"),
        hub="truncated",
        network="hub",
    ),
    spec(
        "urllib_timeout",
        "transient",
        **get(f"import urllib.request\n{ADDRESS}\nurllib.request.urlopen(address, timeout=0.5)"),
        hub="hang",
        network="hub",
    ),
    spec(
        "urllib_503",
        "transient",
        **get(f"import urllib.request\n{ADDRESS}\nurllib.request.urlopen(address)"),
        hub="status:503",
        network="hub",
    ),
    spec(
        "urllib_incomplete_read",
        "transient",
        **get(f"import urllib.request\n{ADDRESS}\nurllib.request.urlopen(address).read()"),
        hub="truncated",
        network="hub",
    ),
    spec(
        "urllib_disconnected",
        "transient",
        **get(f"import urllib.request\n{ADDRESS}\nurllib.request.urlopen(address)"),
        hub="close",
        network="hub",
    ),
    spec(
        "urllib_self_signed",
        "environment",
        **get(f"import urllib.request\n{ADDRESS}\nurllib.request.urlopen(address)"),
        hub="self-signed",
        network="hub",
    ),
    spec(
        "urllib3_max_retries",
        "transient",
        **get(f"import urllib3\n{ADDRESS}\nurllib3.PoolManager().request('GET', address, retries=1, timeout=0.3)"),
        hub="hang",
        network="hub",
    ),
    spec(
        "urllib3_reset",
        "transient",
        **get(f"import urllib3\n{ADDRESS}\nurllib3.PoolManager().request('GET', address, retries=False)"),
        hub="reset",
        network="hub",
    ),
    spec(
        "aiohttp_disconnected",
        "transient",
        **get(
            f"import aiohttp, asyncio\n{ADDRESS}\n\nasync def fetch():\n    async with aiohttp.ClientSession() as s, s.get(address) as r:\n        return await r.read()\n\nasyncio.run(fetch())"
        ),
        hub="close",
        network="hub",
    ),
    spec(
        "aiohttp_503",
        "transient",
        **get(
            f"import aiohttp, asyncio\n{ADDRESS}\n\nasync def fetch():\n    async with aiohttp.ClientSession(raise_for_status=True) as s, s.get(address) as r:\n        return await r.read()\n\nasyncio.run(fetch())"
        ),
        hub="status:503",
        network="hub",
    ),
    spec(
        "bare_socket_reset",
        "transient",
        **get(
            "import http.client\nc = http.client.HTTPConnection(os.environ['ENDPOINT'].split('//')[1])\nc.request('GET', '/x')\nc.getresponse()"
        ),
        hub="reset",
        network="hub",
    ),
    spec(
        "address_is_no_address",
        "code",
        "import requests\nrequests.get('huggingface.co/deepling')\nloss = 0",
        network="hub",
    ),
    # no network
    spec(
        "dns_fails_for_the_template",
        "transient",
        USES,
        harness=DATA.replace(
            "def load(",
            "def load():\n    import requests\n    return requests.get('https://huggingface.co/deepling/tiny-corpus')\n\n\ndef unused(",
        ),
        wrap=NO_NETWORK,
        network="hub",
    ),
    spec(
        "dns_fails_httpx",
        "transient",
        **get("import httpx\nhttpx.get('https://huggingface.co/deepling/tiny-corpus')"),
        wrap=NO_NETWORK,
        network="hub",
    ),
    spec(
        "dns_fails_urllib",
        "transient",
        **get("import urllib.request\nurllib.request.urlopen('https://huggingface.co/deepling')"),
        wrap=NO_NETWORK,
        network="hub",
    ),
    spec(
        "edit_reaches_out_of_a_closed_profile_requests",
        "code",
        "import requests\nrequests.get('https://example.org/corpus.txt')\nloss = 0",
        wrap=NO_NETWORK,
    ),
    spec("edit_reaches_out_of_a_closed_profile_hub", "code", MINE, HUB, wrap=NO_NETWORK),
    spec(
        "edit_reaches_out_of_a_closed_profile_datasets",
        "code",
        "from datasets import load_dataset\nrows = load_dataset('sparse-lab/big-corpus')\nloss = 0",
        wrap=NO_NETWORK,
    ),
    spec(
        "edit_reaches_out_of_a_closed_profile_retry",
        "code",
        "import httpx\nrow = patiently(lambda: httpx.get('https://example.org/x'))\nloss = 0",
        before=RETRY,
        wrap=NO_NETWORK,
    ),
    spec(
        "template_finds_no_network_and_no_cache",
        "environment",
        USES,
        harness=DATASET,
        wrap=NO_NETWORK,
        why="what it needs was not fetched before",
    ),
    spec(
        "offline_and_the_templates_data_not_there", "environment", USES, harness=SNAPSHOT, env={"HF_HUB_OFFLINE": "1"}
    ),
    spec("offline_and_the_templates_model_not_there", "environment", USES, harness=MODEL, env={"HF_HUB_OFFLINE": "1"}),
    spec("offline_and_the_edits_data_not_there", "code", MINE, HUB, env={"HF_HUB_OFFLINE": "1"}),
    spec(
        "offline_and_the_edits_dataset_not_there",
        "code",
        "from datasets import load_dataset\nrows = load_dataset('sparse-lab/big-corpus')\nloss = 0",
        env={"HF_HUB_OFFLINE": "1"},
    ),
    # look-alikes that are no network
    spec(
        "pipe_of_a_dead_worker",
        "code",
        "import multiprocessing\na, b = multiprocessing.Pipe()\nb.close()\nloss = a.recv()",
        why="a pipe inside the program",
    ),
    spec("queue_timeout", "code", "import queue\nloss = queue.Queue().get(timeout=0.1)", why="no network in it"),
    spec(
        "future_timeout",
        "code",
        "from concurrent.futures import ThreadPoolExecutor\nimport time\npool = ThreadPoolExecutor(1)\nloss = pool.submit(time.sleep, 1).result(timeout=0.1)",
        why="no network in it",
    ),
    spec(
        "own_server_refuses",
        "code",
        "import socket\ns = socket.create_connection(('localhost', 9), timeout=1)\nloss = 0",
        why="its own machine",
    ),
]
