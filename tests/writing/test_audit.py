"""The audit finds what a study does not bear out, in its line, and says nothing of an honest paper."""

import pytest

from agent.writing.audit import audit
from agent.writing.known import Known
from tests.writing.paper_cases import cases

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


@pytest.mark.parametrize("case", [*cases("seen.tex"), *cases("unseen.tex")], ids=lambda case: case.name)
def test_each_text_has_its_problems_and_no_others(case):
    assert told(case) == case.expected
