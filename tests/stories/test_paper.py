"""From results to a paper in whole studies: written part by part, checked by a program, typeset."""

import pypdfium2
import pytest

from agent.core import paper
from agent.core.paper import STEPS, TURNS
from tests.stories import world
from tests.stories.world import Script, edits, notes, rate

pytestmark = pytest.mark.slow

SKELETON = r"""\documentclass{article}
\usepackage{booktabs,graphicx,xcolor}
\usepackage[round]{natbib}
\emergencystretch=4em
\usepackage{hyperref}
\graphicspath{{../}{./}}
\DeclareRobustCommand{\placeholder}[1]{\texorpdfstring{\textcolor{red}{[#1]}}{[#1]}}
\input{facts.tex}
\title{\placeholder{Title}}
\begin{document}
\maketitle
\begin{abstract}
\placeholder{Abstract}
\end{abstract}
\section{Introduction}
\placeholder{Introduction}
\section{Background}
\placeholder{Background}
\section{Method}
\placeholder{Method}
\section{Experimental setup}
\placeholder{Setup}
% results
\section{Results}
\label{sec:results}
\placeholder{Results}
\section{Related work}
\placeholder{Related}
\section{Conclusion}
\placeholder{Conclusion}
\bibliographystyle{plainnat}
\bibliography{references}
\end{document}
"""
BIB = "@article{polyak1992,\n  title = {Acceleration of stochastic approximation by averaging},\n  author = {Polyak, B. and Juditsky, A.},\n  journal = {SIAM J. Control},\n  year = {1992}\n}\n"
TEXTS = {
    "title": "\\title{A smaller step size on a noisy line}",
    "abstract": "\\title{Step sizes on a noisy line}\n\\begin{abstract}\nWe lower the step size. The error \\factverdict{run_1}{fit.test_mse} the baseline: \\factpm{run_1.fit.test_mse}.\n\\end{abstract}",
    "introduction": "Step sizes matter \\citep{polyak1992}. We measured \\factstudy{runs} runs.",
    "background": "Averaging goes back to \\citet{polyak1992}.",
    "method": "The step size is \\factconf{run_1.fit.learning_rate}; the update is $w \\leftarrow w - \\eta g$.",
    "setup": "Each run has \\factn{run_1} seeds.",
    "results": "\\begin{table}[t]\\caption{Errors.}\\label{tab:errors}\\centering\\facttable{run_0,run_1}{fit.test_mse}\\end{table}\nTable~\\ref{tab:errors}: the difference is \\factdiff{run_1}{run_0}{fit.test_mse}.\n\n\\begin{figure}[t]\\includegraphics[width=\\linewidth]{figures/default_metrics}\\caption{All metrics.}\\label{fig:all}\\end{figure}\nFigure~\\ref{fig:all} shows all.",
    "related": "\\citet{polyak1992} average the iterates; that would apply here.",
    "conclusion": "The smaller step size \\factverdict{run_1}{fit.test_mse} the larger one.",
}


SEEN = "default_metrics.png and default_runs.png show what was expected."
READING = world.new_file("notes/figures.txt", SEEN)
READ_AGAIN = world.block(SEEN, f"{SEEN} They still do.", "notes/figures.txt")


class Writer(Script):
    """Answers edits from its table, and each part of the paper with its text, or with what `wrong` holds for it.

    It wants no figures of its own, and writes the notes that are asked for on those that there are.
    """

    def __init__(self, replies, wrong=None, **more):
        super().__init__(replies, **more)
        self.wrong = wrong or {}

    def complete(self, prompt, pulse):
        for turn, notes_on_figures in enumerate((READING, READ_AGAIN), 1):
            self.replies["plot", "plot.py", turn] = "ALL_COMPLETED"
            self.replies["figures", "figures", turn] = notes_on_figures
        if prompt.action in paper.ACTIONS:
            texts = self.wrong.get((prompt.action, prompt.run), [])
            text = texts[prompt.turn - 1] if prompt.turn <= len(texts) else TEXTS[prompt.run]
            self.replies[prompt.action, prompt.run, prompt.turn] = f"Here it is.\n\n```latex\n{text}\n```\n"
        return super().complete(prompt, pulse)


def begin(tmp_path, **settings):
    toy = world.template(
        tmp_path / "toy", experiment__py=lambda text: text.replace('"learning_rate": 0.05', '"learning_rate": 0.0005')
    )
    (toy / "latex").mkdir(exist_ok=True)
    (toy / "latex" / "paper.tex").write_text(SKELETON)
    (toy / "latex" / "references.bib").write_text(BIB)
    return world.start(tmp_path, folder=toy, **{"max_runs": 1, "default_figures": True, **settings})


def writer(wrong=None, **more):
    return Writer(edits(rate(0.0005, 0.02)) | {("notes", "run_1", 1): notes("run_1")}, wrong, **more)


def text_of(root):
    pdf = pypdfium2.PdfDocument(root / "latex" / "paper.pdf")
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pdf).split())


