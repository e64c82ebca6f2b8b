"""One failure to be caused: a template, an edit of it, and the world that it runs in."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

DATA = '''\
"""The data that every run is measured on."""
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def load(name="corpus.npy"):
    return np.load(HERE / name)


def batches(values, size):
    for start in range(0, len(values), size):
        yield values[start : start + size]
'''

HUB_DATA = '''\
"""The data that every run is measured on."""
from huggingface_hub import hf_hub_download


def load():
    path = hf_hub_download("deepling/tiny-corpus", "train.jsonl", repo_type="dataset")
    return open(path).read().splitlines()
'''


def experiment(body: str, imports: str = "", before: str = "") -> str:
    head = "import argparse\nimport json\nimport os\n\nimport numpy as np\n\nfrom harness import data\n"
    head += f"{imports}\n" if imports else ""
    helpers = f"\n{textwrap.dedent(before).strip()}\n" if before else ""
    main = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"""{head}{helpers}

def main(out_dir):
{main}
    os.makedirs(out_dir, exist_ok=True)
    with open(os.path.join(out_dir, "final_info.json"), "w") as file:
        json.dump({{"core": {{"means": {{"loss": float(loss)}}}}}}, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", default="run_0")
    main(parser.parse_args().out_dir)
"""


PLAIN = "values = data.load()\nrate = 0.1\nloss = float(np.mean(values)) * rate"


@dataclass(frozen=True)
class Spec:
    name: str
    expected: str
    edit: dict[str, str]  # the files as the coder left them; others are the template's
    template: dict[str, str]
    why: str = ""
    network: str = "none"  # of the profile
    hub: str = ""  # how the server on this machine's loopback behaves; HF_ENDPOINT names it
    env: dict[str, str] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()  # a program that starts the experiment; {root} is the study
    missing: tuple[str, ...] = ()  # files of the template that are not there
    signal_after: tuple[int, float] | None = None  # sent from outside
    baseline: bool = False
    cut: str = ""  # "front": only the end of the log is left; "end": only its beginning; "noise": much follows it
    exit_code: int | None = None  # instead of the signal that was seen, as a shell would say it
    ending: str = "finished"
    detail: str = ""  # of the outcome


def spec(
    name: str, expected: str, body: str = PLAIN, imports: str = "", before: str = "", was: str = PLAIN, **more: object
) -> Spec:
    """An experiment of a few lines: `was` in the template, `body` after the edit."""
    was_imports, was_before = str(more.pop("was_imports", "")), str(more.pop("was_before", ""))
    harness = str(more.pop("harness", HUB_DATA if more.get("hub") else DATA))
    template = {"experiment.py": experiment(was, was_imports, was_before), "harness/data.py": harness}
    template.update(more.pop("frozen", {}))  # type: ignore[call-overload]
    edit = {"experiment.py": experiment(body.replace("rate = 0.1", "rate = 0.05"), imports, before)}
    edit.update(more.pop("added", {}))  # type: ignore[call-overload]
    return Spec(name, expected, edit, template, **more)  # type: ignore[arg-type]
