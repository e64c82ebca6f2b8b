"""The audit finds what a study does not bear out, in its line, and says nothing of an honest paper."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.writing.audit import audit
from agent.writing.known import Known
from tests.writing.paper_cases import ENDING, PAPERS, PREAMBLE, cases

ROOT = Path(__file__).parents[2]
METRICS = {
    "core.kl_nats": "KL divergence (nats)",
    "core.mse": "Mean squared error",
    "core.explained_variance": "Explained variance",
}


def verdicts(whole, kl="", **others):
    return {
        "": whole,
        **{metric: others.get(metric[5:], "within noise") for metric in METRICS},
        "core.kl_nats": kl or whole,
    }


KNOWN = Known(
    verdicts={
        "run_0": {"": "–"}, "run_0_topk": {"": "–"}, "run_1": verdicts("better"), "run_2": verdicts("within noise"),
        "run_3": verdicts("unconfirmed"), "run_4": verdicts("worse"), "run_5": {},
    },
    baselines=frozenset({"run_0", "run_0_topk"}),
    metrics=METRICS,
    primary="core.kl_nats",
    figures=frozenset({"curve.png", "tradeoff.pdf"}),
    citations=frozenset({"bricken2023monosemanticity", "gao2024scaling"}),
    settings=frozenset({0.0003, 512000.0, 2048.0, 8.0, 4096.0, 0.06}),
    idea=frozenset({0.1, 16.0, 500.0}),
)  # fmt: skip
NEGATIVE = Known(**{**vars(KNOWN), "verdicts": {**KNOWN.verdicts, "run_1": verdicts("within noise")}})


def told(case):
    return tuple(sorted((p.line, p.kind) for p in audit(case.tex, NEGATIVE if case.negative else KNOWN)))


@pytest.mark.parametrize(
    "case", [*cases("seen.tex"), *cases("unseen.tex"), *cases("later.tex")], ids=lambda case: case.name
)
def test_each_text_has_its_problems_and_no_others(case):
    assert told(case) == case.expected


def test_a_whole_paper_on_a_negative_result_yields_nothing():
    cited = re.findall(r"@\w+\{(\w+)", (ROOT / "templates/sae/latex/references.bib").read_text("utf-8"))
    known = Known(**{**vars(NEGATIVE), "citations": frozenset(cited), "figures": frozenset({"means.pdf"})})
    assert audit((PAPERS / "negative.tex").read_text("utf-8"), known) == ()


def test_a_problem_says_where_what_and_what_would_pass():
    tex = PREAMBLE + "\\section{Results}\nRun 2 improves on all.\n" + ENDING
    (problem,) = audit(tex, KNOWN)
    assert str(problem) == (
        'paper.tex:7: "improves", but the verdict of run_2 is within noise; '
        "say what the verdict says, or write \\factverdict{run_2}{core.kl_nats}"
    )


PIECES = st.sampled_from(
    ["\\", "{", "}", "$", "%", "&", "_", "#", "[", "]", "\n", "\n\n", " ", "0.5", "12", "run_1", "Run 7 ", "improves ", "text ",
     "\\begin{itemize}", "\\end{itemize}", "\\item ", "\\section{", "\\fact{run_1.core.mse}", "\\lit{0.5}{why}", "\\cite{", "\\label{a}",
     "\\begin{equation}", "\\end{equation}", "\\verb|", "\\newcommand{\\x}{", "\\begin{verbatim}", "\\[", "\\]", "\\textbf{", "~", "--"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_can_be_audited_and_each_problem_has_a_line_of_it(body):
    tex = PREAMBLE + body + ENDING
    for problem in audit(tex, KNOWN):
        assert 1 <= problem.line <= tex.count("\n") + 1 and problem.what and len(str(problem)) < 600


@given(
    st.lists(
        st.sampled_from(["run_1.core.mse", "run_0.core.kl_nats", "run_1.training.lr", "0.97"]), min_size=1, max_size=4
    )
)
def test_what_a_reference_holds_is_never_an_unsourced_number(names):
    body = " ".join(f"\\fact{{{name}}} \\factpm{{{name}}} \\lit{{{name}}}{{0.5 of it}}" for name in names)
    tex = PREAMBLE + "\\section{Results}\n" + body + "\n" + ENDING
    assert [p for p in audit(tex, KNOWN) if p.kind in ("number", "unexplained")] == []


@given(
    st.decimals(min_value=0, max_value=9999, places=3).map(str), st.sampled_from(["abstract", "results", "conclusions"])
)
def test_a_typed_decimal_is_an_error_wherever_results_are_reported(number, place):
    section = f"\\section{{{place}}}\n" if place != "abstract" else "\\begin{abstract}\n"
    tex = (
        PREAMBLE + section + f"It is ${number}$ here.\n" + ("\\end{abstract}\n" if place == "abstract" else "") + ENDING
    )
    assert [p.kind for p in audit(tex, KNOWN)] == ["number"]
