"""Failures that are the edit's, or what it computes: code, numeric, contract."""

from __future__ import annotations

from tests.logs.spec import DATA, spec

TORCH = "import torch\nfrom torch import nn"
LOADER = """
class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.table[index]
"""

SPECS = [
    spec("shape_mismatch", "code", "x = torch.ones(4, 8)\nloss = nn.Linear(16, 2)(x).sum()", TORCH),
    spec("key_error", "code", "config = {'rate': 0.1}\nloss = config['learning_rate']"),
    spec("index_error", "code", "values = data.load()\nloss = values[99]"),
    spec("name_error", "code", "values = data.load()\nloss = valuse.mean()"),
    spec("name_error_nan", "code", "loss = 1.0\nif loss == nan:\n    loss = 0", why="a name, not a value"),
    spec(
        "numpy_has_no_such_nan",
        "code",
        "loss = 1.0 if data.load()[0] > 5 else np.nan_value",
        why="an attribute, not a value",
    ),
    spec("attribute_error", "code", "loss = nn.Linear(2, 2).forwards(torch.ones(2))", TORCH),
    spec("unbound_local", "code", "for i in []:\n    loss = i\nprint(loss)"),
    spec("type_error_argument", "code", "loss = np.mean(data.load(), along=0)"),
    spec("syntax_error", "code", "values = data.load()\nloss = values.mean("),
    spec("indentation_error", "code", "values = data.load()\n  loss = values.mean()"),
    spec("import_name_of_harness", "code", imports="from harness.data import load_all"),
    spec("import_name_of_library", "code", imports="from torch.optim import AdamW2"),
    spec("recursion", "code", "loss = depth(0)", before="def depth(n):\n    return depth(n + 1)"),
    spec(
        "argparse_refuses",
        "code",
        "parser = argparse.ArgumentParser()\nparser.parse_args()\nloss = 0",
        why="exit code 2 and a usage",
    ),
    spec("silent_exit", "code", "loss = 1\nif loss:\n    raise SystemExit(3)", why="the edit itself ends it"),
    spec(
        "said_and_exited",
        "code",
        "import sys\nprint('configuration is not valid: k > width', file=sys.stderr)\nloss = sys.exit(1)",
    ),
    spec(
        "assertion_of_edit",
        "code",
        "values = data.load()\nassert values.shape == (3, 4), f'shape {values.shape}'\nloss = 0",
    ),
    spec(
        "chained_during_handling_bug",
        "code",
        "try:\n    import flash_attn_interface\nexcept ImportError:\n    kernel = fallbak()\nloss = 0",
        why="the import that failed was expected; the fallback is wrong",
    ),
    spec(
        "chained_direct_cause",
        "code",
        "try:\n    loss = {'a': 1}['b']\nexcept KeyError as error:\n    raise RuntimeError('no setting b') from error",
    ),
    spec(
        "exception_group",
        "code",
        "errors = []\nfor f in (lambda: 1 / 0, lambda: int('x')):\n    try:\n        f()\n    except Exception as e:\n"
        "        errors.append(e)\nraise ExceptionGroup('two seeds failed', errors)\nloss = 0",
    ),
    spec(
        "dataloader_worker",
        "code",
        "for batch in torch.utils.data.DataLoader(Rows(), batch_size=2, num_workers=2):\n    loss = 0",
        TORCH,
        LOADER,
    ),
    spec(
        "pool_child",
        "code",
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool:\n    loss = sum(pool.map(one, [1, 0]))",
        before="def one(seed):\n    return 1 / seed",
    ),
    spec(
        "executor_child",
        "code",
        "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool:\n    loss = sum(pool.map(one, [1, 0]))",
        before="def one(seed):\n    return [1, 2][seed + 7]",
    ),
    spec(
        "thread_then_main",
        "code",
        "import threading\nfound = []\nt = threading.Thread(target=lambda: found.append(data.load()['x']))\nt.start()\nt.join()\nloss = found[0]",
    ),
    spec(
        "child_process_fails",
        "code",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import json; json.loads(\"{\")'], check=True)\nloss = 0",
    ),
    spec("noise_follows", "code", "loss = data.load().reshape(5, 5).sum()", cut="noise"),
    spec(
        "front_cut_off",
        "code",
        "model = nn.Sequential(*[nn.Sequential(nn.Sequential(nn.Linear(4, 4))) for _ in range(3)], nn.Sequential(nn.Linear(3, 3)))\n"
        "loss = model(torch.ones(1, 4)).sum()",
        TORCH,
        cut="front",
        why="no frame of the experiment is left",
    ),
    spec(
        "progress_bar",
        "code",
        "import sys\nfor i in range(300):\n    sys.stderr.write(f'\\rtraining: {i / 3:3.0f}%|{chr(9608) * (i // 20)}| {i}/300 [00:01<00:02, 97.1it/s, loss=0.3]')\n"
        "loss = data.load()[:, 1]",
    ),
    spec(
        "progress_bar_in_the_middle",
        "code",
        "import sys, traceback\ntry:\n    loss = data.load() @ np.ones(3)\nexcept ValueError:\n    lines = traceback.format_exc().splitlines(True)\n"
        "    sys.stderr.write(''.join(lines[:2]) + '\\r 40%|####      | 4/10 [00:01<00:01,  3.9it/s]\\r 50%|#####     | 5/10 [00:01<00:01,  3.9it/s]\\n' + ''.join(lines[2:]))\n"
        "    sys.exit(1)",
    ),
    spec(
        "traceback_on_stdout",
        "code",
        "import sys, traceback\ntry:\n    loss = data.load().reshape(7)\nexcept ValueError:\n    traceback.print_exc(file=sys.stdout)\n    sys.exit(1)",
    ),
    spec(
        "logged_exception",
        "code",
        "import logging, sys\nlogging.basicConfig(format='%(asctime)s %(levelname)s %(name)s: %(message)s')\ntry:\n    loss = {}['x']\n"
        "except KeyError:\n    logging.exception('seed 0 failed')\n    sys.exit(1)",
    ),
    spec(
        "handled_before_and_fails_otherwise",
        "code",
        "import traceback\ntry:\n    open('cache.npy')\nexcept OSError:\n    traceback.print_exc()\nloss = undefined_thing",
        why="the printed traceback was handled; the last one ended it",
    ),
    spec(
        "load_dataset_wrong_argument",
        "code",
        "from datasets import load_dataset\nrows = load_dataset('json', data_files='rows.json', max_retries=5, retry_delay=3)\nloss = 0",
        added={"rows.json": '{"a": 1}\n'},
        why="an argument that does not exist",
    ),
    spec(
        "hub_download_wrong_argument",
        "code",
        "from huggingface_hub import hf_hub_download\npath = hf_hub_download('deepling/tiny-corpus', 'train.jsonl', timeout=60, max_retries=3)\nloss = 0",
        hub="hang",
        network="hub",
        why="an argument that does not exist",
    ),
    spec("module_only_the_edit_names", "code", imports="import sparse_kernels_fast"),
    spec(
        "submodule_only_the_edit_names",
        "code",
        imports="import scipy.sparsest.linalg",
        was_imports="import scipy.sparse",
        why="scipy is there",
    ),
    spec(
        "module_needed_by_a_library_for_the_edit",
        "code",
        "import pandas\nframe = pandas.DataFrame({'a': [1]})\nframe.to_excel('table.xlsx')\nloss = 0",
        why="only the edit asks for what needs the optional package",
    ),
    spec(
        "file_that_the_edit_invented",
        "code",
        "values = data.load()\nextra = np.load('harness/corpus_large.npy')\nloss = 0",
    ),
    spec(
        "file_invented_through_the_harness",
        "code",
        "values = data.load('validation_v2.npy')\nloss = 0",
        why="the harness raises; the name is the edit's",
    ),
    spec("folder_that_the_edit_forgot", "code", "open('checkpoints/last.txt', 'w').write('1')\nloss = 0"),
    spec(
        "cuda_only_the_edit_wants",
        "code",
        "loss = nn.Linear(2, 2).cuda()(torch.ones(2)).sum()",
        TORCH,
        was="device = 'cuda' if torch.cuda.is_available() else 'cpu'\nloss = nn.Linear(2, 2).to(device)(torch.ones(2)).sum()",
        was_imports=TORCH,
    ),
    spec(
        "harness_rejects_weights",
        "code",
        "values = data.load()\nloss = data.score(values[:5])",
        harness=DATA
        + "\n\ndef score(weights):\n    if weights.shape != (12,):\n        raise ValueError(f'weights must have shape (12,), not {weights.shape}')\n    return float(weights.sum())\n",
        why="a frozen file raises, about what it was given",
    ),
    spec(
        "multi_line_message",
        "code",
        "model = nn.Linear(2, 2)\nmodel.load_state_dict({'w': torch.ones(1), 'b': torch.ones(1)})\nloss = 0",
        TORCH,
    ),
    spec(
        "error_of_own_class",
        "code",
        "raise ConfigError('k must divide the width')\nloss = 0",
        before="class ConfigError(Exception):\n    pass",
    ),
    spec(
        "timeout_in_a_message_only",
        "code",
        "raise ValueError('timeout must be positive, got -1; try 429 or 503')\nloss = 0",
        why="words of the network in a message that is none",
    ),
    spec("json_decode", "code", "loss = json.loads('{\"a\": }')['a']"),
    spec(
        "pickle_of_lambda",
        "code",
        "import multiprocessing\nwith multiprocessing.Pool(1) as pool:\n    loss = sum(pool.map(lambda s: s, [1]))",
    ),
    spec(
        "in_place_gradient",
        "code",
        "w = torch.ones(3, requires_grad=True)\nh = w.exp()\nh += 1\nh.sum().backward()\nloss = 0",
        TORCH,
    ),
    # what it computes
    spec(
        "nan_assertion",
        "numeric",
        "loss = np.log(-data.load()).mean()\nassert not np.isnan(loss), f'loss is nan at step 12'",
    ),
    spec(
        "nan_own_check",
        "numeric",
        "loss = float('nan')\nif loss != loss:\n    raise RuntimeError('Loss diverged to NaN at step 340; lower the learning rate')",
    ),
    spec("nan_to_integer", "numeric", "loss = int(np.log(-1.0))"),
    spec(
        "nan_sklearn",
        "numeric",
        "from sklearn.linear_model import LogisticRegression\nx = np.array([[1.0], [np.nan]])\nLogisticRegression().fit(x, [0, 1])\nloss = 0",
    ),
    spec("nan_multinomial", "numeric", "loss = torch.multinomial(torch.tensor([float('nan'), 1.0]), 1)", TORCH),
    spec(
        "nan_anomaly_mode",
        "numeric",
        "with torch.autograd.detect_anomaly():\n    w = torch.zeros(1, requires_grad=True)\n    torch.sqrt(w * 0).mul(0).sum().backward()\nloss = 0",
        TORCH,
    ),
    spec(
        "nan_distribution",
        "numeric",
        "loss = torch.distributions.Normal(torch.tensor([float('nan')]), torch.ones(1)).sample()",
        TORCH,
    ),
    spec("floating_point_error", "numeric", "np.seterr(all='raise')\nloss = np.exp(np.float64(1000.0))"),
    spec("singular_matrix", "numeric", "loss = np.linalg.inv(np.zeros((3, 3))).sum()"),
    spec("math_overflow", "numeric", "import math\nloss = math.exp(5000)"),
    # what it leaves
    spec("exit_zero_without_results", "contract", "loss = 0\nraise SystemExit(0)", why="exit code 0, nothing written"),
    spec("worker_is_quiet", "contract", "loss = 0\nprint('done, best loss 0.31')\nos._exit(0)"),
]
