"""Side jobs: what the coder writes besides the experiment, and what is made of it. Each runs in a sandbox of its own.

    plot      plot.py with the results files, in a folder that holds nothing else; its images become figures
    probe     a program on what all runs have saved: it reads the study, without what is sealed, and writes its folder
    typeset   LaTeX, which can run programs and read and write files: here neither, but for its own folder
    paper     the same by latexmk, with the bibliography and as often as references need
    style     chktex, where it is installed
    pages     a PDF's pages as images

A side job has an attempt folder, as a run has; it works in `scratch` below it. These functions make jobs and lay out
files; they start nothing (runners) and decide nothing (core.policy).
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import Command, Job, Limits, MiB, Reach

SCRATCH = "scratch"
STRICT = "strict"
IMAGES = (".png", ".pdf")
SMALL = Limits(memory=4096 * MiB, disk=1024 * MiB, files=20_000, processes=64, output=64 * MiB)
PLOT_SECONDS, TEX_SECONDS, PAGES_SECONDS = 300.0, 120.0, 60.0
_LARGEST_RESULTS = 10 * MiB
_CURVES, _MOST_CURVES = "training*.json", 40
_LARGEST_IMAGE, _MOST_IMAGES = 20 * MiB, 50
# TeX's own word for "only below the working folder, and no hidden files"; its default lets it read everything.
_PARANOID = {"openin_any": "p", "openout_any": "p", "shell_escape": "f"}


@dataclass(frozen=True)
class Side:
    """Where a side job lives and what starts Python in it. Paths are resolved."""

    attempt: Path
    interpreter: tuple[str, ...]
    folders: tuple[str, ...]  # of the interpreter and its packages
    sandbox: str

    @property
    def scratch(self) -> Path:
        return self.attempt / SCRATCH


def lay_out(side: Side, content: Mapping[str, bytes]) -> None:
    """The files that the job begins with, in a scratch folder that was not there before."""
    side.scratch.mkdir(parents=True)
    for name, data in content.items():
        path = side.scratch / name
        if not path.resolve().is_relative_to(side.scratch.resolve()):
            raise ValueError(f"{name} is no name below a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def results(study: Path, runs: Iterable[str], fresh: Container[str] = ()) -> dict[str, bytes]:
    """The results files of these runs and how their training went, as plot.py finds them beside itself.

    Of a run in `fresh` they are those of its fresh seeds. What is no plain file is left out.
    """
    found: dict[str, bytes] = {}
    for run in runs:
        folder = study / run / "confirm" if run in fresh else study / run
        if folder.is_symlink() or (study / run).is_symlink():
            continue
        curves = sorted(folder.glob(_CURVES))[:_MOST_CURVES]
        for path in (folder / "final_info.json", *curves):
            if plain(path, _LARGEST_RESULTS):
                found[f"{run}/{path.name}"] = path.read_bytes()
    return found


def plot(side: Side, program: str = "plot.py") -> Job:
    """A program in its scratch folder. Nothing of the study is in reach but what was laid out there."""
    command = Command("plot", (*side.interpreter, program), reach=Reach((str(side.scratch),), side.folders))
    return _job(side, command, {"MPLBACKEND": "Agg"}, PLOT_SECONDS, SMALL)


def images(side: Side) -> list[Path]:
    """What a plot has left, by name: plain files of sensible number and size, links never."""
    found = [path for path in side.scratch.iterdir() if path.suffix in IMAGES and plain(path, _LARGEST_IMAGE)]
    return sorted(found)[:_MOST_IMAGES]


def probe(
    side: Side,
    words: tuple[str, ...],
    study: Path,
    sealed: Iterable[str],
    data: Iterable[str],
    limits: Limits,
    seconds: float,
) -> Job:
    """A Python program of the study, such as ("-m", "harness.probe", "--out_dir=…"), in the study's folder.

    It may read all runs, as the experiment might; what is `sealed` is hidden from it, because the coder has written it.
    """
    hidden = [str(study / name) for name in (".study", ".git", *sealed)]
    reach = Reach((str(side.scratch),), (str(study), *side.folders, *data), tuple(hidden))
    job = _job(side, Command("probe", (*side.interpreter, *words), reach=reach), {}, seconds, limits)
    return dataclasses.replace(job, cwd=str(study))


def typeset(side: Side, main: str, tex: tuple[str, ...], passes: int = 2) -> Job:
    """`main` to PDF, as often as references need. `tex`: the folders of TeX (runners.tex)."""
    argv = ("pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", main)
    command = Command("typeset", argv, reach=Reach((str(side.scratch),), tex))
    return dataclasses.replace(_tex(side, command), commands=(command,) * passes)


def paper(side: Side, main: str, tex: tuple[str, ...], facts: bool = False) -> Job:
    """`main` to PDF by latexmk. It goes on after an error, so that one job reports all of them.

    `facts`: there is a facts.tex, so that a second command can report references to nothing.
    """
    own = ("-norc", "-pdf", "-bibtex", "-f", "-latexoption=-no-shell-escape")  # -norc: a latexmkrc is a program
    argv = ("latexmk", *own, "-interaction=nonstopmode", "-file-line-error", main)
    job = _tex(side, Command("paper", argv, reach=Reach((str(side.scratch),), tex)))
    return dataclasses.replace(job, commands=(*job.commands, *_strict(job, main))) if facts else job


def _strict(job: Job, main: str) -> tuple[Command, ...]:
    """Once more, to a log alone, with references to facts that do not exist as errors: they print ?? otherwise."""
    own = ("-no-shell-escape", "-draftmode", f"-jobname={STRICT}", "-interaction=nonstopmode", "-file-line-error")
    return (
        Command(STRICT, ("pdflatex", *own, f"\\def\\factstrict{{}}\\input{{{main}}}"), reach=job.commands[0].reach),
    )


def _tex(side: Side, command: Command) -> Job:
    own = {name: str(side.scratch / ".texmf") for name in ("TEXMFHOME", "TEXMFVAR", "TEXMFCONFIG")}
    return _job(side, command, {**_PARANOID, **own, "max_print_line": "2000"}, TEX_SECONDS, SMALL)


def style(side: Side, main: str, tex: tuple[str, ...]) -> Job:
    """chktex on `main` alone: line, number and sentence of each warning on its standard output."""
    argv = ("chktex", "-q", "-I0", "-f", "%l\t%n\t%m\n", main)
    return _tex(side, Command("style", argv, reach=Reach((str(side.scratch),), tex)))


def pages(side: Side, pdf: str, most: int = 40) -> Job:
    """The pages of a PDF in the scratch folder as page-01.png …; the PDF is a stranger's, so this is a job, too."""
    command = Command(
        "pages",
        (*side.interpreter, "-I", "-c", _PAGES, pdf, str(most)),
        reach=Reach((str(side.scratch),), side.folders),
    )
    return _job(side, command, {}, PAGES_SECONDS, SMALL)


_PAGES = """
import sys
import pypdfium2
document = pypdfium2.PdfDocument(sys.argv[1])
for number in range(min(len(document), int(sys.argv[2]))):
    document[number].render(scale=110 / 72).to_pil().save(f"page-{number + 1:02d}.png")
"""


def _job(side: Side, command: Command, env: dict[str, str], seconds: float, limits: Limits) -> Job:
    return Job((command,), str(side.scratch), env, seconds, sandbox=side.sandbox, limits=limits)


def plain(path: Path, largest: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= largest
