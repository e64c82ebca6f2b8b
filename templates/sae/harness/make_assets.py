"""Makes the small world that the template ships: documents, tokenizer, language model. Run once, by its maintainers.

    python -m harness.make_assets                  checks the shipped files against assets/SHA256SUMS
    python -m harness.make_assets --from-stdlib    builds them anew (about 25 minutes on one core) into --out

The documents are texts of Python's own standard library: help topics, docstrings, and code without its docstrings. So
anybody can rebuild them, without a network; but what comes out belongs to one version of Python, and weights to one kind
of processor. That is why the files are shipped: every machine has the same world, and its name is their hash.
All texts of one source file fall into the same part, training or held out; so no document is in both. The language model
is trained on the whole training part; of its sequences only those are shipped that one SAE is to be trained on, so that an
experiment has no others.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from harness.data import PROFILES
from harness.language import LanguageModel, Shape
from harness.lexical import label

HERE = Path(__file__).resolve().parent
FILES = ("assets/train.npz", "assets/vocabulary.json", "assets/tokenizer.json", "assets/model.npz", "heldout/heldout.npz",
         "assets/scale.npz")  # fmt: skip
SOURCES = ("topics", "docstring", "code")
HELD_OUT = 0.22
CODE = 2_000_000  # characters of code, no more
LONGEST = 30_000  # characters of one document
LEFT_OUT = ("site-packages", "test", "tests", "idle_test", "pydoc_data", "encodings", "turtledemo", "dist-packages")
LAYER = PROFILES["tiny"].layer
SHIPPED = 4032  # training sequences: what profile tiny trains on, and nothing more
BEGIN, PAD = "<bos>", "<pad>"


@dataclass(frozen=True)
class Document:
    text: str
    source: str
    package: str
    held_out: bool


def documents() -> list[Document]:
    found = list(_topics())
    room = CODE
    for path in _files():
        name = path.relative_to(_library()).as_posix()
        docstrings, code = _parts(path)
        package = name.split("/")[0].removesuffix(".py")
        if docstrings:
            found.append(Document(docstrings[:LONGEST], "docstring", package, _held_out(name)))
        if len(code) > 400 and room > 0:
            found.append(Document(code[:LONGEST], "code", package, _held_out(name)))
            room -= len(found[-1].text)
    return found


def _topics() -> Iterator[Document]:
    from pydoc_data.topics import topics

    for name, text in sorted(topics.items()):
        yield Document(text, "topics", "topics", _held_out(f"topics/{name}"))


def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _files() -> list[Path]:
    """In an order that has nothing to do with their names."""
    root = _library()
    paths = [p for depth in ("*.py", "*/*.py", "*/*/*.py") for p in root.glob(depth)]
    wanted = [p for p in paths if not set(LEFT_OUT) & set(p.relative_to(root).parts) and "sysconfig" not in p.name]
    return sorted(wanted, key=lambda p: _number(p.relative_to(root).as_posix()))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _held_out(name: str) -> bool:
    return _number(f"part {name}") < HELD_OUT * 2**64


def _parts(path: Path) -> tuple[str, str]:
    """The docstrings of a file, and its code without them."""
    try:
        text = path.read_text("utf-8")
        tree = ast.parse(text)
    except (UnicodeDecodeError, SyntaxError):
        return "", ""
    docstrings, lines = [], set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            said = ast.get_docstring(node)
            if said:
                lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
                if len(said) > 80:
                    docstrings.append(said)
    code = "\n".join(line for number, line in enumerate(text.split("\n"), 1) if number not in lines)
    return "\n\n".join(docstrings), code


def build_tokenizer(texts: list[str], vocabulary: int):  # noqa: ANN201  a tokenizers.Tokenizer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[BEGIN, PAD], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def sequences(found: list[Document], tokenizer, context: int) -> dict[str, np.ndarray]:  # noqa: ANN001
    """Whole sequences of `context` tokens, each with <bos> in front; what is left of a document is dropped."""
    packages = sorted({d.package for d in found})
    words = [tokenizer.decode([number]) for number in range(tokenizer.get_vocab_size())]
    rows: dict[str, list] = {"ids": [], "source": [], "package": [], "document": [], "labels": []}
    for number, document in enumerate(found):
        ids = tokenizer.encode(document.text).ids
        for start in range(0, len(ids) - context + 2, context - 1):
            rows["ids"].append([0, *ids[start : start + context - 1]])
            rows["labels"].append(label([words[number] for number in rows["ids"][-1]]))
            rows["source"].append(SOURCES.index(document.source))
            rows["package"].append(packages.index(document.package))
            rows["document"].append(number)
    return {name: np.array(values, dtype=np.uint16) for name, values in rows.items()}


def train(model: LanguageModel, ids: np.ndarray, held_out: np.ndarray, epochs: float, batch: int = 16, rate: float = 3e-3) -> None:
    tokens, draw = torch.from_numpy(ids.astype(np.int64)), torch.Generator().manual_seed(0)
    steps = int(epochs * len(tokens) / batch)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
    began, order, at = time.time(), torch.randperm(len(tokens), generator=draw), 0
    for step in range(steps):
        if at + batch > len(tokens):
            order, at = torch.randperm(len(tokens), generator=draw), 0
        chosen, at = tokens[order[at : at + batch]], at + batch
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        loss = cross_entropy(model, chosen)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 200 == 0 or step == steps - 1:
            said = f", held out {score(model, held_out[:400]):.3f}" if step % 1000 == 0 or step == steps - 1 else ""
            print(f"step {step} of {steps}: loss {loss.item():.3f}{said}, {time.time() - began:.0f} s", flush=True)


def cross_entropy(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    logits = model(ids)[:, :-1]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


@torch.no_grad()
def score(model: LanguageModel, ids: np.ndarray) -> float:
    tokens = torch.from_numpy(ids.astype(np.int64))
    return sum(cross_entropy(model, part).item() * len(part) for part in tokens.split(64)) / len(tokens)


def build(out: Path, epochs: float) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order
    shape = Shape()
    found = documents()
    kept = [d for d in found if not d.held_out]
    tokenizer = build_tokenizer([d.text for d in kept], shape.vocabulary)
    all_rows = sequences(found, tokenizer, shape.context)
    away = np.array([found[n].held_out for n in all_rows["document"]])
    parts = [{name: values[chosen] for name, values in all_rows.items()} for chosen in (~away, away)]
    print(f"{len(found)} documents, {[len(p['ids']) for p in parts]} sequences", flush=True)
    for folder in ("assets", "heldout"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    packages = np.array(sorted({d.package for d in found}))
    chosen = np.random.RandomState(0).permutation(len(parts[0]["ids"]))[:SHIPPED]
    shipped = {name: values[chosen] for name, values in parts[0].items()}
    np.savez_compressed(out / FILES[0], packages=packages, **shipped)
    np.savez_compressed(out / FILES[4], packages=packages, **parts[1])
    words = [tokenizer.decode([n]) for n in range(shape.vocabulary)]
    (out / FILES[1]).write_text(json.dumps(words, ensure_ascii=True), "ascii")
    tokenizer.save(str(out / FILES[2]), pretty=False)
    model = LanguageModel(shape)
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.02 if "out" not in name else 0.02 / math.sqrt(2 * shape.layers))
    train(model, parts[0]["ids"], parts[1]["ids"], epochs)
    np.savez(out / FILES[3], **{name: w.detach().half().numpy() for name, w in model.state_dict().items()})
    keep_scale(model.half().float(), shipped["ids"], out / FILES[5])
    (out / "assets/SHA256SUMS").write_text("".join(f"{digest(out / name)}  {name}\n" for name in FILES), "ascii")
    (out / "assets/MADE").write_text(
        f"Python {sys.version.split()[0]}, torch {torch.__version__}, {epochs:g} epochs over the training part;\n"
        f"cross-entropy on the held-out part {score(model, parts[1]['ids']):.4f} nats a token.\n", "ascii"
    )  # fmt: skip


@torch.no_grad()
def keep_scale(model: LanguageModel, ids: np.ndarray, path: Path) -> None:
    """Mean and mean squared size of the activations that saes are trained on, <bos> left out."""
    tokens = torch.from_numpy(ids[::12].astype(np.int64))
    rows = torch.cat([model.residual(part, LAYER)[:, 1:] for part in tokens.split(64)]).flatten(0, 1).double()
    mean = rows.mean(0)
    size = (rows - mean).pow(2).sum(-1).mean().sqrt()
    np.savez(path, mean=mean.float().numpy(), size=size.numpy())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wrong_files(root: Path) -> list[str]:
    """The shipped files that are missing or not what they were."""
    known = dict(reversed(line.split()) for line in (root / "assets/SHA256SUMS").read_text("ascii").splitlines())
    return [name for name in FILES if not (root / name).exists() or digest(root / name) != known.get(name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-stdlib", action="store_true", help="build the files from this Python's standard library")
    parser.add_argument("--out", type=Path, default=HERE, help="where to (default: in place)")
    parser.add_argument("--epochs", type=float, default=8.0, help="passes of the language model over the training part")
    given = parser.parse_args()
    if given.from_stdlib:
        build(given.out, given.epochs)
    wrong = wrong_files(given.out)
    print(f"wrong or missing: {', '.join(wrong)}" if wrong else "all files are as they were shipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
