"""Prompt tokens per edit request over a study of ten runs at the SAE template's size: ours beside bare aider.

Run from the project's folder: python bench/tokens.py [--json]. Exit code 1 when ours is more than a third of bare aider's.
Both sides get the same template, idea, replies and failures (tokens_study.py) from a server that counts what it is sent.

Bare aider is one long-lived coder as in the classic loop: experiment.py, plot.py and notes.txt in the chat, api.md
read-only, no git, format "diff"; baselines stand in notes.txt and in the first request, each run's results in the next one.
    raw      results are the whole dictionary of final_info.json
    means    the loop as published cuts each family down to its means
    digest   our short digests in their place
    fresh    digests, and a new coder for every request, which is told the idea again
A star: with one order of aider 0.86.2 mended. It adds two messages to the history after it has begun to summarise it, then
finds that the history has changed, and drops the summary that was paid for. The star keeps summaries: history stays short.
The bar holds against raw and raw*.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import sae_sized
from bench.tokens_study import IDEA, SUMMARY, TURNS, Turn, notes
from tests.fake_llm import FakeLLM, Say
from tests.stories import world

BAR = 1 / 3
KINDS = ("raw", "raw*", "means", "means*", "digest", "digest*", "fresh")
CONTEXT = 200_000  # tokens that the model reads; aider keeps a sixteenth of it as history, at most 8,192
PRICE = "3/15"
SEEDS = {"baseline": "0,1,2,3,4", "run": "0,1,2"}
EDITED = ("experiment.py", "plot.py", "notes.txt")


@cache
def tokens(text: str) -> tuple[int, ...]:
    """By cl100k_base, the file of which litellm brings along."""
    from agent.llm.library import litellm

    return tuple(litellm().encoding.encode(text, disallowed_special=()))


def count(text: str) -> int:
    return len(tokens(text))


@dataclass
class Side:
    """What one side sent."""

    name: str
    calls: list[dict] = field(default_factory=list)  # run, kind (edit, notes, summary), tokens, cached, parts

    @property
    def edits(self) -> list[dict]:
        return [call for call in self.calls if call["kind"] == "edit"]

    @property
    def total(self) -> int:
        return sum(call["tokens"] for call in self.calls)

    @property
    def per_edit(self) -> float:
        """Everything that was sent, summaries and notes as well, by the number of edit requests."""
        return self.total / len(self.edits)

    @property
    def cached(self) -> float:
        return sum(call["cached"] for call in self.calls) / self.total

    def parts(self, unit: str) -> dict[str, float]:
        names = dict.fromkeys(name for call in self.edits for name in call[unit])
        return {name: sum(call[unit].get(name, 0) for call in self.edits) / len(self.edits) for name in names}


def measured(name: str, requests: list, kinds: list[tuple[str, int]], parted: Callable[[list], dict[str, str]]) -> Side:
    side, before = Side(name), []
    for request, (kind, run) in zip(requests, kinds, strict=True):
        told = [(m["role"], text) for m, text in zip(request.messages, request.texts, strict=True)]
        flat = [token for role, text in told for token in (role, *tokens(text))]
        parts = parted(told) if kind == "edit" else {}
        side.calls.append(
            {
                "kind": kind,
                "run": run,
                "tokens": request.usage["prompt"],
                "cached": max((shared(flat, other) for other in before), default=0),
                "parts": {part: count(text) for part, text in parts.items()},
                "bytes": {part: len(text.encode()) for part, text in parts.items()},
            }
        )
        before.append(flat)
    return side


def shared(one: list, other: list) -> int:
    """How much of the front is the same: what a cache of prefixes could serve."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# ---- ours ---------------------------------------------------------------------------------------------------------


def ours(folder: Path) -> tuple[Side, list[dict[str, str]]]:
    """A study through the product. Returns also the digests that each edit request held, for the bare side."""
    replies = [Say(turn.words + "\n\n" + turn.blocks() + our_notes(turn)) for turn in TURNS]
    replies.append(Say(world.notes("run_10", notes(10))))
    template = sae_sized.write(folder / "sae_sized")
    with FakeLLM(replies, count=count) as server:
        given = {
            "model": "openai/test",
            "base_url": server.openai_url,
            "price": PRICE,
            "context_tokens": CONTEXT,
            "retry_wait": 0.01,
        }
        root, settings = world.start(folder, folder=template, idea=IDEA, **given)
        stop = world.go(root, None, settings)
    state = world.state_of(root)
    runs = {name: [a.blame for a in run.attempts] for name, run in state.runs.items() if name.startswith("run_")}
    failed = [name for name, blames in runs.items() if any(blames)]
    assert (stop.exit_code, len(state.good), failed) == (0, 10, ["run_3", "run_8"]), (stop, runs)
    assert len(server.requests) == len(replies) and not server.overrun, len(server.requests)
    kinds = [("edit", turn.run) for turn in TURNS] + [("notes", 10)]
    digests = [our_parts([("", text) for text in request.texts]) for request in server.requests[:-1]]
    return measured("ours", server.requests, kinds, our_parts), digests


