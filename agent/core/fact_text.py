r"""Values as facts print them, for people and for LaTeX. One spelling in, one spelling out: what is plain can be read back as LaTeX.

Plain: a proper minus (−), ` ± `, `1.25e-7`, ` %`. In LaTeX these are `\factminus`, `\factplusminus`, `\factexponent{-7}` and so on,
which facts.tex defines for text, math and the bookmarks of a PDF.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.cells import number
from agent.core.text import printable

MINUS = "−"
_SIGNS = (
    (" ± ", r"\factplusminus "),
    (MINUS, r"\factminus "),
    (" %", r"\,\%"),
    ("< ", r"\factless "),
    ("> ", r"\factmore "),
)
_NOT_IN_OT1 = "«»ÐðÞþ\xad"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\factless ",
    ">": r"\factmore ",
    "–": "--",
    "—": "---",
    "’": "'",
    "…": r"\ldots{}",
    "→": r"\ensuremath{\to}",
    "±": r"\factplusminus ",
    "×": r"\ensuremath{\times}",
    "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}",
    MINUS: r"\factminus ",
}


def plain_number(value: float, digits: int) -> str:
    return _spelt(number(value + 0.0, digits))  # + 0.0: there is no negative zero


def signed(value: float, digits: int) -> str:
    """With its sign; nothing has none."""
    return ("+" if value > 0 else "") + plain_number(value, digits)


def exact(value: float) -> str:
    """A number as it was set: all its digits."""
    return _spelt(repr(value + 0.0).removesuffix(".0") if abs(value) >= 1 else repr(value + 0.0))


def _spelt(text: str) -> str:
    mantissa, e, exponent = text.partition("e")
    return mantissa.replace("-", MINUS) + (f"e{int(exponent)}" if e else "")


def probability(value: float) -> str:
    if value < 0.001:
        return "< 0.001"
    return "> 0.999" if value > 0.999 else f"{value:.3f}"


def setting(value: Any) -> str:
    """A value of a configuration."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return exact(value)
    if isinstance(value, int):
        return str(value).replace("-", MINUS)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {setting(one)}" for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(setting, value))
    return printable(str(value))


def latex_number(plain: str) -> str:
    for sign, macro in _SIGNS:
        plain = plain.replace(sign, macro)
    return re.sub(r"(?<=\d)e(-?\d+)", r"\\factexponent{\1}", plain)


def latex_setting(value: Any) -> str:
    return latex_number(setting(value)) if _is_number(value) else latex_text(setting(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def latex_text(text: str) -> str:
    """Words for LaTeX, in one line; a character that pdfLaTeX has no glyph for is a question mark."""
    return "".join(map(_latex_character, " ".join(text.split())))


def _latex_character(one: str) -> str:
    return _SPECIAL.get(one) or (one if " " <= one <= "~" or ("¡" <= one <= "ÿ" and one not in _NOT_IN_OT1) else "?")
