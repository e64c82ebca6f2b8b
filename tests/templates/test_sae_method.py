"""What comes back from the method's process is its latents, all of them, or it is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from tests.templates import sae_template  # noqa: F401 - puts `harness` on the path

from harness import method  # isort: skip
from harness.report import Refused  # isort: skip

SPARSE = st.one_of(st.just(0.0), st.floats(-9, 9, width=32))
TABLES = drawn.arrays(np.float32, drawn.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=SPARSE)


@settings(deadline=None)
@given(TABLES)
def test_places_and_values_are_the_table_that_they_were_taken_from(table):
    places = np.flatnonzero(table != 0)
    found = method.matrix(*table.shape, places, table.reshape(-1)[places])
    assert (found.toarray() == table).all()
    assert found.nnz == np.count_nonzero(table), "L0 is counted from it"


@settings(deadline=None)
@given(TABLES.filter(lambda table: np.count_nonzero(table) > 1), st.data())
def test_a_place_that_is_not_there_or_is_there_twice_or_out_of_order_is_refused(table, data):
    """Values at one place would be added up: more than one latent's worth for the price of one."""
    places = np.flatnonzero(table != 0)
    at = data.draw(st.integers(0, len(places) - 2))
    for wrong in (
        np.concatenate((places[: at + 1], places[at:-1])),
        places[::-1],
        np.concatenate((places[:-1], [table.size])),
        np.concatenate(([-1], places[1:])),
    ):
        with pytest.raises(Refused, match="places"):
            method.matrix(*table.shape, wrong, np.ones(len(wrong), np.float32))
