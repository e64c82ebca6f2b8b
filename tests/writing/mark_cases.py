"""The cases of tests/writing/papers/marks.tex: where a mark may stand in a text that LaTeX takes.

%%% name [place]   as in paper_cases
¡                  what is behind it is a problem, the first, the second …
«1, 2»             here the mark of these problems must stand; a problem that is in no mark has no place for one
"""

import re
from dataclasses import dataclass

from tests.writing.paper_cases import Case, cases


@dataclass(frozen=True)
class Marked:
    name: str
    tex: str  # without ¡ and « »
    problems: tuple[int, ...]  # their places
    expected: str  # with « » only


def mark_cases(file: str = "marks.tex") -> list[Marked]:
    return [_marked(case) for case in cases(file)]


def _marked(case: Case) -> Marked:
    tex = re.sub("«[^»]*»", "", case.tex)
    bare = tex.replace("¡", "")
    problems = tuple(found.start() - number for number, found in enumerate(re.finditer("¡", tex)))
    return Marked(case.name, bare, problems, case.tex.replace("¡", ""))
