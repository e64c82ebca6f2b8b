"""Sentences that say more than the data: a claim of being better, bound to a run, a metric or "our method".

A claim word is weighed in its clause. It is none where it is negated, asked or hoped for, or said of others' work (a
citation and neither a run nor "our"). What it is bound to stands in its clause; what is missing there, in its sentence:
a run and a metric → that verdict · a run → its verdict as a whole · a metric → some run must be better on it ·
"our method", "we achieve" → some run must be better on anything. "Significant" may also be a change for the worse.
Limits: English; a pronoun ("it outperforms …") binds to nothing, unless its sentence names something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.comparison import BETTER, WORSE
from agent.core.latex_paper import BREAK, Paper
from agent.core.text import listed
from agent.writing.known import Known

_CLAIM = re.compile(
    r"\b(?:improv(?:es?|ed|ing|ements?)|outperform\w*|beats?|beaten|beating|surpass\w*|superior|better|state[- ]of[- ]the[- ]art|"
    r"significant(?:ly)?|wins?|winning|advantages?|exceeds?\s+(?:the\s+)?baselines?)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|no|none|neither|nor|never|nothing|nobody|without|cannot|hardly|barely|far\s+from|rather\s+than|instead\s+of|"
    r"fail(?:s|ed|ing)?\s+to|unable|lack(?:s|ed)?|absence|unlikely)\b|n['’]t\b",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(
    r"\b(?:(?:is|are|was|were|could|can|has|have|been|be)\s+not|cannot|n['’]t|unconfirmed|within\s+noise|within\s+the\s+noise|"
    r"remains?\s+(?:open|unclear)|at\s+first|initially|disappears?|vanish\w*)\b",
    re.IGNORECASE,
)
_HOPED = re.compile(
    r"\b(?:whether|if|could|may|might|would|should|hop\w+|aim\w*|designed|intended|meant|expect\w*|hypothes\w*|seeks?|ask\w*|"
    r"tr(?:y|ies|ied|ying)|attempt\w*|conjectur\w*|predict(?:s|ed)?\s+that|in\s+order\s+to)\b",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"(?<!able )(?<!manages )(?<!managed )(?<!found )(?<!shown )(?<!seen )(?<!seems )(?<!appears )\bto\s+$"
)
_EMPHASIS = re.compile(
    r"\b(?:not\s+only|without\s+(?:a\s+)?(?:doubt|question)|no\s+doubt)\b", re.IGNORECASE
)  # negates nothing
_OURS = re.compile(
    r"\b(?:our|the\s+proposed|this)\s+(?:[\w-]+\s+){0,3}?(?:method|approach|model|penalty|change|variant|technique|loss|autoencoder|"
    r"results?|regulari[sz]\w+|algorithm)s?\b|\bwe\s+(?:achieve|obtain|reach|outperform|improve|show|demonstrate|find|beat|see)\b",
    re.IGNORECASE,
)
_BASELINE = re.compile(r"\bbaselines?\b|\brun[_\s]0\w*\b", re.IGNORECASE)
_SENTENCE = re.compile(rf"(?<=[.!?])\s+(?=[A-Z◦(])|\n\s*\n|{BREAK}")
_CLAUSE = re.compile(r"[,;:—]\s|\s(?:but|while|whereas|although|though|yet|however|because|since)\s", re.IGNORECASE)
_RUN = re.compile(
    r"\brun_(\d+(?:_[a-z][a-z0-9_]*)?)\b|\b[Rr]uns?\s+(\d+(?:\s*(?:,|and|or|to|–|--?|,\s*and)\s*\d+)*)(?![\d.%])"
)
_VERB = re.compile(
    r"\b(?:we|to|they|you|can|could|should|will|would|is|are|was|were|been|be|not|then|us)\s+$", re.IGNORECASE
)
_COUNTED = re.compile(
    r"\s+(?:more\s+)?(?:seeds|experiments|times|epochs|steps|jobs|runs|configurations|variants|models|trials|evaluations|hours)\b"
)
_FACT_RUN = re.compile(r"\b(run_[a-z0-9_]+)(?:\.([\w.-]+))?")


@dataclass(frozen=True)
class Mention:
    at: int  # in the source
    run: str
    metric: str = ""


@dataclass(frozen=True)
class Claim:
    at: int  # in the source
    word: str
    why: str
    fix: str


def mentions(paper: Paper) -> list[Mention]:
    """Runs that are named: in words, and in references to their results."""
    found = []
    for one in _RUN.finditer(paper.text):
        at = paper.place(one.start())
        if one.group(1):
            found.append(Mention(at, f"run_{one.group(1)}"))
        elif not _VERB.search(paper.text, max(0, one.start() - 12), one.start()) and not _COUNTED.match(
            paper.text, one.end()
        ):
            found += [Mention(at, f"run_{number}") for number in _expanded(one.group(2))]
    for use in (use for use in paper.uses if use.name.startswith("fact")):
        metrics = [word for word in use.words[1:] if not word.startswith("run_")] or [""]
        for run, metric in _FACT_RUN.findall(" ".join(use.words)):
            found.append(Mention(use.at, run, metric or metrics[0]))
    return sorted(found, key=lambda mention: mention.at)


def _expanded(listing: str) -> list[str]:
    """ "1, 3 and 5--7" as numbers."""
    found: list[str] = []
    for part in re.split(r",\s*and|,|and|or", listing):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        found += [str(number) for number in range(ends[0], min(ends[-1], ends[0] + 50) + 1)] if ends else []
    return found


def claims(paper: Paper, known: Known) -> Iterator[Claim]:
    """One for each sentence at most, where its first unfounded claim stands."""
    named = tuple(mention for mention in mentions(paper) if mention.run not in known.baselines)
    for sentence in _spans(_SENTENCE, paper.text, 0, len(paper.text)):
        if paper.text[slice(*sentence)].rstrip().endswith("?"):
            continue
        scopes = (_Scope(paper, known, named, sentence, c) for c in _spans(_CLAUSE, paper.text, *sentence))
        yield from [found for scope in scopes if (found := _claim(scope))][:1]


def _spans(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for cut in pattern.finditer(text, start, end):
        yield at, cut.start()
        at = cut.end()
    yield at, end


@dataclass(frozen=True)
class _Scope:
    """A clause, and what it can be bound to."""

    paper: Paper
    known: Known
    named: tuple[Mention, ...]  # runs, without baselines
    sentence: tuple[int, int]  # both in the text
    clause: tuple[int, int]

    def runs(self, start: int, end: int) -> list[str]:
        return list(dict.fromkeys(mention.run for mention in self._named(start, end)))

    def metrics(self, start: int, end: int) -> list[str]:
        text, labels = self.paper.text[start:end].lower(), self.known.metrics.items()
        said = [metric for metric, label in labels if any(_says(text, name) for name in _names(metric, label))]
        referred = [mention.metric for mention in self._named(start, end) if mention.metric in self.known.metrics]
        return list(dict.fromkeys([*said, *referred]))

    def _named(self, start: int, end: int) -> list[Mention]:
        first, last = self.paper.place(start), self.paper.place(max(start, end - 1))
        return [mention for mention in self.named if first <= mention.at <= last]

    @property
    def cites(self) -> bool:
        first, last = self.paper.place(self.sentence[0]), self.paper.place(max(self.sentence[0], self.sentence[1] - 1))
        return any(use.name.lower().startswith("cite") and first <= use.at <= last for use in self.paper.uses)


def _claim(scope: _Scope) -> Claim | None:
    text, (start, end) = scope.paper.text, scope.clause
    for word in _CLAIM.finditer(text, start, end):
        before, after = _EMPHASIS.sub("", text[start : word.start()]), text[word.end() : end]
        if _NOT.search(before) or _NOT_AFTER.search(after) or _HOPED.search(before) or _PURPOSE.search(before):
            continue
        if _of_the_baseline(scope, before, word):
            continue
        passing = (BETTER, WORSE) if word.group().lower().startswith("significant") else (BETTER,)
        if why := _unfounded(scope, passing):
            return Claim(scope.paper.place(word.start()), word.group(), *why)
    return None


def _of_the_baseline(scope: _Scope, before: str, word: re.Match[str]) -> bool:
    """ "The baseline outperforms run 4": no claim for a run."""
    start, end = scope.clause
    ours = _OURS.search(before) or scope.runs(start, word.start())
    return bool(_BASELINE.search(before) and not ours and scope.runs(word.end(), end))


def _unfounded(scope: _Scope, passing: tuple[str, ...]) -> tuple[str, str] | None:
    """Why a claim of this clause does not hold, and what would; None: it holds, or is bound to nothing."""
    known = scope.known
    runs = scope.runs(*scope.clause) or scope.runs(*scope.sentence)
    metrics = scope.metrics(*scope.clause) or scope.metrics(*scope.sentence)
    ours = _OURS.search(scope.paper.text, *scope.sentence)
    if runs:
        return next((told for run in runs for told in _of_run(known, run, metrics, passing)), None)
    if scope.cites and not ours:
        return None
    for metric in metrics:
        if not known.some(passing, metric):
            fix = f"say what was found, or write \\factverdict{{RUN}}{{{metric}}}"
            return f"no run has the verdict better on {metric}", fix
    if ours and not metrics and not known.some(passing):
        fix = "say that nothing beat the baseline: that is a result, too"
        return "no run has the verdict better on any metric", fix
    return None


def _of_run(known: Known, run: str, metrics: list[str], passing: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if run not in known.verdicts:
        return  # it was not run, which is told by itself
    for metric in metrics or [""]:
        verdict = known.verdict(run, metric)
        if verdict not in passing:
            on = f" on {metric}" if metric else ""
            told = f"the verdict of {run}{on} is {verdict}" if verdict not in ("", "–") else f"{run} has no verdict{on}"
            advice = "the baseline is better" if verdict == WORSE else "say what the verdict says"
            yield told, f"{advice}, or write \\factverdict{{{run}}}{{{metric or known.primary}}}"


def _names(metric: str, label: str) -> Iterator[str]:
    yield re.sub(r"\s*\([^)]*\)", "", label).lower()
    yield metric.lower()
    yield metric.rpartition(".")[2].lower()
    yield metric.rpartition(".")[2].replace("_", " ").lower()


def _says(text: str, name: str) -> bool:
    return bool(name) and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def missing(paper: Paper, known: Known) -> Iterator[tuple[int, str, str]]:
    """Runs that are named and were not run."""
    told = set()
    for mention in mentions(paper):
        if mention.run not in known.verdicts and (mention.run, paper.line(mention.at)) not in told:
            told.add((mention.run, paper.line(mention.at)))
            yield (
                mention.at,
                f"{mention.run} was not run",
                f"runs of this study are {listed(known.verdicts, 12) or 'none'}",
            )
