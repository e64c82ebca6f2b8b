"""Numbers in prose: found, and what explains them. A number that its author gave a source (\\fact…, \\lit) is not in the text.

A *measured-looking* numeral is a decimal, a percentage, a power of ten or a multiple ("5-fold", "twice" is none): in the
parts of a paper that report results it must be a fact. Others are explained by what they are (a year, a count of at most
100, an index, part of a name) or by being a setting of a run or a number of the idea; the rest is listed.
Limits: numbers written as words are found only before "percent" and "-fold".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_PLAIN = r"(?:\d{1,3}(?:[,\u2009]\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_WORD = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty|ninety|hundred|thousand"
)
_MORE = r"more|less|fewer|larger|smaller|bigger|faster|slower|higher|lower|better|worse|as|the"
_UNIT = rf"""
    (?P<percent>[\s\u2009]*(?:%|percent(?:age\s+points?)?\b|per\s+cent\b|percentage\s+points?|pp\b))
  | (?P<multiple>[\s-]*fold\b|\s*×(?!\s*[\d(])|x\b|\s+times\s+(?:{_MORE})\b)
"""
_NUMERAL = re.compile(
    rf"""(?P<sign>(?<![\w)\]]) [-−+])?
    (?:(?P<power>(?:(?P<factor>{_PLAIN})\s*×\s*)?(?<![\d.])10\s*\^\s*(?P<exponent>[-−+]?\d+))
      |(?P<float>(?:{_PLAIN})[eE][-−+]?\d+(?!\w))
      |(?P<number>{_PLAIN}))
    (?:{_UNIT})?""",
    re.VERBOSE,
)
_WORDS = re.compile(rf"\b(?P<word>{_WORD})(?:(?P<percent>[\s-]+per\s?cent\w*)|(?P<multiple>-?fold\b))", re.IGNORECASE)
_NAMED_BEFORE = re.compile(r"(?:[A-Za-z][\w.]*[-–])+$|[A-Za-z_][\w.:]*$|[_^]\s*$")  # GPT-|2, F|1, x_|1
_DECIMAL_NAME = re.compile(r"(?:^|[\s(])(?:[A-Z][\w.]*[-–])+$|(?:^|[\s(])[A-Z]\w*$|[_^]\s*$|\bv$|[:/]$")
_VERSION_BEFORE = re.compile(
    r"\b(?:[Vv]ersion|Python|PyTorch|torch|CUDA|[Tt]ransformers|NumPy|SciPy|scikit-learn|Debian|Ubuntu)\s+$"
)
_IDENTIFIER = re.compile(r"(?:arXiv:?\s*|doi:?\s*)\S+|\b\d+(?:\.\d+){2,}\b|\b\d{4}-\d\d-\d\d\b", re.IGNORECASE)
_INDEX_BEFORE = re.compile(
    r"\b(?:runs?|seeds?|layers?|sections?|chapters?|figures?|fig\.|tables?|tab\.|equations?|eq\.|appendix|steps?|epochs?|rows?|"
    r"columns?|pages?|pp?\.|lines?|no\.|item|experiment|latents?|features?|neurons?|index|position|part|footnote|§)\s+$",
    re.IGNORECASE,
)
_SECTION_BEFORE = re.compile(
    r"(?:\b(?:sections?|sec\.|chapters?|appendix|figures?|fig\.|tables?|equations?|eq\.)\s+|§\s*)$", re.IGNORECASE
)
_INTERVAL_AFTER = re.compile(r"[\s-]*(?:confidence\s+)?(?:intervals?|CIs?)\b", re.IGNORECASE)
_DIMENSION_AFTER = re.compile(r"-?(?:st|nd|rd|th|D)\b")


@dataclass(frozen=True)
class Numeral:
    text: str
    start: int
    end: int
    value: float
    measured: bool  # it looks as if it were a result


def numerals(text: str) -> Iterator[Numeral]:
    """All numbers that are not part of a name or an identifier, in their order."""
    taken = [found.span() for found in _IDENTIFIER.finditer(text)]
    found = [*_NUMERAL.finditer(text), *_WORDS.finditer(text)]
    for one in sorted(found, key=lambda match: match.start()):
        if not any(start <= one.start() < end for start, end in taken) and (numeral := _numeral(one, text)):
            yield numeral


def _numeral(found: re.Match[str], text: str) -> Numeral | None:
    groups = found.groupdict()
    marked = bool(groups.get("percent") or groups.get("multiple"))
    before = text[max(0, found.start() - 40) : found.start()]
    if groups.get("word"):
        return Numeral(found.group().strip(), found.start(), found.end(), 0.0, True)
    written = groups["number"] or ""
    decimal = not written or "." in written
    if (groups["sign"] is None) and (_DECIMAL_NAME if decimal else _NAMED_BEFORE).search(before):
        return None
    if decimal and not marked and (_VERSION_BEFORE.search(before) or _SECTION_BEFORE.search(before)):
        return None
    if groups.get("percent") and written == "95" and _INTERVAL_AFTER.match(text, found.end()):
        return None  # what \factci gives is called so
    if not decimal and not marked and _DIMENSION_AFTER.match(text, found.end()):
        return None
    value = _value(groups)
    ten = bool(groups["power"]) and not groups["factor"] and value >= 1
    return Numeral(found.group().strip(), found.start(), found.end(), value, marked or (decimal and not ten))


def _value(groups: dict[str, str | None]) -> float:
    def plain(text: str) -> float:
        return float(re.sub("[,\u2009]", "", text).replace("−", "-"))

    if groups["power"]:
        return plain(groups["factor"] or "1") * math.pow(
            10.0, max(-300.0, min(300.0, plain(groups["exponent"] or "0")))
        )
    value = plain(groups["float"] or groups["number"] or "0")
    return -value if groups["sign"] in ("-", "−") else value


def why(numeral: Numeral, text: str, settings: frozenset[float], idea: frozenset[float]) -> str:
    """What explains a numeral outside of the results; nothing: it is unexplained."""
    value, before = abs(numeral.value), text[max(0, numeral.start - 40) : numeral.start]
    scales = (1.0, 0.01) if "%" in numeral.text or "percent" in numeral.text else (1.0,)
    if any(_among(value * scale, settings) for scale in scales):
        return "a setting of a run"
    if any(_among(value * scale, idea) for scale in scales):
        return "a number of the idea"
    if numeral.text.endswith(("×", "fold", "x")) and value == int(value) <= 100:
        return "a count"
    if numeral.measured or value != int(value):
        return ""
    if value <= 100:
        return "a count"
    if _INDEX_BEFORE.search(before):
        return "an index"
    return "a year" if 1900 <= value <= 2100 and "," not in numeral.text else ""


def numbers_in(text: str) -> frozenset[float]:
    """The values of all numbers of a text, such as an idea's."""
    return frozenset(abs(numeral.value) for numeral in numerals(text))


def _among(value: float, known: frozenset[float]) -> bool:
    return any(math.isclose(value, abs(one), rel_tol=1e-9) for one in known)
