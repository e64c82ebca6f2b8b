r"""Every number that a text of a study may state, by reference: `\fact{run_3.core.mse}` → what it says, and where it comes from.

    facts_of(state, template, sources).resolve(reference) → Fact | Problem (with what was probably meant)

A value is taken from the results files (`sources`) where they are given: they are what is committed and read by others. Where
a file says something else than was journaled, `changed` names it, and what follows from it, verdicts too, is reckoned anew
(core.renewed). A run that was confirmed is read on its fresh seeds, and so is the baseline beside it (core.cells): standing
alone, the baseline is, as soon as any run was confirmed. `run_3/first.…` and `run_0/first.…` are the seeds before that.
`run_0_<first baseline>` is run_0. Only runs that gave a result have facts.
Limits: a p-value exists where the study has compared, that is for a run and the baseline it is judged against; it is
one-sided, of being better, or of being worse where that is the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.core import cells, fact_table, fact_tabular
from agent.core.comparison import VERDICTS, WORSE
from agent.core.fact import Fact, NoSuchFact, Problem, nearest
from agent.core.fact_book import Book, Value
from agent.core.fact_text import latex_number, latex_setting, latex_text, plain_number, probability, setting, signed
from agent.core.references import ARITY, Reference
from agent.core.renewed import Source, as_on_file, first_file, fresh_file
from agent.core.state import State
from agent.core.study_facts import STUDY
from agent.core.template import Template
from agent.core.text import shorten
from agent.core.welch import half_width

WORDS = dict(
    zip(
        VERDICTS,
        (
            "improves on",
            "is worse than",
            "is within noise of",
            "is not confirmed to improve on",
            "is not comparable with",
            "gives the same results as",
            "has no measured noise and cannot be tested against",
            "was measured on one seed and cannot be tested against",
        ),
        strict=True,
    )
)
_UNJUDGED = "is not judged against"  # a metric without a direction
_ZERO = 1e-12


def facts_of(state: State, template: Template, sources: Mapping[str, Source] | None = None) -> Facts:
    """`sources`: the results files by their path in the study; without them the journal's numbers count."""
    known = sources or {}
    renewed, changed = as_on_file(state, template, {path: source.result for path, source in known.items()})
    return Facts(Book(renewed, template, known, changed))


@dataclass(frozen=True)
class Facts:
    book: Book

    @property
    def changed(self) -> tuple[str, ...]:
        """Results files that say something else than was journaled."""
        return self.book.changed

    def resolve(self, reference: Reference) -> Fact | Problem:
        if reference.problem:
            return Problem(reference.written, reference.problem)
        return self.fact(reference.macro, *reference.arguments)

    def fact(self, macro: str, *arguments: str) -> Fact | Problem:
        name = f"\\{macro}" + "".join(f"{{{argument}}}" for argument in arguments)
        if len(arguments) != ARITY.get(macro):
            return Problem(name, f"\\{macro} does not take {len(arguments)} arguments")
        try:
            return _MAKERS[macro](self.book, name, *arguments)
        except NoSuchFact as no:
            return Problem(name, no.text, no.suggestion)


# --- a maker for each macro ---------------------------------------------------------------------------------------------


def _mean(book: Book, name: str, word: str) -> Fact:
    value = book.value(*book.split(word))
    return _measured(book, name, plain_number(value.estimate.mean, book.digits(value.metric)), value)


def _with_error(book: Book, name: str, word: str) -> Fact:
    """As in tables, the mean alone where there is no standard error."""
    value = book.value(*book.split(word))
    digits, stderr = book.digits(value.metric), value.estimate.stderr
    more = f" ± {plain_number(stderr, digits)}" if stderr is not None else ""
    return _measured(
        book, name, plain_number(value.estimate.mean, digits) + more, value, "stderrs" if more else "means"
    )


def _interval(book: Book, name: str, word: str) -> Fact:
    value = book.value(*book.split(word))
    stderr, n = _noise(value)
    half, digits = half_width(n) * stderr, book.digits(value.metric)
    low, high = (plain_number(value.estimate.mean + sign * half, digits) for sign in (-1, 1))
    return _measured(book, name, f"[{low}, {high}]", value, "stderrs")


def _deviation(book: Book, name: str, word: str) -> Fact:
    value = book.value(*book.split(word))
    stderr, n = _noise(value)
    return _measured(book, name, plain_number(stderr * math.sqrt(n), book.digits(value.metric)), value, "stderrs")


def _noise(value: Value) -> tuple[float, int]:
    found = value.estimate
    if found.stderr is None or found.n is None or found.n < 2:
        one = "it was measured on one seed" if found.n == 1 else "its results do not give both stderr and n"
        raise NoSuchFact(f"the noise of {value.metric} in {value.run.name} is not known: {one}")
    return found.stderr, found.n


