"""Step 13: notes on the figures: what is asked, with the plotted numbers and the images, and from the reply to a commit.

The notes are taken when they name every figure by file name and no other. Images go to models that can see; all others
have the numbers, and the path of each image for whoever can open it.
"""

from __future__ import annotations

import hashlib
import struct

from agent.core import digest
from agent.core import events as e
from agent.core.actions import Ask
from agent.core.layout import FIGURE_NOTES, is_default_figure
from agent.core.prompt import Image
from agent.core.state import FIGURES, Call
from agent.core.text import listed, shorten_lines
from agent.llm.prompts import render
from agent.steps import notes, plots
from agent.steps.desk import Desk
from agent.writing import figure_notes

_LONGEST_PLAN, _LONGEST_PLOT = 3_000, 12_000
# What every provider takes: larger ones are refused by some, and no paper needs them.
_LARGEST_IMAGE, _LONGEST_SIDE = 2_000_000, 4_000
_PNG = b"\x89PNG\r\n\x1a\n"


def request(desk: Desk, action: Ask) -> str:
    state, template = desk.state, desk.template
    names = figure_notes.listed(state)
    problems = "".join(f"- {one}\n" for one in state.round_of(FIGURES).problems)
    return render(
        "figures",
        names=listed(figure_notes.file_names(state, names), len(names)),
        figures=figure_notes.told(state, template),
        plot=_program(desk),
        plan=shorten_lines(str((state.plan or {}).get("planned", "")), _LONGEST_PLAN) or "Nothing was said.",
        history=digest.history(state, template),
        seen="; the images come with this request, if you can see" if images(desk) else "",
        left=plots.replies_left(desk, FIGURES),
        problems=f"Your last notes were not taken; send all of them again:\n\n{problems}" if problems else "",
    )


def _program(desk: Desk) -> str:
    """Whoever cannot see the images sees how plot.py makes them."""
    if all(map(is_default_figure, desk.state.figures)):
        return ""
    text = desk.editable(desk.state.head).get(plots.FILE, "")
    return f"plot.py, read-only now:\n\n````python\n{shorten_lines(text, _LONGEST_PLOT)}\n````"


def images(desk: Desk) -> tuple[Image, ...]:
    """Images that a provider will take, as they are committed."""
    found = desk.workspace.read(desk.state.head, figure_notes.images(desk.state))
    usable = [(name, data) for name in figure_notes.images(desk.state) if _is_usable(data := found.get(name, b""))]
    return tuple(Image(name, hashlib.sha256(data).hexdigest(), data) for name, data in usable)


def _is_usable(data: bytes) -> bool:
    """A PNG by what it holds, not by its name: plot.py may call anything so."""
    if len(data) > _LARGEST_IMAGE or len(data) < 33 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        return False
    width, height = struct.unpack(">II", data[16:24])
    return bool(0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE)


def read(desk: Desk, call: Call, text: str, cut: str) -> e.Event:
    written = notes.changed(desk, text, cut)
    if isinstance(written, list):
        return plots.rejected(call, *written)
    now = {**notes.texts(desk), **written}
    if FIGURE_NOTES not in now:
        return plots.rejected(call, f"the reply does not write {FIGURE_NOTES}")
    if found := figure_notes.problems(now[FIGURE_NOTES], desk.state):
        return plots.rejected(call, *found)
    return notes.committed(desk, call, written, "Notes on the figures")
