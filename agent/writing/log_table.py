r"""What LaTeX's messages mean: a row holds a pattern, a sentence and what would pass. The first that fits is told.

In a sentence {1} is the pattern's first group, {last} what stood directly before the place, {command} the command whose
argument found no end, {character} the character of a code point. A new row needs a log in tests/writing/logs.
"""

from __future__ import annotations

import re

FACTS = "Package facts Error: "  # what facts.tex says of a reference to nothing
ERRORS: tuple[tuple[str, str, str], ...] = (
    (r"Undefined control sequence", "{last} is not defined", "take it out, or load the package that has it"),
    (r"Missing \$ inserted at a blank line", "math that was opened before this line is not closed", "close it; it may hold no blank line"),
    (r"Missing \$ inserted", "{last} is math and stands outside of $…$", "put it into $…$, or escape it"),
    (r"Too many \}'s|Extra \}", "a }} closes nothing", "take it out, or open it"),
    (r"Environment (.+) undefined", "environment {1} is not defined", "use another, or load the package that has it"),
    (r"\\begin\{(.+?)\} on input line (\d+) ended by \\end\{document\}", "\\begin{{{1}}} is never closed", "add \\end{{{1}}}"),
    (r"\\begin\{(.+?)\} on input line (\d+) ended by \\end\{(.+?)\}", "\\begin{{{1}}} of line {2} is ended by \\end{{{3}}}",
     "end it with \\end{{{1}}}"),
    (r"\\begin\{document\} ended by \\end\{(.+?)\}", "\\end{{{1}}} closes nothing that is open", "take it out, or add its \\begin"),
    (r"File `(.+?\.(?:sty|cls))' not found", "{1} is not installed", "do without it"),
    (r"File `(.+?)' not found", "there is no file {1}", "name one that exists"),
    (r"Double (subscript|superscript)", "a second {1} directly behind the first", "put braces around what belongs together"),
    (r"Misplaced alignment tab character &", "& outside of a table", "write \\&"),
    (r"Extra alignment tab", "a row has more & than its table has columns", "give the table more columns, or the row fewer"),
    (r"You can't use `macro parameter character #'", "unescaped #", "write \\#"),
    (r"Misplaced \\(?:noalign|omit)", "{last} stands in the middle of a row", "end the row before it with \\\\"),
    (r"Paragraph ended before \\(align|gather|multline|equation|flalign|eqnarray)\*?", "a blank line in {1}, or it is not closed",
     "take the blank line out"),
    (r"(?:File|Paragraph) ended (?:while scanning use of|before) (\\\S+?)(?: was complete)?\.?$",
     "the argument of {command} is never closed", "add the missing }}; it may hold no blank line"),
    (r"Bad math environment delimiter", "\\left without \\right, or delimiters that do not belong together", "close it as it was opened"),
    (r"Missing \\(?:right|left)\.? inserted|Extra \\(?:right|left)", "\\left without \\right", "close it in the same formula"),
    (r"Illegal unit of measure|Missing number", "a length lacks its number or unit, at {last}", "write it like 2mm"),
    (r"Unicode character .*?\(U\+([0-9A-F]+)\)", "the character {character} (U+{1}) cannot be typeset", "write the LaTeX command for it"),
    (r"Lonely \\item", "\\item outside of a list", "put it into itemize or enumerate"),
    (r"Missing \\begin\{document\}", "text before \\begin{{document}}", "move it behind"),
    (r"\\caption outside float", "\\caption outside of a figure or table", "put it into one"),
    (r"Option clash for package (\S+?)\.?$", "package {1} is loaded twice, with different options", "load it once"),
    (r"Command (\\\S+) already defined", "{1} is defined already", "choose another name, or \\renewcommand"),
    (r"\\verb illegal", "\\verb inside of an argument", "write \\texttt{{…}}"),
    (r"Something's wrong--perhaps a missing \\item", "a list without \\item", "begin it with \\item"),
    (r"TeX capacity exceeded|Maximum (?:logical )?loop|endless", "LaTeX runs in circles here", "take out what calls itself"),
    (r"You can't use `(.+?)' in", "{1} cannot stand here", "take it out"),
)  # fmt: skip
FOLLOWS = re.compile(  # only ever the echo of another error
    r"Missing (?:\\endgroup|\\cr|[{}]|\\right\.?|control sequence|number|#) inserted|Display math should end|Emergency stop|==>|"
    r"You can't use `(?:\\eqno|\\hrule|\\end|\\noalign|\\prevdepth)|That makes 100 errors|Argument of .* has an extra|Extra }, or forgotten"
)
ON_ONE_LINE = ("Undefined control sequence", "Unicode character", FACTS)  # a second one on a line is one of its own
