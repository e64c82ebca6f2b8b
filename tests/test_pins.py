"""The libraries as they are pinned work together, where one calls another that is a major version away."""

import os
import subprocess
import sys

import pytest

from tests import tiny_hub

pytestmark = pytest.mark.slow
LOAD = """
import datasets
rows = datasets.load_dataset("tiny/data", split="train")
streamed = datasets.load_dataset("tiny/data", split="train", streaming=True)
assert list(rows) == list(streamed) == [{"x": 1, "y": 2}, {"x": 3, "y": 4}], list(rows)
"""


def test_datasets_loads_from_a_hub_through_the_hub_s_own_library(tmp_path):
    """datasets 5.0 passes `proxies`, which huggingface_hub 1.x does not take any more but lets pass."""
    own = {"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with tiny_hub.running(secure=False) as hub:
        env = {**os.environ, **own, "HF_ENDPOINT": hub.endpoint}
        done = subprocess.run([sys.executable, "-c", LOAD], env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-3000:]
    assert any("train.csv" in asked for asked in hub.asked)
