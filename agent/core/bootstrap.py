"""Of one seed a side: is the difference larger than the noise of the held-out documents? Resampled, always with one result.

The documents of both sides are the same, in the same order: their differences are what is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence

_TIMES = 4999
_STREAM = 0  # the same numbers are drawn for the same documents


def over_documents(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """95 % interval of the mean difference, and the one-sided p of its being above zero."""
    import numpy as np
    from scipy.stats import bootstrap

    steps = np.asarray(ours) - np.asarray(theirs)
    if np.ptp(steps) == 0:
        return float(steps[0]), float(steps[0]), 1.0 if steps[0] <= 0 else 0.0
    drawn = bootstrap(
        (steps,),
        np.mean,
        n_resamples=_TIMES,
        batch=100,
        method="percentile",
        random_state=np.random.default_rng(_STREAM),
    )
    above = (float((drawn.bootstrap_distribution <= 0).sum()) + 1) / (_TIMES + 1)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high), min(1.0, above)
