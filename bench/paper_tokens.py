"""What the paper of a study costs in tokens: the 25 writing steps of a study of ten runs of the SAE template, without LaTeX.

Run from the project's folder: python bench/paper_tokens.py [--json] [--longer]. Exit code 1 above 250,000 for the first table.
Prompts are the product's own, counted by a server on loopback as it gets them (cl100k_base, as in tokens.py); replies are
those of the recorded paper, which the product takes or rejects. A rejected turn is the same reply with one sentence more,
which cites and refers to what is not there: one for the first step of each part. "In front": how much of a prompt is
the beginning of an earlier one, which a cache of prefixes could serve if nothing ever left it.
How it grows is reckoned from the first prompt alone: what stands in front of all of them is sent with each step.
"""

import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from agent.core import paper
from agent.core.errors import InputProblem
from agent.steps import build
from bench import paper_study
from bench.tokens import CONTEXT, PRICE, count, measured, quiet
from tests.fake_llm import FakeLLM, Say
from tests.stories import world

BAR = 250_000
WRONG = "Penalties of this kind have a longer history \\citep{nobody2020}, which \\fact{run_1.core.kl_nat} continues.\n"


@dataclass
class Case:
    name: str
    runs: int = 10
    figures: int = 6
    rejected: bool = False
    longer: bool = False  # much of the prose twice
    calls: list[dict] = field(default_factory=list)
    parts: dict[str, int] = field(default_factory=dict)  # tokens of the stable part by its headings

    def sum(self, key: str, action: str = "") -> int:
        return sum(call[key] for call in self.calls if action in ("", call["action"]))

    @property
    def total(self) -> int:
        return self.sum("prompt") + self.sum("reply")

    @property
    def stable(self) -> int:
        return sum(self.parts.values())


PLAYED = (Case("10 runs, 6 figures"), Case("with a rejected turn for each part", rejected=True))
LONGER = Case("with a third more text", longer=True)
GROWN = tuple(
    Case(f"{runs} runs, {figures} figures", runs, figures)
    for runs, figures in ((3, 6), (10, 6), (10, 12), (20, 6), (20, 12))
)


def replies(case: Case) -> list[tuple[str, str, str]]:
    """Action, part and reply of each call, in order."""
    rows = [json.loads(line) for line in paper_study.RECORDING.read_text("utf-8").splitlines()]
    texts = {(row["action"], row["run"]): row["reply"] for row in rows if row["action"] in paper.ACTIONS}
    told, seen = [], set()
    for step in paper.STEPS:
        text = lengthened(texts[step.action, step.part]) if case.longer else texts[step.action, step.part]
        if case.rejected and step.part not in seen:
            told.append((step.action, step.part, spoilt(text, step.part)))
        seen.add(step.part)
        told.append((step.action, step.part, text))
    return told


def of_figures(case: Case) -> list[tuple[str, str, str]]:
    """The figures stay as they are; the notes on them are as long as the recorded ones, a paragraph each."""
    rows = (json.loads(line) for line in paper_study.RECORDING.read_text("utf-8").splitlines())
    recorded = next(row["reply"] for row in rows if row["action"] == "figures").partition("=======\n")[2]
    readings = [paragraph.partition(": ")[2] for paragraph in recorded.partition("\n>>>>>>>")[0].split("\n\n")]
    names = [*paper_study.OWN_FIGURES, *paper_study.FIGURES][: case.figures]
    notes = "\n\n".join(f"{name}.png: {readings[at % len(readings)]}" for at, name in enumerate(names))
    return [("plot", "plot.py", "ALL_COMPLETED"), ("figures", "figures", world.new_file("notes/figures.txt", notes))]


def spoilt(text: str, part: str) -> str:
    if part == "title":
        return text.replace("\\title{", "\\title{\\fact{run_1.core.kl_nat} nats: ")
    at = text.rindex("\\end{abstract}") if "\\end{abstract}" in text else text.rindex("```")
    return text[:at] + WRONG + text[at:]


