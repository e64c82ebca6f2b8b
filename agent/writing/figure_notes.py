r"""Notes on figures: which figures a study has, the numbers that they show as tables, and what notes on them must hold.

    listed(state)              figures by name without folder and ending: one image counts once, though it is PNG and PDF
    told(state, template)      for a prompt: each figure with its caption or its runs, and its numbers
    problems(text, state)      figures that the text does not name by file name, and files that it names and that are none

A file name is NAME.png, NAME.pdf, or figures/NAME; a word such as `training` alone is a word, and names no figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agent.core.layout import FIGURES, is_default_figure
from agent.core.state import State
from agent.core.template import Template
from agent.core.text import did_you_mean
from agent.core.text import listed as said
from agent.writing import figures, prompts

_MOST_IMAGES = 8  # that are shown; the numbers of the others are there
_ENDINGS = ("png", "pdf")
_ADDRESS = re.compile(r"\bhttps?://\S+")
_IMAGE = re.compile(
    r"(?<![\w./-])((?:\./)?(?:[\w.-]+/)*[\w.-]*\w\.(?:png|pdf|svg|jpe?g|eps|gif))(?!\w|\.\w)", re.IGNORECASE
)
_IN_FOLDER = re.compile(rf"(?<![\w./-])(?:\./)?({FIGURES}/[\w-]+(?:\.[\w-]+)*)(?![\w/])")
_OTHER_FILES = re.compile(r"\.(json|txt|csv|py|md)$")
_THE_PAPER = ("paper.pdf", "latex/paper.pdf")


def listed(state: State) -> tuple[str, ...]:
    names = {file.removeprefix(f"{FIGURES}/").rpartition(".")[0] for file in state.figures}
    return tuple(sorted(names, key=lambda name: (not is_default_figure(f"{FIGURES}/{name}"), name)))


def images(state: State) -> tuple[str, ...]:
    """Of each figure the file that a model can look at."""
    return tuple(file for name in listed(state) if (file := f"{FIGURES}/{name}.png") in state.figures)[:_MOST_IMAGES]


def told(state: State, template: Template) -> str:
    made = {one.name: one for one in figures.figures(state, template)}
    rows, own = [], list[str]()
    for name in listed(state):
        if name not in made:
            own.append(name)
            continue
        rows.append(f"## {_files(state, name)}\n\n{made[name].caption}\n\n{made[name].table}")
    return "\n\n".join([*rows, *_of_plot(state, template, own)])


def _of_plot(state: State, template: Template, names: Sequence[str]) -> list[str]:
    """Which of the numbers plot.py has drawn only plot.py knows: the headline values of its runs stand for them, once."""
    if not names:
        return []
    runs = {run for file, shown in state.figures.items() if not is_default_figure(file) for run in shown.runs}
    heads = "\n".join(f"## {_files(state, name)}" for name in names)
    drawn = [run for run in state.runs if run in runs]
    return [
        f"{heads}\n\nMade by plot.py (below) from the results of {said(drawn, 20)}. The headline values of these runs:\n\n"
        + prompts.values(state, template, drawn)
    ]


def _files(state: State, name: str) -> str:
    return ", ".join(
        f"{FIGURES}/{name}.{ending}" for ending in _ENDINGS if f"{FIGURES}/{name}.{ending}" in state.figures
    )


def file_names(state: State, names: Iterable[str]) -> list[str]:
    """How each figure is to be named: by its PNG, where there is one."""
    return [f"{name}.png" if f"{FIGURES}/{name}.png" in state.figures else f"{name}.pdf" for name in names]


def problems(text: str, state: State) -> tuple[str, ...]:
    """A sentence for the figures that are not named, and one for each file that is named and is no figure."""
    names = listed(state)
    missing, unknown = missing_and_unknown(text, names)
    lost, known = file_names(state, missing), file_names(state, names)
    verb = "is" if len(lost) == 1 else "are"
    told = [f"{said(lost, 12)} {verb} not named; write of each figure, with its file name"] if lost else []
    return (*told, *(f"{one} is no figure of this study{did_you_mean(one, known)}" for one in unknown))


def missing_and_unknown(text: str, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rest, found = _ADDRESS.sub(" ", text), set[str]()
    for name in sorted(names, key=len, reverse=True):
        rest, times = _of(name).subn(" ", rest)
        found |= {name} if times else set()
    return tuple(name for name in names if name not in found), _unknown(rest)


def _of(name: str) -> re.Pattern[str]:
    """This figure by file name; not as a part of a longer name, and in no folder but its own."""
    bare, ending = re.escape(name), rf"\.(?:{'|'.join(_ENDINGS)})"
    return re.compile(rf"(?<![\w./-])(?:\./)?(?:{FIGURES}/{bare}(?:{ending})?|{bare}{ending})(?![\w/-]|\.\w)")


def _unknown(rest: str) -> tuple[str, ...]:
    found: Iterable[str] = [*_IMAGE.findall(rest), *_IN_FOLDER.findall(rest)]
    named = (one.removeprefix("./") for one in found if not _OTHER_FILES.search(one))
    return tuple(dict.fromkeys(one for one in named if one not in _THE_PAPER))
