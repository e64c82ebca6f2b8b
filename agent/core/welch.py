"""Welch's test on means, standard errors and numbers of seeds. scipy is loaded when it is first needed: it takes a second."""

from __future__ import annotations

from functools import cache
from typing import Any


def p_better(mean: Any, stderr: Any, n: Any, other_mean: Any, other_stderr: Any, other_n: Any) -> Any:
    """Welch's one-sided p of `mean` > `other_mean`. Arrays are welcome."""
    from scipy.stats import ttest_ind_from_stats

    return ttest_ind_from_stats(
        mean,
        stderr * n**0.5,
        n,
        other_mean,
        other_stderr * other_n**0.5,
        other_n,
        equal_var=False,
        alternative="greater",
    ).pvalue


def interval(
    mean: float, stderr: float, n: int, other_mean: float, other_stderr: float, other_n: int
) -> tuple[float, float]:
    """95 % interval of the difference, with Welch's degrees of freedom."""
    from scipy.stats import t

    ours, theirs = stderr**2, other_stderr**2
    freedom = (ours + theirs) ** 2 / (ours**2 / (n - 1) + theirs**2 / (other_n - 1))
    half = float(t.ppf(0.975, freedom)) * (ours + theirs) ** 0.5
    return mean - other_mean - half, mean - other_mean + half


@cache
def half_width(n: int) -> float:
    """Standard errors on each side of a mean of n values that its 95 % interval takes."""
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))
