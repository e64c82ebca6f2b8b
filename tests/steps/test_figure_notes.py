"""Which images a model is shown: what a PNG is by its bytes, of bounded size and number."""

import struct
from pathlib import Path

import pytest

from agent.core import events as e
from agent.core.state import State
from agent.steps.figure_notes import _is_usable
from agent.writing import figure_notes

DOT = (Path(__file__).parents[1] / "writing" / "dot.png").read_bytes()


def of_size(width, height):
    return DOT[:16] + struct.pack(">II", width, height) + DOT[24:]


@pytest.mark.parametrize("data", [DOT, of_size(1360, 700), of_size(4000, 10), DOT + bytes(1_900_000)])
def test_a_png_of_sensible_size_is_shown(data):
    assert _is_usable(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"no image, but called one", DOT[:20], b"%PDF-1.4" + DOT, of_size(4001, 10), of_size(10, 4001), of_size(0, 5),
     DOT + bytes(2_000_000)],
)  # fmt: skip
def test_what_a_provider_might_refuse_is_not(data):
    assert not _is_usable(data)


def test_of_many_figures_eight_are_shown_and_all_are_named():
    files = {f"figures/{name}{ending}": e.Shown() for name in "abcdefghijk" for ending in (".png", ".pdf")}
    state = State(figures={**files, "figures/only.pdf": e.Shown()})
    assert figure_notes.images(state) == tuple(f"figures/{name}.png" for name in "abcdefgh")
    assert len(figure_notes.listed(state)) == 12
