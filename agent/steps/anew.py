"""`paper --rewrite`: parts of an ended study's paper are asked for anew. What a person wrote is theirs, unless they give it away."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core import events as e
from agent.core import paper
from agent.core.errors import InputProblem
from agent.core.state import State
from agent.core.text import did_you_mean, listed


def check(state: State, section: str, take: bool) -> tuple[str, ...]:
    """The parts that will be written anew, all where no section is named; InputProblem, if that cannot be."""
    if not state.parts:
        raise InputProblem(f"{state.name} has no paper that can be written part by part", "Its template brings none.")
    if section and section not in state.parts:
        raise InputProblem(
            f"the paper has no section {section}{did_you_mean(section, state.parts)}",
            f"Sections are {', '.join(state.parts)}; without one, all of them are written anew.",
        )
    if not state.ended and not state.rewriting:
        raise InputProblem(f"{state.name} has not ended", f"Go on with `ai-scientist resume {state.name}`.")
    if not state.good:
        raise InputProblem(f"no run of {state.name} gave a usable result: there is nothing to write about")
    wanted = (section,) if section else state.parts
    if (theirs := [part for part in wanted if part in state.by_hand]) and not take:
        raise InputProblem(
            f"{listed(theirs, 9)}: this text was changed by hand, and is not written over",
            "`--take` gives it to the coder to go on from (your version stays in the history), or name another section.",
        )
    return wanted


def perform(state: State, parts: tuple[str, ...]) -> Iterator[e.Event]:
    """A person's text is refined and not drafted: it is what the coder goes on from."""
    first = ("draft", "sketch")
    steps = [(s.action, s.part) for s in paper.STEPS if s.part in parts]
    yield e.HumanRewrote(steps=tuple(one for one in steps if one[0] not in first or one[1] not in state.by_hand))
