"""The SAE template in a folder of its own, run as a person would run it, at its smallest size."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "templates" / "sae"
CODE = ("experiment.py", "plot.py", "template.toml", "harness")


class Copy:
    """A copy of the template that may be changed, and runs of it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        folder.mkdir()
        for name in CODE:
            source = TEMPLATE / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, folder / name)

    def change(self, name: str, *pairs: tuple[str, str]) -> None:
        path = self.folder / name
        text = path.read_text()
        for old, new in pairs:
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
            text = text.replace(old, new)
        path.write_text(text)

    def add(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text((path.read_text() if path.exists() else "") + text)

    def python(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {k: v for k, v in os.environ.items() if not k.startswith(("SAE_", "AI_SCIENTIST_"))}
        given |= {"SAE_PROFILE": "micro", "SAE_CACHE": str(self.cache), "AI_SCIENTIST_SEEDS": "0", **env}
        return subprocess.run([sys.executable, *arguments], cwd=self.folder, env=given, capture_output=True, text=True, timeout=110)

    def run(self, out: str = "run_1", **env: str) -> subprocess.CompletedProcess[str]:
        return self.python("experiment.py", f"--out_dir={out}", **env)

    def means(self, out: str = "run_1", **env: str) -> dict[str, float]:
        done = self.run(out, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.read(out)

    def read(self, out: str = "run_1") -> dict[str, float]:
        families = json.loads((self.folder / out / "final_info.json").read_text())
        return {f"{family}.{name}": value for family, content in families.items() for name, value in content["means"].items()}


@pytest.fixture(scope="session")
def sae_cache(tmp_path_factory):
    """Activations are made once for all tests of a worker."""
    return tmp_path_factory.mktemp("sae-cache")


@pytest.fixture
def sae(tmp_path, sae_cache):
    return Copy(tmp_path / "sae", sae_cache)
