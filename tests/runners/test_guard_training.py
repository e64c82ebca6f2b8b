"""Real training under the guard: what torch needs passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.runners import guard, landlock

TRAINING = """
import json, subprocess, sys
import numpy, torch, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, TensorDataset

class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, index):
        return torch.tensor([float(index)]), torch.tensor([float(index) ** 2])

def double(tensor, queue, taken):
    tensor *= 2
    queue.put(tensor.clone())
    taken.wait()  # a tensor lives as long as the process that sent it

if __name__ == "__main__":
    loader = DataLoader(Squares(), batch_size=8, num_workers=2, persistent_workers=True, multiprocessing_context=sys.argv[1])
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    batches = 0
    for epoch in range(2):
        for x, y in loader:
            loss = ((model(x / 64) - y / 4096) ** 2).mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step(); batches += 1
    context = mp.get_context("spawn")
    shared, queue, taken = torch.ones(3).share_memory_(), context.SimpleQueue(), context.Event()
    process = context.Process(target=double, args=(shared, queue, taken))
    process.start(); returned = queue.get(); taken.set(); process.join()
    torch.save(model.state_dict(), "model.pt"); torch.load("model.pt")
    numpy.memmap("m.npy", dtype="f4", mode="w+", shape=(10,))[:] = numpy.linalg.svd(numpy.eye(10))[1]
    plt.plot([1, 2]); plt.savefig("figure.png")
    said = subprocess.run(["echo", "said"], capture_output=True, text=True).stdout.strip()
    with torch.profiler.profile() as profile:
        torch.ones(9) @ torch.ones(9)
    print(json.dumps([batches, shared.tolist(), returned.tolist(), process.exitcode, said, torch.get_num_threads() > 0]))
"""


@pytest.mark.slow
@pytest.mark.skipif(guard.abi() < 1, reason=landlock.why_not() or "no Landlock")
def test_torch_trains_with_loader_workers_and_processes_of_its_own(tmp_path: Path) -> None:
    """As this user, with the interpreter of the tests."""
    for name in ("work", "home", "t"):
        (tmp_path / name).mkdir()
    (tmp_path / "work" / "train.py").write_text(TRAINING)
    system = [
        "/usr",
        "/bin",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/passwd",
        "/etc/fonts",
        "/proc",
        "/sys/devices/system",
    ]
    spec = {
        "readable": [*system, sys.prefix, sys.base_prefix],
        "optional": system,
        "writable": [str(tmp_path), "/dev/shm"],
        "sockets": "unix",
        "limits": {"open_files": 4096},
    }
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "t")}
    argv = [sys.executable, "-I", "-S", str(guard.__file__), json.dumps(spec), "--", sys.executable, "train.py", "fork"]
    done = subprocess.run(argv, cwd=tmp_path / "work", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [16, [2.0] * 3, [2.0] * 3, 0, "said", True]
    assert (tmp_path / "work" / "figure.png").stat().st_size > 1000
