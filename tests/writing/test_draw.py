"""Default figures, drawn for real by the program that a job runs."""

import json
import re
import subprocess
import sys
import time
from importlib import resources

import pypdfium2
import pytest
from matplotlib.collections import PathCollection
from PIL import Image

from agent.core.measures import Measure
from agent.writing import draw
from agent.writing.figures import document
from tests.writing.studies import STUDIES, measures, study

pytestmark = pytest.mark.slow
DRAW = str(resources.files("agent.writing").joinpath("draw.py"))


def drawn(folder, state, kind):
    folder.mkdir(parents=True, exist_ok=True)
    told = document(state, kind)
    (folder / "figures.json").write_text(json.dumps(told))
    done = subprocess.run(
        [sys.executable, "-W", "error", DRAW], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return told["figures"]


@pytest.mark.parametrize("name", STUDIES)
def test_each_figure_becomes_a_png_and_a_pdf_as_wide_as_a_column_and_full_of_ink(tmp_path, name):
    for one in drawn(tmp_path, *STUDIES[name]()):
        image = Image.open(tmp_path / f"{one['name']}.png").convert("L")
        assert image.width == pytest.approx(300 * one["width"], abs=2) and image.height < 300 * 6
        inked = image.point(lambda grey: 255 * (grey < 250)).getbbox()
        margins = (inked[0], inked[1], image.width - inked[2], image.height - inked[3])
        assert all(0 < margin < 0.12 * image.width for margin in margins), (
            margins
        )  # nothing is cut off, nothing is empty
        page = pypdfium2.PdfDocument(tmp_path / f"{one['name']}.pdf")[0]
        assert page.get_width() == pytest.approx(72 * one["width"], abs=1)
        text = page.get_textpage().get_text_range()
        assert all(row["label"] in text for row in one["rows"]) or one["kind"] != "rows"


def test_fonts_are_embedded_as_outlines(tmp_path):
    drawn(tmp_path, *STUDIES["one"]())
    data = (tmp_path / "default_metrics.pdf").read_bytes()
    assert b"/Type3" not in data and b"/FontFile2" in data


def test_the_same_data_give_the_same_bytes(tmp_path):
    state, kind = STUDIES["three"]()
    for folder in ("first", "second"):
        drawn(tmp_path / folder, state, kind)
        time.sleep(1.1)  # a time in the file would differ
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    assert not re.search(rb"CreationDate|Matplotlib v", (tmp_path / "first" / "default_runs.pdf").read_bytes())


@pytest.mark.parametrize("value", [1e-300, 1e290, -1e290, 1.7e308])
def test_numbers_at_the_ends_of_what_there_is_are_drawn(tmp_path, value):
    def of(factor):
        return {"a.b": Measure(value * factor, abs(value) / 100, 3)}

    state, kind = study((of(0.9), None, 1), (of(0.5), None, 1), metrics={"a.b": {"direction": "up"}}, primary="a.b",
                        baselines=[{"name": "base"}], base={"run_0": of(0.8)})  # fmt: skip
    drawn(tmp_path, state, kind)


FEW = (measures(0.058), None, 1), (measures(0.0589, l0=16.1), None, 1)
MANY = tuple((measures(0.9 + at if at in (3, 7, 8) else 0.05 + 0.001 * at), None, 1) for at in range(12))


@pytest.mark.parametrize(
    "steps, kind, count",
    [(FEW, 0, 5), (MANY, 0, 12), (MANY, 1, 3)],
    ids=["the baseline is near the end of its axis", "three runs lie far off", "three runs lie far off, run after run"],
)
def test_the_number_of_an_arrow_covers_neither_the_baseline_nor_a_bar_nor_another_number(steps, kind, count):
    one = document(*study(*steps))["figures"][kind]
    figure = draw.KINDS[one["kind"]](one)
    figure.draw_without_rendering()
    told = 0
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        told += len(boxes)
        assert not any(box.overlaps(line.get_window_extent()) for box in boxes for line in axes.lines)
        assert not any(box.overlaps(other) for at, box in enumerate(boxes) for other in boxes[:at])
        spots = [spot for marks in axes.collections if isinstance(marks, PathCollection)
                 for spot in marks.get_offset_transform().transform(marks.get_offsets())]  # fmt: skip
        assert len(spots) >= len(one["rows"]) - 3 and not any(box.contains(*spot) for box in boxes for spot in spots)
    assert told == count
