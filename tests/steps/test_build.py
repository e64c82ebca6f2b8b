"""The paper is built by real LaTeX in the sandbox; what is wrong with it is told, and what fails is left out visibly."""

import os
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from agent.core.job import Outcome
from agent.runners import folder
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner
from agent.steps import build
from agent.steps.side import Side
from agent.writing.known import Known
from tests.runners.attempts import ended

pytestmark = pytest.mark.slow
FOLDERS = fingerprint((sys.executable,)).folders
ROOT = Path(__file__).parents[2]
KNOWN = Known(verdicts={"run_0": {"": ""}, "run_1": {"": "within noise"}}, baselines=frozenset({"run_0"}),
              citations=frozenset({"good"}))  # fmt: skip
BIB = b"@misc{good, author={Good, A.}, title={A good title}, year={2020}}\n"
PNG = (ROOT / "tests/writing/dot.png").read_bytes()


def run(attempt, job):
    folder.write_job(attempt, job)
    LocalRunner().start(attempt)
    return ended(attempt, 100.0)


def paper(body, title="A title"):
    return (
        "\\documentclass{article}\n\\usepackage{graphicx}\n"
        f"\\title{{{title}}}\n\\begin{{document}}\n\\maketitle\n{body}\n"
        "\\bibliographystyle{plain}\n\\bibliography{references}\n\\end{document}\n"
    )


def built(tmp_path, body, known=KNOWN, **files):
    place = Side(tmp_path / "paper", (sys.executable,), FOLDERS, "auto")
    content = {"paper.tex": paper(body).encode(), "references.bib": BIB, "figures/dot.png": PNG}
    return build.build(place, {**content, **files}, known, run)


def text(pdf):
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def test_an_honest_paper_is_built_with_bibliography_figures_and_pages(tmp_path):
    body = "\\section{Results}\\label{r} As in Section~\\ref{r} and \\cite{good}.\n\n\\includegraphics[width=1cm]{figures/dot.png}"
    known = Known(**{**vars(KNOWN), "figures": frozenset({"dot.png"})})
    done = built(tmp_path, body, known)
    assert done.problems == () and done.left_out == ()
    assert "A good title" in text(done.pdf) and "As in Section 1 and [1]" in text(done.pdf)
    assert [page.name for page in done.pages] == ["page-01.png"] and done.pages[0].read_bytes().startswith(b"\x89PNG")


def test_a_part_that_fails_is_left_out_and_the_rest_is_there(tmp_path):
    body = "One fine paragraph.\n\n\\begin{figure}\n\\nosuch{x}\n\\caption{C}\n\\end{figure}\n\nA last fine paragraph."
    done = built(tmp_path, body)
    assert [(p.kind, p.line) for p in done.errors] == [("latex", 9)]
    assert [(part.first, part.last) for part in done.left_out] == [(8, 11)]
    shown = text(done.pdf)
    assert "One fine paragraph" in shown and "A last fine paragraph" in shown
    assert "Left out: lines 8 to 11 of paper.tex" in shown and "nosuch is not defined" in shown


def test_several_failing_parts_and_a_line_of_the_preamble(tmp_path):
    body = "First \\foo.\n\nFine.\n\nSecond $a_b_c$ is wrong.\n\n\\begin{itemize}\n\\item a\n\nText after.\n\n\\section{End} Done."
    tex = paper(body).replace("\\usepackage{graphicx}", "\\usepackage{nosuchpackage}").encode()
    done = built(tmp_path, body, **{"paper.tex": tex})
    shown = text(done.pdf)
    assert "Fine." in shown and "Done." in shown and shown.count("Left out:") >= 4
    assert {part.first for part in done.left_out} >= {2, 6, 10}
    assert {problem.line for problem in done.errors} >= {2, 6, 10}


def test_what_the_audit_found_stands_on_the_first_page(tmp_path):
    done = built(tmp_path, "\\section{Results} We reach 0.97 of it, and run 1 improves on all. See \\cite{nobody}.")
    assert [problem.kind for problem in done.errors] == ["number", "claim", "citation"]
    shown = text(done.pdf)
    assert "found 3 problems" in shown and "0.97 is typed into the results" in shown and "no nobody" in shown


