"""What the commands and environments of LaTeX do with their arguments: tables for core.latex_text."""

from __future__ import annotations

import re

SECTIONS = ("chapter", "section")
HEADINGS = (*SECTIONS, "subsection", "subsubsection", "paragraph")
RAW = ("url", "href", "path", "nolinkurl")
BREAKS = (*HEADINGS, "caption", "captionof", "item", "footnote", "par", "title", "author")
SHOWN_OPTION = ("item",)
DEFINITIONS = ("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newenvironment", "renewenvironment", "def",
               "gdef", "edef", "xdef", "DeclareMathOperator", "newtheorem")  # fmt: skip
CITING = re.compile(r"(?:[Cc]ite|no)\w*cite\w*|[Cc]ite\w*")
REFERRING = ("ref", "eqref", "pageref", "autoref", "cref", "Cref", "nameref", "vref", "subref")

# Characters, and commands that stand for one.
SHOWN = {
    "%": "%", "&": "&", "_": "_", "#": "#", "$": "$", "{": "{", "}": "}", " ": " ", "\n": " ", ",": "\u2009", ";": " ", ":": " ",
    "!": "", "/": "", "-": "", "\\": "\f", "times": "×", "cdot": "×", "pm": "±", "approx": "≈", "percent": "%", "textpercent": "%",
    "ldots": "…", "dots": "…", "quad": " ", "qquad": " ", "textendash": "–", "textemdash": "—", "textunderscore": "_",
    "S": "§", "textsection": "§", "tabularnewline": "\f", "newline": " ", "linebreak": " ", "": "",
}  # fmt: skip

# How many arguments are names, lengths or code (x); `s` are printed, and what is not listed prints all of its arguments.
_MODES = {
    **dict.fromkeys(("label", *REFERRING, "input", "include", "bibliography", "bibliographystyle", "usepackage", "documentclass",
                     "includegraphics", "url", "nolinkurl", "path", "vspace", "hspace", "vskip", "graphicspath", "pagestyle",
                     "thispagestyle", "color", "bibitem", "hypersetup", "geometry", "cmidrule", "cline", "urlstyle",
                     "stepcounter", "hyphenation", "RequirePackage", "includepdf", "lstset", "sisetup", "usetikzlibrary",
                     "placeholder", "pdfinfo", "raisebox", "value", "lstinputlisting"), "x"),
    **dict.fromkeys(("setlength", "addtolength", "setcounter", "addtocounter", "fontsize", "rule",
                     "addcontentsline", "PassOptionsToPackage"), "xx"),
    **dict.fromkeys(("href", "textcolor", "colorbox", "scalebox", "parbox", "rotatebox", "texorpdfstring", "hyperref", "makebox"), "xs"),
    "multicolumn": "xxs", "multirow": "xxs", "resizebox": "xxs", "definecolor": "xxx", "fcolorbox": "xxs", "newcolumntype": "xx",
    "lit": "xx", "captionsetup": "x", "IfFileExists": "x", "hyperref": "",
}  # fmt: skip

# Environments: how many arguments that are not printed follow the name.
ENVIRONMENTS = {"tabular": 1, "tabularx": 2, "array": 1, "minipage": 1, "multicols": 1, "thebibliography": 1, "wrapfigure": 2,
                "wraptable": 2, "subfigure": 1, "subtable": 1, "adjustbox": 1, "longtable": 1, "alignat": 1, "list": 2}  # fmt: skip
VERBATIM = (
    "verbatim",
    "verbatim*",
    "Verbatim",
    "lstlisting",
    "minted",
    "comment",
    "tikzpicture",
    "filecontents",
    "filecontents*",
)
_PLAIN_MATH = ("equation", "align", "gather", "multline", "eqnarray", "math", "displaymath", "flalign", "alignat")
MATH = frozenset((*_PLAIN_MATH, *(f"{name}*" for name in _PLAIN_MATH)))
ALIGNED = MATH | {"tabular", "tabular*", "tabularx", "array", "longtable", "matrix", "pmatrix", "bmatrix", "vmatrix", "smallmatrix",
                  "cases", "split", "aligned", "alignedat", "gathered", "dcases"}  # fmt: skip


def modes(name: str) -> str:
    """A letter for each argument: x is not printed, s is."""
    if is_fact(name):
        return fact_arguments(name)
    return "x" if CITING.fullmatch(name) else _MODES.get(name, "")


def is_fact(name: str) -> bool:
    r"""The macros for numbers that have a source: \fact and its siblings, and \lit."""
    return name == "lit" or name.startswith("fact")


def fact_arguments(name: str) -> str:
    return {
        "lit": "xx",
        "factverdict": "xx",
        "factdiff": "xxx",
        "factpct": "xxx",
        "factp": "xxx",
        "facttable": "xx",
    }.get(name, "x")
