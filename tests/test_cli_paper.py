"""`paper` and `export`: from a study as it lies on disk to a PDF, a zip, a folder and a table, without a model."""

import csv
import json
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pypdfium2
import pytest

from agent.cli import main
from agent.core import events as e
from agent.core.comparison import Comparison, Difference, Estimate
from agent.core.config import Settings
from agent.core.layout import Layout
from agent.steps import setup
from agent.store import catalog
from agent.store.journal import Journal
from agent.store.workspace import Workspace

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PAPER = r"""\documentclass{article}
\title{A penalty on averages}
\begin{document}
\maketitle
\section{Results}
Run 1 is within noise of the baseline, as \cite{good} would have it.

BODY
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""


def accepted(head, run, mean):
    return e.RunAccepted(run=run, attempt=0, head=head, metrics={"fit.mse": {"mean": mean, "stderr": 0.25, "n": 3}})


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that makes a study with a baseline, a run that is within noise of it, and a paper."""
    monkeypatch.chdir(tmp_path)

    def make(body="", paper=True):
        idea, _ = catalog.load_idea(str(ROOT / "tests/toy/ideas/iterate_averaging.json"))
        loaded = catalog.load_template(str(ROOT / "tests/toy/template"))
        if paper:
            loaded.files["latex/paper.tex"] = PAPER.replace("BODY", body).encode()
            loaded.files["latex/references.bib"] = b"@misc{good, author={Good, A.}, title={T}, year={2020}}\n"
        root = setup.create(idea, loaded, Settings(results=str(tmp_path / "results")), time.time)
        journal = Journal(Layout(root).journal, time.time)
        head = journal.entries[0].event.head
        found = Difference(
            "fit.mse", "down", Estimate(1.5, 0.25, 3), Estimate(2.0, 0.25, 3), "within noise", low=-1.5, high=0.5
        )
        compared = Comparison("run_1", "run_0", "screen", "fit.mse", "within noise", differences=(found,))
        for event in (
            accepted(head, "run_0", 2.0), e.PlanFrozen(plan={"primary": "fit.mse"}, sha256="0"),
            e.CallAsked(call="0001-edit", action="edit", run="run_1", turn=1, model="m", prompt_sha256="0"),
            accepted(head, "run_1", 1.5), e.RunCompared(run="run_1", stage="screen", comparison=compared.to_json()),
        ):  # fmt: skip
            journal.append(event)
        journal.close()
        return root

    return make


def text(pdf):
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def test_the_paper_of_a_study_is_built_and_the_study_is_not_changed(study, capsys):
    root = study()
    journal = (root / ".study/journal.jsonl").read_bytes()
    assert main(["paper", "last"]) == 0
    said = capsys.readouterr().out
    assert "latex/paper.pdf (1 page)" in said and "The audit found nothing." in said
    assert "as [1] would have it" in text(root / "latex/paper.pdf")
    assert (root / ".study/journal.jsonl").read_bytes() == journal
    workspace = Workspace(root)
    assert not workspace.drift(catalog.look(root)[0].head).changes, "the PDF is taken for a person's edit"
    assert subprocess.run(["git", "status", "--short"], cwd=root, capture_output=True, text=True).stdout == ""


def test_what_is_wrong_is_told_with_file_and_line_and_ends_with_1(study, capsys):
    study("We reach 0.97, and run 1 outperforms it. Run 4, too.\n\nBad $a_b_c$.")
    assert main(["paper", "last", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    kinds = [(p["kind"], p["file"], p["line"]) for p in told["problems"]]
    assert kinds == [
        ("number", "paper.tex", 8),
        ("claim", "paper.tex", 8),
        ("run", "paper.tex", 8),
        ("latex", "paper.tex", 10),
    ]
    assert told["left_out"][0]["first"] == 10 and Path(told["pdf"]).exists() and Path(told["pages"][0]).exists()
    assert "Left out: line 10" in text(told["pdf"]) and "found 3 problems" in text(told["pdf"])


def test_a_pdf_of_an_earlier_text_does_not_stay_for_one_that_cannot_be_built(study, capsys):
    root = study()
    assert main(["paper", "last"]) == 0
    (root / "latex/paper.tex").write_text("\\documentclass{article}\n\\begin{document}\n\\end{document}\n")
    assert main(["paper", "last"]) == 1
    assert "no PDF" in capsys.readouterr().out and not (root / "latex/paper.pdf").exists()


def test_without_latex_the_text_is_complete_and_it_says_what_to_install(study, capsys, monkeypatch, tmp_path):
    root = study()
    hide_latex(monkeypatch, tmp_path)
    assert main(["paper", "last"]) == 0
    said = capsys.readouterr().out
    assert "install latexmk, pdflatex, bibtex" in said and "texlive-latex-base" in said
    assert "within noise" in (root / ".study/paper/paper.tex").read_text()


def test_a_pdf_that_is_required_is_missed_before_anything_is_asked(capsys, monkeypatch, tmp_path):
    hide_latex(monkeypatch, tmp_path)
    idea, template = ROOT / "tests/toy/ideas/iterate_averaging.json", ROOT / "tests/toy/template"
    assert (
        main(["run", str(idea), "-t", str(template), "-o", str(tmp_path / "r"), "--require-pdf", "-m", "cmd:false"])
        == 2
    )
    assert "a PDF is required, and latexmk, pdflatex, bibtex are not installed" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def hide_latex(monkeypatch, tmp_path):
    """A PATH with git and little more."""
    (tmp_path / "bin").mkdir()
    for name in ("git", "false"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_a_study_without_a_paper_says_so(study, capsys):
    study(paper=False)
    assert main(["paper", "last"]) == 2
    assert "has no latex/paper.tex" in capsys.readouterr().err


def test_what_is_exported_compiles_elsewhere_to_the_same_text(study, tmp_path):
    study("We reach 0.97.\n\nBad $a_b_c$.\n\nGood.")
    assert main(["export", "last", "--for", "paper", "--to", "out"]) == 0
    assert main(["export", "last", "--overleaf", "--to", "out.zip"]) == 0
    with zipfile.ZipFile("out.zip") as archive:
        archive.extractall("elsewhere")
    subprocess.run(
        ["latexmk", "-norc", "-pdf", "paper.tex"], cwd="elsewhere", check=True, capture_output=True, timeout=100
    )
    assert text("elsewhere/paper.pdf") == text("out/paper.pdf") and "Left out: line 10" in text("out/paper.pdf")
    assert {path.name for path in Path("out").iterdir()} == {"paper.tex", "paper.pdf", "references.bib", "results.csv"}
    first = Path("out.zip").read_bytes()
    assert main(["export", "last", "--overleaf", "--to", "out.zip"]) == 0 and Path("out.zip").read_bytes() == first


def test_a_folder_that_is_there_is_not_written_over(study, capsys):
    study()
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    assert main(["export", "last", "--for", "paper", "--to", "out"]) == 2
    assert "out is there already" in capsys.readouterr().err


def test_the_table_has_each_run_and_metric_with_its_noise_and_verdict(study, capsys):
    study()
    assert main(["export", "last", "--csv", "--to", "t.csv"]) == 0
    base, run = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    assert (base["run"], base["mean"], base["verdict"], base["reference"]) == ("run_0", "2.0", "", "")
    assert (run["run"], run["metric"], run["mean"], run["stderr"], run["n"]) == ("run_1", "fit.mse", "1.5", "0.25", "3")
    assert (run["reference"], run["difference"], run["low"], run["high"]) == ("2.0", "-0.5", "-1.5", "0.5")
    assert (run["verdict"], run["stage"], run["role"]) == ("within noise", "screen", "primary")