def test_a_study_ends_with_a_paper_whose_numbers_are_the_tools(tmp_path):
    root, settings = begin(tmp_path)
    model = writer()
    assert world.go(root, model, settings).exit_code == 0
    assert [(a, r) for a, r, _ in model.asked if a in paper.ACTIONS] == [(s.action, s.part) for s in STEPS]
    built = world.state_of(root).built
    assert built.pages >= 1 and built.errors == () and built.left_out == ()
    said = text_of(root)
    assert "improves on the baseline: 0.00" in said and "[Title]" not in said and "??" not in said
    assert "\\fact" in (root / "latex" / "paper.tex").read_text()
    refined = next(p for p in model.prompts if (p.action, p.run) == ("refine", "setup"))
    assert "\\factn{run_1} 5" in refined.request  # whoever refers to a value sees what it is
    assert "placeholder{Intro" not in (root / "latex" / "paper.tex").read_text()


def test_what_must_not_be_in_a_paper_goes_back_with_its_line_and_never_gets_in(tmp_path):
    typed = "First line.\n\nThe error falls to 0.0123, by 37\\%."
    invented = "As \\citet{nobody2020} say, see \\includegraphics{figures/none}."
    claims = "Run 1 improves.\n\nTODO: say more. \\fact{run_1.fit.test_mze}"
    root, settings = begin(tmp_path)
    model = writer({
        ("draft", "results"): [typed],
        ("draft", "background"): [invented],
        ("draft", "conclusion"): [claims] * TURNS,
        ("draft", "method"): ["\\begin{itemize} \\item one"],
        ("draft", "setup"): ["\\[ x = y \\]\\label{one}\n\nSee~\\ref{one}.\\label{one}"],
    })  # fmt: skip
    assert world.go(root, model, settings).exit_code == 0
    told = {(e.part, problem) for e in world.events_of(root) if e.type == "part.rejected" for problem in e.problems}
    assert any(part == "results" and p.startswith("line 3 of the results: 0.0123") for part, p in told)
    assert any(part == "background" and "nobody2020" in p for part, p in told)
    assert any(part == "conclusion" and 'did you mean "run_1.fit.test_mse"' in p for part, p in told)
    assert any(part == "conclusion" and "TODO" in p for part, p in told)
    assert any(part == "method" and "itemize" in p for part, p in told)
    assert any(
        part == "setup" and p.startswith("line 3 of the experimental setup: ") and "one" in p for part, p in told
    )
    tex = (root / "latex" / "paper.tex").read_text()
    assert not any(bad in tex for bad in ("0.0123", "nobody2020", "TODO", "\\begin{itemize}"))
    assert "\\placeholder{Conclusion}" in tex  # it was never usable: that is said, in red and in the list of problems
    assert any("laceholder" in problem for problem in world.state_of(root).built.errors)
    asked_again = next(p for p in model.prompts if (p.action, p.run, p.turn) == ("draft", "results", 2))
    assert "line 3 of the results: 0.0123" in asked_again.request
    assert "First line." in asked_again.request  # what was wrong is shown with the text that it was found in
    first = next(p for p in model.prompts if (p.action, p.run, p.turn) == ("draft", "introduction", 1))
    assert "Your last reply" not in first.request


def test_a_study_without_a_better_run_is_written_up_as_one(tmp_path):
    root, settings = begin(tmp_path)
    model = Writer(edits(rate(0.0005, 0.00049)) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    stable = next(p for p in model.prompts if p.action == "draft").stable
    assert "No run is better than the baseline." in stable and "A negative result is a result" in stable
    assert "is within noise of the baseline" in text_of(root)


def test_no_paper_is_written_where_it_is_not_wanted_or_no_run_gave_a_result(tmp_path):
    root, settings = begin(tmp_path, paper=False)
    model = writer()
    assert world.go(root, model, settings).exit_code == 0
    assert not [a for a, _, _ in model.asked if a in paper.ACTIONS]
    assert world.state_of(root).built is None


def test_a_paper_that_was_interrupted_is_gone_on_with_and_no_part_is_asked_for_twice(tmp_path):
    root, settings = begin(tmp_path)
    model = writer()
    complete = Writer.complete

    def stop(self, prompt, pulse):
        if len(self.asked) == 11:
            raise KeyboardInterrupt
        return complete(self, prompt, pulse)

    Writer.complete = stop
    try:
        with pytest.raises(KeyboardInterrupt):
            world.go(root, model, settings)
    finally:
        Writer.complete = complete
    assert world.go(root, model).exit_code == 0
    assert [(a, r) for a, r, _ in model.asked if a in paper.ACTIONS] == [(s.action, s.part) for s in STEPS]
    assert "improves on" in text_of(root)


def test_a_pdf_that_was_made_again_is_no_edit_by_hand_and_a_text_that_was_changed_is(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    assert "**Paper**: latex/paper.pdf, " in (root / "README.md").read_text()
    built = (root / "latex" / "paper.pdf").read_bytes()
    (root / "latex" / "paper.pdf").write_bytes(built + b"% made again")
    assert world.go(root, writer()).exit_code == 0
    assert world.state_of(root).edited is None
    (root / "latex" / "paper.tex").write_text((root / "latex" / "paper.tex").read_text() + "% mine\n")
    (root / "latex" / "paper.pdf").write_bytes(built + b"% made again")
    assert world.go(root, writer()).exit_code == 5
    assert world.state_of(root).edited.files == ("latex/paper.tex",)
