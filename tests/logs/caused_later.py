"""A second batch, caused after the rules were written, to see what they say at first sight. It belongs to the open half."""

from __future__ import annotations

import signal

from tests.logs.caused_machine import POWERLESS
from tests.logs.caused_network import DATASET, MODEL, NO_NETWORK, RETRY, get
from tests.logs.spec import DATA, HUB_DATA, spec

TORCH = "import torch\nfrom torch import nn"
CORE = ("bash", "-c", 'ulimit -c 0; exec "$@"', "-")
FEW = ("bash", "-c", 'ulimit -v 900000; exec "$@"', "-")
TINY_DISK = ("unshare", "-m", "bash", "-c", 'mkdir -p out; mount -t tmpfs -o size=64k tmpfs out; exec "$@"', "-")
SPAWN = "import multiprocessing as mp\np = mp.get_context('spawn').Process(target=work)\np.start()\np.join()\n"

SPECS = [
    # the edit
    spec("later_pandas_key", "code", "import pandas as pd\nloss = pd.DataFrame({'a': [1]})['b'].mean()"),
    spec(
        "later_sklearn_shapes",
        "code",
        "from sklearn.linear_model import Ridge\nRidge().fit(np.ones((3, 2)), np.ones(4))\nloss = 0",
    ),
    spec("later_torch_dtype", "code", "loss = nn.Linear(2, 2)(torch.ones(2, dtype=torch.float64)).sum()", TORCH),
    spec(
        "later_backward_twice",
        "code",
        "w = torch.ones(2, requires_grad=True)\ns = (w * w).sum()\ns.backward()\ns.backward()\nloss = 0",
        TORCH,
    ),
    spec("later_optimizer_without_parameters", "code", "opt = torch.optim.Adam([])\nloss = 0", TORCH),
    spec("later_einsum", "code", "loss = torch.einsum('ij,jk->ik', torch.ones(2, 3), torch.ones(4, 5)).sum()", TORCH),
    spec(
        "later_state_dict_shapes",
        "code",
        "a, b = nn.Linear(2, 2), nn.Linear(3, 3)\na.load_state_dict(b.state_dict())\nloss = 0",
        TORCH,
    ),
    spec("later_assert_in_torch", "code", "loss = nn.MultiheadAttention(5, 2)", TORCH),
    spec(
        "later_yaml_missing_key_file", "code", "config = json.load(open('configs/sweep.json'))\nloss = config['loss']"
    ),
    spec("later_wrong_device_name", "code", "loss = torch.ones(2, device='cuda0').sum()", TORCH),
    spec("later_added_file_fails", "code", imports="import nets", added={"nets.py": "WIDTH = int('wide')\n"}),
    spec(
        "later_added_file_imports_what_is_not_there",
        "code",
        imports="import nets",
        added={"nets.py": "import lightning_fast_sparse\n"},
    ),
    spec(
        "later_async_task",
        "code",
        "import asyncio\n\nasync def step():\n    return [][0]\n\nasync def both():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(step())\n        group.create_task(asyncio.sleep(1))\n\nasyncio.run(both())\nloss = 0",
    ),
    spec(
        "later_spawned_child",
        "code",
        f"{SPAWN}\nif p.exitcode:\n    raise RuntimeError('a seed failed')\nloss = 0",
        before="def work():\n    raise ValueError('k is larger than the width')",
    ),
    spec(
        "later_click_usage",
        "code",
        "import sys\nprint('Usage: experiment.py [OPTIONS]\\nError: Missing option --k', file=sys.stderr)\nloss = sys.exit(2)",
    ),
    spec(
        "later_warnings_then_error",
        "code",
        "import warnings\nfor i in range(30):\n    warnings.warn(f'deprecated {i}', stacklevel=1)\nloss = data.load().mean(axis=3)",
    ),
    spec(
        "later_hub_warning_then_error",
        "code",
        'import sys\nprint("Warning: You are sending unauthenticated requests to the HF Hub. Please set a HF_TOKEN to enable higher rate limits", file=sys.stderr)\nloss = data.load()[50]',
    ),
    spec("later_requests_misused", "code", "import requests\nrequests.get(url='http:///x')\nloss = 0", network="hub"),
    spec(
        "later_bad_json_from_own_file", "code", "open('own.json', 'w').write('{')\nloss = json.load(open('own.json'))"
    ),
    spec(
        "later_own_damaged_file", "code", "open('own.npz', 'wb').write(b'PK00')\nloss = np.load('own.npz')['a'].sum()"
    ),
    spec(
        "later_stops_itself",
        "code",
        "import sys\nsys.stderr.write('early stopping failed: patience must be positive\\n')\nos._exit(4)\nloss = 0",
    ),
    spec("later_divides", "code", "loss = 1 / len([])"),
    spec(
        "later_unpickling_own",
        "code",
        "import pickle\nopen('s.pkl', 'wb').write(b'x')\nloss = pickle.load(open('s.pkl', 'rb'))",
    ),
    spec(
        "later_torch_load_refuses",
        "code",
        "class Box:\n    pass\ntorch.save({'a': Box}, 'm.pt')\nloss = torch.load('m.pt', weights_only=True)",
        TORCH,
    ),
    spec(
        "later_builder_config",
        "code",
        "from datasets import load_dataset\nrows = load_dataset('csv', 'no_such_config', data_files='rows.csv', split='validation')\nloss = 0",
        added={"rows.csv": "a\n1\n"},
    ),
    spec(
        "later_trainer_argument",
        "code",
        "from transformers import TrainingArguments\nargs = TrainingArguments(output_dir='x', evaluation_strategy='epoch')\nloss = 0",
    ),
    # what it computes
    spec("later_cholesky", "numeric", "loss = torch.linalg.cholesky(-torch.eye(3)).sum()", TORCH),
    spec(
        "later_cross_entropy_nan_check",
        "numeric",
        "loss = torch.tensor(float('inf')) - torch.tensor(float('inf'))\nassert torch.isfinite(loss), 'loss became non-finite in step 3'",
        TORCH,
    ),
    spec(
        "later_own_exception_nan",
        "numeric",
        "raise TrainingDiverged('NaN in the gradient of W_dec')\nloss = 0",
        before="class TrainingDiverged(Exception):\n    pass",
    ),
    spec("later_svd_nan", "numeric", "loss = np.linalg.svd(np.full((3, 3), np.nan))[1].sum()"),
    spec("later_json_nan", "numeric", "json.dumps({'a': float('nan')}, allow_nan=False)\nloss = 0"),
    # the machine
    spec("later_memory_of_a_fork", "resource", "loss = torch.zeros(600, 1000, 1000).sum()", TORCH, wrap=FEW),
    spec("later_memory_list", "resource", "loss = sum([0] * 10**11)"),
    spec(
        "later_threads",
        "resource",
        "import threading, time\nfor _ in range(5000):\n    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\nloss = 0",
        wrap=FEW,
    ),
    spec(
        "later_disk_pickle",
        "environment",
        "import pickle\nwith open('out/s.pkl', 'wb') as f:\n    pickle.dump(bytes(500_000), f)\nloss = 0",
        wrap=TINY_DISK,
    ),
    spec(
        "later_disk_csv",
        "environment",
        "import pandas as pd\npd.DataFrame({'a': range(90_000)}).to_csv('out/a.csv')\nloss = 0",
        wrap=TINY_DISK,
    ),
    spec(
        "later_disk_figure",
        "environment",
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nplt.figure(dpi=900)\nplt.plot(np.random.rand(9000))\nplt.savefig('out/a.png')\nloss = 0",
        wrap=TINY_DISK,
    ),
    spec(
        "later_disk_safetensors",
        "environment",
        "from safetensors.numpy import save_file\nsave_file({'w': np.zeros(90_000)}, 'out/w.safetensors')\nloss = 0",
        wrap=TINY_DISK,
    ),
    spec(
        "later_disk_shutil",
        "environment",
        "import shutil\nopen('big', 'wb').write(bytes(300_000))\nshutil.copy('big', 'out/big')\nloss = 0",
        wrap=TINY_DISK,
    ),
    spec("later_disk_npz", "environment", "np.savez('out/a.npz', a=np.random.rand(50_000))\nloss = 0", wrap=TINY_DISK),
    spec(
        "later_no_right_to_the_results",
        "environment",
        wrap=("bash", "-c", "mkdir -m 555 run_1; " + POWERLESS + '"$@"', "-"),
        why="every experiment has to write there",
    ),
    spec(
        "later_template_text_file",
        "environment",
        harness=DATA.replace("def load(", "WORDS = (HERE / 'vocabulary.txt').read_text()\n\n\ndef load("),
    ),
    spec(
        "later_template_folder",
        "environment",
        harness=DATA.replace("def load(", "SHARDS = sorted((HERE / 'shards').iterdir())\n\n\ndef load("),
    ),
    spec(
        "later_template_json_data",
        "environment",
        harness=DATA.replace(
            "def load(", "import pandas as pd\n\nTABLE = pd.read_csv(HERE / 'table.csv')\n\n\ndef load("
        ),
    ),
    spec(
        "later_template_model_folder",
        "environment",
        "values = data.load()\nloss = 0",
        harness='from transformers import AutoConfig\n\n\ndef load():\n    return AutoConfig.from_pretrained("/data/models/tiny-lm")\n',
    ),
    spec(
        "later_template_variable",
        "environment",
        harness=DATA.replace("HERE = Path(__file__).parent", "import os\n\nHERE = Path(os.environ['CORPUS_HOME'])"),
    ),
    spec("later_variable_of_the_edit", "code", "width = int(os.environ['SAE_WIDTH_FACTOR'])\nloss = width"),
    spec(
        "later_module_in_template_function",
        "environment",
        harness=DATA.replace("    return np.load", "    import blosc2_hdf5\n\n    return np.load"),
    ),
    spec(
        "later_module_version",
        "environment",
        imports="from scipy.integrate import quad_fast",
        was_imports="from scipy.integrate import quad_fast",
    ),
    spec(
        "later_program_of_the_template",
        "environment",
        harness=DATA.replace(
            "    return np.load",
            "    import subprocess\n\n    subprocess.run(['corpus-tool', '--unpack'], check=True)\n    return np.load",
        ),
    ),
    spec(
        "later_program_of_the_edit", "code", "import subprocess\nsubprocess.run(['nvtop', '-h'], check=True)\nloss = 0"
    ),
    spec(
        "later_segmentation_of_a_child",
        "unknown",
        "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(1) as pool:\n    loss = pool.submit(work).result()",
        before="def work():\n    import ctypes\n    ctypes.string_at(0)",
        wrap=CORE,
    ),
    spec(
        "later_child_killed",
        "unknown",
        "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(1) as pool:\n    loss = pool.submit(work).result()",
        before="def work():\n    os.kill(os.getpid(), 9)",
    ),
    spec(
        "later_usr1",
        "transient",
        "import time\ntime.sleep(20)\nloss = 0",
        signal_after=(signal.SIGUSR1, 1.5),
        why="a scheduler's warning",
    ),
    spec(
        "later_terminated_with_output",
        "transient",
        "import sys, time\nfor i in range(9999):\n    print(f'\\r{i}/9999 [00:00, 9.1it/s]', end='', file=sys.stderr)\n    time.sleep(0.01)\nloss = 0",
        signal_after=(signal.SIGTERM, 1.5),
    ),
    # the network
    spec(
        "later_datasets_503_inside_a_retry",
        "transient",
        "rows = patiently(data.load)\nloss = 0",
        before=RETRY,
        harness=DATASET,
        hub="status:503",
        network="hub",
    ),
    spec(
        "later_transformers_truncated",
        "transient",
        "values = data.load()\nloss = 0",
        harness=MODEL,
        hub="truncated",
        network="hub",
    ),
    spec(
        "later_transformers_500",
        "transient",
        "values = data.load()\nloss = 0",
        harness=MODEL,
        hub="status:500",
        network="hub",
    ),
    spec(
        "later_tokenizer_reset",
        "transient",
        "values = data.load()\nloss = 0",
        harness=MODEL.replace("AutoConfig", "AutoTokenizer"),
        hub="reset",
        network="hub",
    ),
    spec(
        "later_hf_filesystem_503",
        "transient",
        "values = data.load()\nloss = 0",
        harness='from huggingface_hub import HfFileSystem\n\n\ndef load():\n    return HfFileSystem().open("datasets/deepling/tiny-corpus/train.jsonl").read()\n',
        hub="status:503",
        network="hub",
    ),
    spec(
        "later_list_files_429",
        "transient",
        "values = data.load()\nloss = 0",
        harness='from huggingface_hub import HfApi\n\n\ndef load():\n    return HfApi().list_repo_files("deepling/tiny-corpus", repo_type="dataset")\n',
        hub="status:429",
        network="hub",
    ),
    spec(
        "later_list_files_missing_of_the_edit",
        "code",
        "from huggingface_hub import HfApi\nfiles = HfApi().list_repo_files('sparse-lab/corpus-9', repo_type='dataset')\nloss = 0",
        hub="no-repo",
        network="hub",
    ),
    spec(
        "later_urlretrieve_short",
        "transient",
        **get(
            "import urllib.request\naddress = os.environ['ENDPOINT'] + '/deepling/x/resolve/main/a'\nurllib.request.urlretrieve(address, 'a')"
        ),
        hub="truncated",
        network="hub",
    ),
    spec(
        "later_torch_hub_404_of_the_edit",
        "code",
        "import torch\ntorch.hub.load_state_dict_from_url(os.environ['ENDPOINT'] + '/sparse-lab/x/resolve/main/w.pt')\nloss = 0",
        hub="no-repo",
        network="hub",
    ),
    spec(
        "later_pandas_url_503",
        "transient",
        **get("import pandas as pd\npd.read_csv(os.environ['ENDPOINT'] + '/deepling/x/resolve/main/a.csv')"),
        hub="status:503",
        network="hub",
    ),
    spec(
        "later_sklearn_fetch_no_network",
        "code",
        "from sklearn.datasets import fetch_openml\nx = fetch_openml('mnist_784')\nloss = 0",
        wrap=NO_NETWORK,
        why="the edit wants what this profile has not",
    ),
    spec(
        "later_sklearn_fetch_template",
        "transient",
        **get("from sklearn.datasets import fetch_california_housing\nx = fetch_california_housing(data_home='.')"),
        wrap=NO_NETWORK,
        network="hub",
    ),
    spec(
        "later_printed_and_exited",
        "transient",
        "import sys, traceback\ntry:\n    data.load()\nexcept Exception:\n    traceback.print_exc()\n    print('could not load the data, stopping')\n    sys.exit(1)\nloss = 0",
        harness=HUB_DATA,
        hub="stall",
        network="hub",
    ),
    spec(
        "later_logger_error_and_exit",
        "transient",
        "import logging\nlogging.basicConfig(level=logging.INFO)\ntry:\n    data.load()\nexcept Exception as error:\n    logging.error('loading failed: %r', error)\n    raise SystemExit(1)\nloss = 0",
        harness=HUB_DATA,
        hub="stall",
        network="hub",
    ),
    spec(
        "later_exit_with_message",
        "transient",
        "try:\n    data.load()\nexcept Exception as error:\n    raise SystemExit(f'no data: {error}')\nloss = 0",
        harness=HUB_DATA,
        hub="stall",
        network="hub",
    ),
    spec(
        "later_wrapped_from_none",
        "transient",
        "try:\n    data.load()\nexcept Exception as error:\n    raise RuntimeError(f'loading the corpus failed: {type(error).__name__}: {error}') from None\nloss = 0",
        harness=HUB_DATA,
        hub="stall",
        network="hub",
    ),
    spec(
        "later_swallowed_then_fails",
        "transient",
        "values = None\ntry:\n    values = data.load()\nexcept Exception as error:\n    print('could not load:', error)\nloss = len(values)",
        harness=HUB_DATA,
        hub="stall",
        network="hub",
        why="only what was printed tells why there are no values",
    ),
    # of a third batch, what was judged wrongly at first sight
    spec(
        "later_opens_a_folder",
        "code",
        "loss = open('harness').read()",
        why="the folder is the template's, the mistake the edit's",
    ),
    spec(
        "later_template_tokenizer",
        "environment",
        harness='from tokenizers import Tokenizer\n\n\ndef load():\n    return Tokenizer.from_file("harness/tokenizer.json")\n',
        why="the message names no file",
    ),
    spec(
        "later_tokenizer_of_the_edit",
        "code",
        "from tokenizers import Tokenizer\nt = Tokenizer.from_file('assets/bpe.json')\nloss = 0",
    ),
    spec(
        "later_template_database",
        "environment",
        harness=DATA.replace(
            "    return np.load",
            "    import sqlite3\n\n    sqlite3.connect('/data/shared/rows.db').execute('select 1')\n    return np.load",
        ),
    ),
]
