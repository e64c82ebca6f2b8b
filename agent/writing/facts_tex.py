r"""latex/facts.tex: macros for every run and metric of a study, complete, so that the folder compiles anywhere without the tool.

Of each run and metric: mean, ± stderr, interval, sd, n, verdict; of each pair of runs: difference, change in percent, p; the
settings of each run, the counts of the study, and the tables that `texts` refer to, marked (agent.core.fact_table). A table
that is asked for later, where this tool is not at hand, is made by TeX from the values, without marks.
Limits: `\fact` takes an id as it is written here; one that is made by other macros must be expanded before. A pair with
`/first` on both sides is there for a run and its baseline only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.core.fact import Fact
from agent.core.fact_book import FIRST, Book
from agent.core.fact_table import comparable
from agent.core.fact_tabular import metric_label, metric_name, run_name
from agent.core.facts import Facts
from agent.core.references import references
from agent.core.renewed import files_of
from agent.core.study_facts import STUDY
from agent.writing.facts_macros import BEGIN

_OF_A_VALUE = ("fact", "factpm", "factci", "factsd", "factn")
_OF_A_PAIR = ("factdiff", "factpct", "factp")
_HEAD = """\
% Every result of this study as a macro: \\fact{run_3.family.metric} and its siblings. Written by ai-scientist; changes made
% here are lost. \\def\\factstrict{} before this file makes an error of a reference to nothing, which prints ?? otherwise.
"""


def facts_tex(facts: Facts, texts: Iterable[str] = ()) -> str:
    """`texts`: the paper's, for its tables."""
    book = facts.book
    parts = [
        _HEAD,
        *_sources(book),
        BEGIN,
        *_labels(book),
        *_values(facts),
        *_changes(facts),
        *_settings(facts),
        *_study(facts),
        *_tables(facts, texts),
        "\\factsrestore\n",
    ]
    return "".join(parts)


def _sources(book: Book) -> Iterator[str]:
    for run in book.state.runs.values():
        for path in files_of(run) if run.status == "good" else ():
            if source := book.sources.get(path):
                changed = ", changed since it was measured" if path in book.changed else ""
                yield f"% {path}: sha256 {source.sha256[:16]}{changed}\n"


def _labels(book: Book) -> Iterator[str]:
    metrics = dict.fromkeys(metric for run in book.names.values() for metric in run.metrics)
    for metric in metrics:
        yield f"\\facts@put{{m:{metric}}}{{{metric_label(book, metric)}}}\n"
        yield f"\\facts@put{{l:{metric}}}{{{metric_name(book, metric)}}}\n"
    for name, run in book.names.items():
        yield f"\\facts@put{{r:{name}}}{{{run_name(book, name)}}}\n"
        if not comparable(book, run):
            yield f"\\facts@put{{x:{name}}}{{}}\n"


def _values(facts: Facts) -> Iterator[str]:
    for name in _names(facts.book):
        yield f"\\facts@of{{{name}}}\n"
        for metric in facts.book.run(name)[0].metrics:
            parts = [facts.fact(macro, f"{name}.{metric}") for macro in _OF_A_VALUE]
            parts.append(facts.fact("factverdict", name, metric))
            yield f"\\facts@value{{{metric}}}{_braced(parts)}\n"
        seeds = facts.fact("factn", name)
        if isinstance(seeds, Fact):
            yield f"\\facts@put{{n:{name}}}{{{seeds.latex}}}\n"


def _changes(facts: Facts) -> Iterator[str]:
    for one, other in _pairs(facts.book):
        metrics = facts.book.run(one)[0].metrics
        theirs = facts.book.run(other)[0].metrics
        yield f"\\facts@pair{{{one}}}{{{other}}}\n"
        for metric in (metric for metric in metrics if metric in theirs):
            yield f"\\facts@change{{{metric}}}{_braced(facts.fact(macro, one, other, metric) for macro in _OF_A_PAIR)}\n"


def _settings(facts: Facts) -> Iterator[str]:
    for name, run in facts.book.names.items():
        for path in facts.book.settings(run):
            yield f"\\facts@put{{c:{name}.{path}}}{_braced([facts.fact('factconf', f'{name}.{path}')], 1)}\n"


def _study(facts: Facts) -> Iterator[str]:
    for key in STUDY:
        yield f"\\facts@put{{s:{key}}}{_braced([facts.fact('factstudy', key)], 1)}\n"


def _tables(facts: Facts, texts: Iterable[str]) -> Iterator[str]:
    found = (one for text in texts for one in references(text, latex=True) if one.macro == "facttable")
    for runs, metrics in dict.fromkeys(one.arguments for one in found if not one.problem):
        made = facts.fact("facttable", runs, metrics)
        if isinstance(made, Fact):
            yield f"\\facts@put{{t:{runs}:{metrics}}}{{{made.latex}}}\n"


def _braced(parts: Iterable[object], more: int = 0) -> str:
    """What there is no fact of is empty, and TeX takes it for unknown."""
    text = "".join(f"{{{part.latex if isinstance(part, Fact) else ''}}}" for part in parts)
    return f"{{{text}}}" if more else text


def _names(book: Book) -> list[str]:
    """With the first seeds of what has others that count."""
    return [*book.names, *(f"{name}{FIRST}" for name, run in book.names.items() if run.confirmation)]


def _pairs(book: Book) -> Iterator[tuple[str, str]]:
    for one, run in book.names.items():
        yield from ((one, other) for other, theirs in book.names.items() if theirs is not run)
        reference = book.state.reference
        if run.confirmation and reference and run is not reference:
            yield f"{one}{FIRST}", f"{reference.name}{FIRST}"
            yield f"{reference.name}{FIRST}", f"{one}{FIRST}"