def our_notes(turn: Turn) -> str:
    return world.notes(f"run_{turn.run - 1}", notes(turn.run - 1)) if turn.first and turn.run > 1 else ""


def our_parts(told: list[tuple[str, str]]) -> dict[str, str]:
    stable, files, read, request = (text for _, text in told)
    rules, idea = stable.split("# The idea:", 1)
    idea, code = idea.split("# The code you start from", 1)
    code, answer = code.split("# How to answer", 1)
    code, context = code.split("harness/api.md (read-only):", 1)
    frame, experiment = files.split("\nexperiment.py\n", 1)
    parts = {"rules": rules + answer, "idea": idea, "about the template": code, "api.md": context,
             "experiment.py": experiment}  # fmt: skip
    rest = request
    for part, before, after in (("results", "Its results:\n\n", "\n\nAll runs"), ("results", "against, run_0_l1:\n\n", "\n\nAll b"),
                                ("history", "All runs so far:\n\n", "\n\n"), ("history", "All baselines:\n\n", "\n\n"),
                                ("notes", "\n\nnotes/run_", "\n\nYou have")):  # fmt: skip
        if before in rest:
            head, tail = rest.split(before, 1)
            parts[part], tail = tail.split(after, 1)
            rest = head + before + after + tail
    return {**parts, "the request itself": frame + read + rest}


# ---- bare aider ---------------------------------------------------------------------------------------------------


class Bare:
    """The classic loop around one coder, in words of our own."""

    def __init__(self, folder: Path, kind: str, server: FakeLLM, digests: list[dict[str, str]]) -> None:
        self.folder, self.kind, self.digests = folder, kind.rstrip("*"), digests
        self.new_coder = lambda: coder_of(folder, server, keeps=kind.endswith("*"))
        self.coder = None
        self.at = 0  # the turn whose reply comes next

    def baselines(self) -> None:
        for name in sae_sized.BASELINES:
            self.run_experiment(f"run_0_{name}", SEEDS["baseline"], SAE_ARCH=name)

    def shown_baselines(self) -> str:
        if self.kind in ("digest", "fresh"):
            return f"{self.digests[0]['results']}\n{self.digests[0]['history']}"
        return str({name: self.dictionary(f"run_0_{name}") for name in sae_sized.BASELINES})

    def shown(self, run: str) -> str:
        """Asked before the turn that is told these results."""
        return self.digests[self.at]["results"] if self.kind in ("digest", "fresh") else str(self.dictionary(run))

    def dictionary(self, run: str) -> dict:
        found = json.loads((self.folder / run / "final_info.json").read_text())
        return {name: content["means"] for name, content in found.items()} if self.kind == "means" else found

    def run_experiment(self, run: str, seeds: str, **env: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "experiment.py", f"--out_dir={run}"]
        given = {**os.environ, "AI_SCIENTIST_SEEDS": seeds, **env}
        return subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True)

    def study(self) -> None:
        self.baselines()
        baselines = self.shown_baselines()
        (self.folder / "notes.txt").write_text(
            f"# {IDEA['Title']}\n# Experiments: {IDEA['Experiment']}\n## Run 0: the baselines\nResults: {baselines}\n"
        )
        told = "\n\n".join(f"{key}: {IDEA[key]}" for key in ("Technical_Details", "Implementation_Plan", "Abstract"))
        kickoff = prompt = (
            f"You are to carry out this idea: {IDEA['Title']}.\nThe experiments that it proposes: {IDEA['Experiment']}\n{told}\n\n"
            "There are up to 10 runs for it, and you need not use them all. Begin with a plan of the runs: where you want to "
            "vary a parameter, its value in each of them. The baselines have been run and are not to be run again. Their "
            f"results:\n\n{baselines}\n\n{COMMAND.format('run_i, where i is the number of the run')} Start with the first item of "
            "your plan."
        )
        run = 1
        while run <= 10:
            if self.coder is None:
                self.coder = self.new_coder()
            elif self.kind == "fresh":
                self.coder, prompt = self.new_coder(), f"{kickoff}\n\n{prompt}"
            self.coder.run(prompt)
            done = self.run_experiment(f"run_{run}", SEEDS["run"])
            if done.returncode:
                prompt = f"The run failed. The end of its error output:\n{done.stderr[-1500:]}"
                continue
            if run < 10:
                prompt = (
                    f"Run {run} is done. Its results:\n{self.shown(f'run_{run}')}\n\nThink about whether your plan should change "
                    "after this; often it need not. Somebody else will write the paper from `notes.txt`: add everything about "
                    f"run {run} that this takes, what was done, its number, what came out, at whatever length it needs.\n\n"
                    f"Then do the next item of your plan. {COMMAND.format(f'run_{run + 1}')} Answer ALL_COMPLETED when there is "
                    "nothing left to do."
                )
            run += 1