def lengthened(text: str) -> str:
    """Every second paragraph of prose twice."""
    paragraphs = text.split("\n\n")
    plain = [p for p in paragraphs if not any(mark in p for mark in ("\\begin", "\\end", "```", "\\label"))]
    return "\n\n".join(q for p in paragraphs for q in ([p, p] if p in plain else [p]))


def play(case: Case, place: Path) -> None:
    told = replies(case)
    before = [text for *_, text in of_figures(case)]  # asked for before the paper, and no part of its 25 steps
    with FakeLLM([Say(text) for text in (*before, *(text for *_, text in told))], count=count) as server:
        given = {"model": "openai/test", "base_url": server.openai_url, "price": PRICE, "context_tokens": CONTEXT}
        root, settings = paper_study.write(place, **given)
        stop = world.go(root, None, settings)
    events = world.events_of(root)
    asked = [(e.action, e.run) for e in events if e.type == "call.asked"][-len(told) :]
    rejected = [(e.action, e.part, e.problems) for e in events if e.type == "part.rejected"]
    written = [(e.action, e.part) for e in events if e.type == "part.written"]
    assert stop.exit_code == 0 and len(server.requests) == len(before) + len(told) and not server.overrun, (
        stop,
        len(server.requests),
    )
    assert asked == [(action, part) for action, part, _ in told], rejected
    assert written == [(step.action, step.part) for step in paper.STEPS], rejected
    assert len(rejected) == len(told) - len(paper.STEPS), rejected
    side = measured(case.name, server.requests[len(before) :], [(action, 0) for action, *_ in told], lambda _: {})
    case.calls = [
        {"action": action, "part": part, "prompt": call["tokens"], "reply": count(text), "front": call["cached"]}
        for (action, part, text), call in zip(told, side.calls, strict=True)
    ]
    case.parts = parts_of(server.requests[len(before)].texts[0])


def first_prompt(case: Case, place: Path) -> None:
    """As the product stores it before it asks."""
    root, settings = paper_study.write(place, case.runs, case.figures)
    with suppress(InputProblem):  # there is nobody to ask
        world.go(root, world.Script({(a, b, 1): text for a, b, text in of_figures(case)}), settings)
    (path,) = (root / ".study" / "llm").glob("*-draft.prompt.json")
    case.parts = parts_of(json.loads(path.read_text("utf-8"))["stable"])


def parts_of(stable: str) -> dict[str, int]:
    """Tokens of the stable part by its headings."""
    found: dict[str, int] = {}
    for section in stable.split("\n# "):
        found[section.partition("\n")[0][:40]] = count(section)
    return found


def main() -> int:
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "none"}
    build.lacking = lambda: ("latexmk",)  # what LaTeX says is not asked about here
    played = [*PLAYED, *([LONGER] if "--longer" in sys.argv else [])]
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["HOME"] = folder  # aider keeps things there
        for number, case in enumerate([*played, *GROWN]):
            (play if case in played else first_prompt)(case, Path(folder) / str(number))
    if "--json" in sys.argv:
        print(json.dumps([{**vars(case), "total": case.total} for case in (*played, *GROWN)]))
    else:
        show(played)
    return int(PLAYED[0].total > BAR)


def show(played: list[Case]) -> None:
    for case in played:
        print(f"{case.name}: {len(case.calls)} calls, {case.total:,} tokens (bar {BAR:,})")
        print(f"  {'':<10}{'calls':>7}{'prompts':>10}{'replies':>10}{'in front':>10}")
        for action in (*paper.ACTIONS, ""):
            calls = sum(action in ("", call["action"]) for call in case.calls)
            sums = [case.sum(key, action) for key in ("prompt", "reply", "front")]
            print(f"  {action or 'all':<10}{calls:>7}" + "".join(f"{value:>10,}" for value in sums))
    print("\nThe stable part, tokens by heading")
    for name, size in played[0].parts.items():
        print(f"  {name:<42}{size:>6,}")
    print(f"  {'all':<42}{played[0].stable:>6,}\n\nThe stable part as studies grow")
    for case in GROWN:
        print(f"  {case.name:<42}{case.stable:>6,}")


if __name__ == "__main__":
    sys.exit(main())