def test_a_reference_that_facts_do_not_know_is_told_with_its_file(tmp_path):
    tex = paper("Text \\input{facts.tex}.").encode()
    done = built(tmp_path, "", **{"paper.tex": tex, "facts.tex": b"x\n\\nosuchfact\n"})
    assert [(p.file, p.line) for p in done.errors] == [("facts.tex", 2)]


def test_a_reference_to_a_fact_that_does_not_exist_is_told_and_prints_question_marks(tmp_path):
    """facts.tex says so only where it is asked to, so that the text compiles anywhere."""
    body = "We reach \\fact{run_1.a} and \\fact{run_1.b}.\n\nSee \\cite{good}."
    facts = (
        "\\protected\\def\\factunknown#1{\\ifdefined\\factstrict\\PackageError{facts}{Unknown fact: #1}{Mend it.}\\fi\\textbf{??}}\n"
        "\\def\\fact#1{\\factunknown{#1}}\n"
    )
    tex = paper(body).replace("\\begin{document}", "\\input{facts.tex}\n\\begin{document}").encode()
    done = built(tmp_path, "", **{"paper.tex": tex, "facts.tex": facts.encode()})
    assert [(p.kind, p.line, p.what) for p in done.errors] == [
        ("fact", 7, "there is no fact run_1.a"), ("fact", 7, "there is no fact run_1.b")]  # fmt: skip
    assert done.left_out == () and "We reach ?? and ??. See [1]." in text(done.pdf)


def test_style_is_listed_and_stops_nothing(tmp_path):
    done = built(tmp_path, 'He said "no" to it ... twice, see Section \\ref{a}.\\label{a} \\cite{good}')
    assert done.errors == () and done.pdf
    assert {str(problem) for problem in done.problems} == {
        "paper.tex:6: a space before punctuation; take it out",
        "paper.tex:6: a straight quotation mark (\"); write ``…''",
        "paper.tex:6: three dots; write \\ldots",
    }


def test_endless_latex_is_ended_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.steps.side.TEX_SECONDS", 3.0)
    done = built(tmp_path, "\\def\\x{\\x}\\x")
    assert done.pdf is None and any("LaTeX made no paper" in p.what for p in done.errors), done.problems


def test_the_exported_files_compile_elsewhere_to_the_same_text(tmp_path):
    done = built(tmp_path, "\\section{Results} We see 0.5. See \\cite{good}.\n\nBad $a_b_c$.\n\nGood.")
    elsewhere = tmp_path / "elsewhere"
    for name, data in done.content.items():
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_bytes(data)
    subprocess.run(
        ["latexmk", "-norc", "-pdf", "paper.tex"], cwd=elsewhere, check=True, capture_output=True, timeout=100
    )
    assert text(elsewhere / "paper.pdf") == text(done.pdf)


def test_without_latex_the_text_is_complete_and_audited(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = built(tmp_path, "\\section{Results} We reach 0.97.")
    assert done.pdf is None and done.lacking == ("latexmk", "pdflatex", "bibtex")
    assert [problem.kind for problem in done.errors] == ["number"]
    assert set(done.content) == {"paper.tex", "references.bib", "figures/dot.png"}


def test_of_a_study_links_and_other_files_are_not_taken(tmp_path):
    (tmp_path / "latex").mkdir()
    (tmp_path / "latex/paper.tex").write_text("x")
    (tmp_path / "latex/paper.pdf").write_bytes(b"%PDF")
    os.symlink("/etc/passwd", tmp_path / "latex/secret.tex")
    assert build.study_files(tmp_path, {"facts.tex": b"f"}) == {"paper.tex": b"x", "facts.tex": b"f"}


def test_an_outcome_without_a_log_is_told_as_well(tmp_path):
    place = Side(tmp_path / "paper", (sys.executable,), FOLDERS, "auto")
    lost = Outcome("lost", detail="The machine went away.")
    done = build.build(place, {"paper.tex": paper("x").encode()}, KNOWN, lambda attempt, job: lost)
    assert done.pdf is None and "The machine went away." in done.errors[0].what