COMMAND = "After your change, `python experiment.py --out_dir={}` will be run, as it stands: add no other arguments."


class InOrder(set):
    """aider shows files in the order of a set, another one with every start; this is the one that a cache likes best."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__(), reverse=True))  # plot.py never changes, notes.txt grows at its end


def coder_of(folder: Path, server: FakeLLM, keeps: bool):
    from aider.coders import Coder
    from aider.io import InputOutput
    from aider.models import Model

    class Known(Model):
        """What is known about the model is said here; aider would look for it in the network."""

        def get_model_info(self, model: str) -> dict:
            return {
                "max_input_tokens": CONTEXT,
                "max_output_tokens": 64_000,
                "litellm_provider": "openai",
                "mode": "chat",
            }

    model = Known("openai/test", weak_model=False, editor_model=False)
    model.weak_model = model  # the same one writes the summaries of the history
    model.extra_params = {"api_base": server.openai_url, "api_key": "none"}
    coder = Coder.create(
        main_model=model,
        edit_format="diff",
        io=InputOutput(yes=True, pretty=False, fancy_input=False),
        fnames=[str(folder / name) for name in EDITED],
        read_only_fnames=[str(folder / "harness" / "api.md")],
        use_git=False,
        stream=False,
        map_tokens=0,
        detect_urls=False,
    )
    coder.abs_fnames = InOrder(coder.abs_fnames)
    if keeps:

        def move_back(message: str | None) -> None:
            coder.done_messages += coder.cur_messages
            if message:
                coder.done_messages += [{"role": "user", "content": message}, {"role": "assistant", "content": "Ok."}]
            coder.cur_messages = []
            coder.summarize_start()

        coder.move_back_cur_messages = move_back
    return coder


def bare(place: Path, kind: str, digests: list[dict[str, str]]) -> Side:
    from aider.prompts import summarize

    folder = sae_sized.write(place / f"aider_{kind}".replace("*", "_kept"))
    (folder / "notes.txt").write_text("")
    kinds: list[tuple[str, int]] = []

    def answer(request) -> Say:
        if request.texts[0] == summarize:
            kinds.append(("summary", TURNS[loop.at - 1].run))
            return Say(SUMMARY)
        turn = TURNS[loop.at]
        loop.at += 1
        kinds.append(("edit", turn.run))
        return Say(turn.words + "\n\n" + turn.blocks() + aider_notes(turn))

    with FakeLLM(answer, count=count) as server:
        loop = Bare(folder, kind, server, digests)
        loop.study()
        requests = list(server.requests)
    results = [(folder / f"run_{i}" / "final_info.json").exists() for i in range(1, 11)]
    assert all(results) and loop.at == len(TURNS), (kind, results, loop.at)
    return measured(kind, requests, kinds, aider_parts)


def aider_notes(turn: Turn) -> str:
    """An empty SEARCH adds to the end of a file."""
    if not turn.first or turn.run == 1:
        return ""
    return world.new_file("notes.txt", f"\n## Run {turn.run - 1}\n{notes(turn.run - 1)}")


def aider_parts(told: list[tuple[str, str]]) -> dict[str, str]:
    texts = [text for _, text in told]
    switch = next(i for i, text in enumerate(texts) if text.startswith("I switched to a new code base"))
    read_only = next(i for i, text in enumerate(texts) if text.startswith("Here are some READ ONLY files"))
    chat = next(i for i, text in enumerate(texts) if text.startswith("I have *added these files"))
    request, reminder = "\n".join(texts[chat + 2 :]).split("# *SEARCH/REPLACE block* Rules:", 1)
    parts = {"rules": "\n".join(texts[: switch + 2]) + reminder, "history of the chat": "\n".join(texts[read_only + 2 : chat]),
             "api.md": "\n".join(texts[read_only : read_only + 2])}  # fmt: skip
    files = texts[chat]
    places = sorted((files.index(f"\n{name}\n```"), name) for name in EDITED)
    for (start, name), (end, _) in zip(places, [*places[1:], (len(files), "")], strict=True):
        parts[name] = files[start:end]
    return {**parts, "the request itself": request}


# ---- both ---------------------------------------------------------------------------------------------------------


@contextmanager
def quiet() -> Iterator[None]:
    """aider and litellm print; what they say goes nowhere."""
    nowhere, kept = os.open(os.devnull, os.O_WRONLY), (os.dup(1), os.dup(2))
    sys.stdout.flush()
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)


def play() -> tuple[list[Side], dict[str, int]]:
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "none"}
    with tempfile.TemporaryDirectory() as folder, quiet():
        place = Path(folder)
        os.environ["HOME"] = folder  # aider keeps things there
        own, digests = ours(place)
        sides = [own, *(bare(place, kind, digests) for kind in KINDS)]
        found = (place / "aider_raw" / "run_1" / "final_info.json").read_text()
    dictionary = json.loads(found)
    means = {name: content["means"] for name, content in dictionary.items()}
    sizes = {"final_info.json, bytes": len(found.encode()), "as a dictionary in a prompt, bytes": len(str(dictionary)),
             "the same, tokens": count(str(dictionary)), "its means, tokens": count(str(means)),
             "our digest of it, tokens": count(digests[1]["results"])}  # fmt: skip
    return sides, sizes


def told(side: Side, own: Side) -> dict:
    first = {run: next(c["tokens"] for c in side.edits if c["run"] == run) for run in (1, 2, 5, 10)}
    extra = [c for c in side.calls if c["kind"] != "edit"]
    billed = side.total * (1 - 0.9 * side.cached)
    return {
        **{f"run {run}, first request": value for run, value in first.items()},
        "edit requests": len(side.edits),
        "their tokens": sum(c["tokens"] for c in side.edits),
        "summaries and notes": len(extra),
        "their tokens ": sum(c["tokens"] for c in extra),
        "per edit request": round(side.per_edit),
        "ours / this": round(own.per_edit / side.per_edit, 3),
        "same in front as an earlier one": round(side.cached, 3),
        "ours / this, if that costs a tenth": round(own.total * (1 - 0.9 * own.cached) / billed, 3),
    }


def show(rows: dict[str, list], names: list[str]) -> None:
    print(f"{'':<34}" + "".join(f"{name:>12}" for name in names))
    for label, values in rows.items():
        print(f"{label:<34}" + "".join(f"{'–' if v is None else format(v, ',')!s:>12}" for v in values))
    print()


def main() -> int:
    sides, sizes = play()
    own, raw, kept = sides[:3]
    table = {side.name: told(side, own) for side in sides}
    parts = {side.name: {k: round(v) for k, v in side.parts("parts").items()} for side in sides}
    in_bytes = {name: round(size) for name, size in own.parts("bytes").items()}
    ratio = own.per_edit / min(raw.per_edit, kept.per_edit)
    if "--json" in sys.argv:
        told_all = {"ratio": ratio, "bar": BAR, "sizes": sizes, "table": table, "tokens_of_parts": parts}
        print(json.dumps({**told_all, "bytes_of_our_parts": in_bytes, "calls": {s.name: s.calls for s in sides}}))
        return int(ratio > BAR)
    names = [side.name for side in sides]
    show({label: [table[name][label] for name in names] for label in table["ours"]}, names)
    print("Tokens of an edit request, by part (mean)")
    labels = dict.fromkeys(label for name in names for label in parts[name])
    rows = {label: [parts[name].get(label) for name in names] for label in labels}
    show({k: [*v, in_bytes.get(k)] for k, v in rows.items()}, [*names, "ours, bytes"])
    print("Results of one run: " + " · ".join(f"{name} {size:,}" for name, size in sizes.items()))
    print(f"ours is {ratio:.3f} of bare aider with whole dictionaries, the lesser of raw and raw* (bar {BAR:.3f})")
    return int(ratio > BAR)


if __name__ == "__main__":
    sys.exit(main())
