"""The cases were written before the audit, and half of them were put aside while it was made."""

import hashlib

import pytest

from tests.writing.paper_cases import PAPERS, cases

FROZEN = {
    "seen.tex": "247e0c34c1f9cd48422885e9d8f0025e1f5ae6d4fdc95ea53abdfe230154db9f",
    "unseen.tex": "55b0dacf6222339f9b8c6cfcff992f187a0fa97b9157349814c29d18fc7f0efd",
}


@pytest.mark.parametrize("file", FROZEN)
def test_the_cases_are_those_that_were_written_first(file):
    assert hashlib.sha256((PAPERS / file).read_bytes()).hexdigest() == FROZEN[file]


@pytest.mark.parametrize("file", FROZEN)
def test_there_are_many_faulty_and_many_honest_texts(file):
    honest = [case for case in cases(file) if not case.expected]
    assert len(honest) >= 11 and len(cases(file)) - len(honest) >= 40
    assert all(case.name.startswith("honest") for case in honest)