def _seeds(book: Book, name: str, word: str) -> Fact:
    """Of one metric, or of the primary one, or else the most that any has."""
    run_word, dot, metric = word.partition(".")
    run, _ = book.run(run_word)
    primary = (book.state.plan or {}).get("primary", "")
    metrics = [metric] if dot else [primary] if primary in run.metrics else list(run.metrics)
    values = [book.value(run_word, one) for one in metrics]
    most = max(values, key=lambda value: value.estimate.n or 0)
    if not most.estimate.n:
        raise NoSuchFact(f"{run.name} does not say over how many seeds it was measured")
    return _measured(book, name, str(most.estimate.n), most, "n")


def _verdict(book: Book, name: str, word: str, metric: str) -> Fact:
    value = book.value(word, metric)
    found = book.comparisons[value.run.name]
    if found is None:
        why = "it is a baseline" if value.run.baseline else "it has not been compared yet"
        raise NoSuchFact(f"{value.run.name} has no verdict: {why}")
    words = WORDS.get(cells.verdict_in(found, metric), _UNJUDGED)
    return Fact(name, "factverdict", words, words, *_from(book, value))


def _difference(book: Book, name: str, word: str, other: str, metric: str) -> Fact:
    ours, theirs = _both(book, word, other, metric)
    return _measured(book, name, signed(ours.estimate.mean - theirs.estimate.mean, book.digits(metric)), ours)


def _percent(book: Book, name: str, word: str, other: str, metric: str) -> Fact:
    ours, theirs = _both(book, word, other, metric)
    base = theirs.estimate
    if abs(base.mean) <= max(_ZERO, 2 * (base.stderr or 0.0)):
        raise NoSuchFact(f"{metric} of {theirs.run.name} cannot be told from zero: a change in percent says nothing")
    change = 100 * (ours.estimate.mean - base.mean) / abs(base.mean)
    return _measured(book, name, f"{signed(change, 1)} %", ours)


def _both(book: Book, word: str, other: str, metric: str) -> tuple[Value, Value]:
    return book.value(word, metric, other), book.value(other, metric, word)


def _p(book: Book, name: str, word: str, other: str, metric: str) -> Fact:
    ours, _ = _both(book, word, other, metric)
    found = book.compared(word, other, metric)
    p = found.p_worse if found.verdict == WORSE else found.p
    if p is None:
        raise NoSuchFact(f"{metric} of {ours.run.name} was not tested: {found.why or 'it has no direction'}")
    return _measured(book, name, probability(p), ours)


def _setting(book: Book, name: str, word: str) -> Fact:
    run_word, dot, path = word.partition(".")
    run, _ = book.run(run_word)
    known = book.settings(run)
    if not dot or path not in known:
        if near := nearest(path, known):
            near = f"{run_word}.{near}"
        raise NoSuchFact(f"the results of {run.name} state no setting {shorten(path, 80) or 'without a name'}", near)
    value, file = known[path], first_file(run.name)
    family, _, key = path.partition(".")
    part = "config" if key.partition(".")[0] in book.sources[file].result.config.get(family, {}) else "protocol"
    return Fact(name, "factconf", setting(value), latex_setting(value), file, f"{family}.{part}.{key}", run.head,
                book.sources[file].sha256)  # fmt: skip


def _study(book: Book, name: str, key: str) -> Fact:
    if key not in STUDY:
        raise NoSuchFact(f"nothing is counted under {shorten(key, 60) or 'no name'}", nearest(key, STUDY))
    said = STUDY[key](book.state, book.template)
    return Fact(name, "factstudy", said, latex_text(said))


def _table(book: Book, name: str, runs: str, metrics: str) -> Fact:
    made = fact_table.table(book, *([one.strip() for one in words.split(",")] for words in (runs, metrics)))
    return Fact(name, "facttable", fact_table.markdown(made), fact_tabular.latex(made))


def _literal(book: Book, name: str, number: str, why: str) -> Fact:
    """As it is written: it is the author's."""
    return Fact(name, "lit", number.replace("\\%", "%"), number)


_MAKERS: dict[str, Callable[..., Fact]] = {
    "fact": _mean,
    "factpm": _with_error,
    "factci": _interval,
    "factsd": _deviation,
    "factn": _seeds,
    "factverdict": _verdict,
    "factdiff": _difference,
    "factpct": _percent,
    "factp": _p,
    "factconf": _setting,
    "factstudy": _study,
    "facttable": _table,
    "lit": _literal,
}


def _measured(book: Book, name: str, text: str, value: Value, part: str = "means") -> Fact:
    kind = name[1 : name.index("{")]
    return Fact(name, kind, text, latex_number(text), *_from(book, value, part))


def _from(book: Book, value: Value, part: str = "means") -> tuple[str, str, str, str]:
    """File, path in it, commit, hash."""
    file = (fresh_file if value.fresh else first_file)(value.run.name)
    source = book.sources.get(file)
    family, _, metric = value.metric.partition(".")
    path = f"{family}.n" if part == "n" else f"{family}.{part}.{metric}"
    commit = book.state.head if value.fresh or file in book.changed else value.run.head
    return file, path, commit, source.sha256 if source else ""
