r"""The TeX half of facts.tex: what `\fact` and its siblings do with the values that agent.writing.facts_tex puts after it.

The macros that print a value are expandable, so that they can stand in text, math, captions, titles, footnotes, number columns
of siunitx and whatever writes its argument to a file; signs in a value are protected and know what they are in a bookmark.
A reference to nothing prints ?? and, where \factstrict is defined, is an error that names it. Needs e-TeX, which every LaTeX
of this century has, and no package; booktabs' rules are used where it is loaded.
"""

BEGIN = r"""\edef\factsrestore{\catcode64=\the\catcode64\relax}\catcode64=11\relax
% Signs in values.
\protected\def\factminus{\ensuremath{-}}
\protected\def\factplusminus{\ensuremath{\,\pm\,}}
\protected\def\factexponent#1{\ensuremath{\times10^{#1}}}
\protected\def\factless{\ensuremath{<\,}}
\protected\def\factmore{\ensuremath{>\,}}
\protected\def\factunknown#1{%
  \ifdefined\factstrict\PackageError{facts}{Unknown fact: #1}{This study has no such fact; correct the reference.}\fi%
  \textbf{??}}
% A value: {what holds it}{which of its parts}{what was asked for}.
\def\facts@pick#1#2#3{\ifcsname facts@#1\endcsname%
  \expandafter\expandafter\expandafter#2\csname facts@#1\endcsname{#3}\else\factunknown{#3}\fi}
\def\facts@show#1#2{\if\relax\detokenize{#1}\relax\factunknown{#2}\else#1\fi}
\def\facts@only#1#2{\facts@show{#1}{#2}}
\def\facts@mean#1#2#3#4#5#6#7{\facts@show{#1}{#7}}
\def\facts@pm#1#2#3#4#5#6#7{\facts@show{#2}{#7}}
\def\facts@ci#1#2#3#4#5#6#7{\facts@show{#3}{#7}}
\def\facts@sd#1#2#3#4#5#6#7{\facts@show{#4}{#7}}
\def\facts@n#1#2#3#4#5#6#7{\facts@show{#5}{#7}}
\def\facts@verdict#1#2#3#4#5#6#7{\facts@show{#6}{#7}}
\def\facts@diff#1#2#3#4{\facts@show{#1}{#4}}
\def\facts@pct#1#2#3#4{\facts@show{#2}{#4}}
\def\facts@p#1#2#3#4{\facts@show{#3}{#4}}
% What a text writes.
\def\fact#1{\facts@pick{v:\detokenize{#1}}\facts@mean{\detokenize{#1}}}
\def\factpm#1{\facts@pick{v:\detokenize{#1}}\facts@pm{\detokenize{#1}}}
\def\factci#1{\facts@pick{v:\detokenize{#1}}\facts@ci{\detokenize{#1}}}
\def\factsd#1{\facts@pick{v:\detokenize{#1}}\facts@sd{\detokenize{#1}}}
\def\factn#1{\ifcsname facts@n:\detokenize{#1}\endcsname\csname facts@n:\detokenize{#1}\endcsname%
  \else\facts@pick{v:\detokenize{#1}}\facts@n{\detokenize{#1}}\fi}
\def\factverdict#1#2{\facts@pick{v:\detokenize{#1.#2}}\facts@verdict{\detokenize{#1, #2}}}
\def\factdiff#1#2#3{\facts@pick{d:\detokenize{#1:#2:#3}}\facts@diff{\detokenize{#1, #2, #3}}}
\def\factpct#1#2#3{\facts@pick{d:\detokenize{#1:#2:#3}}\facts@pct{\detokenize{#1, #2, #3}}}
\def\factp#1#2#3{\facts@pick{d:\detokenize{#1:#2:#3}}\facts@p{\detokenize{#1, #2, #3}}}
\def\factconf#1{\facts@pick{c:\detokenize{#1}}\facts@only{\detokenize{#1}}}
\def\factstudy#1{\facts@pick{s:\detokenize{#1}}\facts@only{\detokenize{#1}}}
\def\lit#1#2{#1}
% A table: as it was made for the paper, or else one without marks, made here.
\protected\def\facttable#1#2{\ifcsname facts@t:\detokenize{#1:#2}\endcsname\csname facts@t:\detokenize{#1:#2}\endcsname%
  \else\facts@table{#1}{#2}\fi}
\def\facts@table#1#2{\begingroup%
  \def\facts@columns{l}\def\facts@head{run}\let\facts@body\@empty\let\facts@note\@empty%
  \@for\facts@metric:=#2\do{\facts@trim\facts@metric%
    \g@addto@macro\facts@columns{r}%
    \edef\facts@next{\noexpand\g@addto@macro\noexpand\facts@head{&\noexpand\facts@label{m:\facts@metric}{\facts@metric}}}\facts@next}%
  \@for\facts@run:=#1\do{\facts@trim\facts@run%
    \ifcsname facts@x:\facts@run\endcsname\global\let\facts@note\facts@dagger\fi%
    \edef\facts@next{\noexpand\g@addto@macro\noexpand\facts@body{\noexpand\facts@label{r:\facts@run}{\facts@run}}}\facts@next%
    \@for\facts@metric:=#2\do{\facts@trim\facts@metric%
      \edef\facts@next{\noexpand\g@addto@macro\noexpand\facts@body{&\noexpand\facts@cell{\facts@run.\facts@metric}}}\facts@next}%
    \g@addto@macro\facts@body{\\}}%
  \edef\facts@next{\noexpand\begin{tabular}{\facts@columns}}\facts@next%
  \toprule\facts@head\\\midrule\facts@body\bottomrule\facts@note\end{tabular}\endgroup}
\def\facts@dagger{\multicolumn{2}{l}{\footnotesize\textsuperscript{$\dagger$} not comparable with the baseline}\\}
\def\facts@trim#1{\edef#1{\detokenize\expandafter{#1}}\edef#1{\expandafter\zap@space#1 \@empty}}
\def\facts@label#1#2{\ifcsname facts@#1\endcsname\csname facts@#1\endcsname\else\factunknown{#2}\fi}
\def\facts@cell#1{\ifcsname facts@v:#1\endcsname\facts@pick{v:#1}\facts@pm{#1}\else--\fi}
\AtBeginDocument{\providecommand\toprule{\hline}\providecommand\midrule{\hline}\providecommand\bottomrule{\hline}%
  \ifdefined\sisetup\sisetup{input-signs=+-\mp\pm\factminus,input-uncertainty-signs=\pm\factplusminus}\fi%
  \ifdefined\pdfstringdefDisableCommands\pdfstringdefDisableCommands{%
    \def\factminus{-}\def\factplusminus{ \textpm\space}\def\factexponent#1{e#1}\def\factless{< }\def\factmore{> }%
    \def\factunknown#1{??}}\fi}
% How the values below are kept.
\def\facts@put#1#2{\expandafter\gdef\csname facts@\detokenize{#1}\endcsname{#2}}
\def\facts@of#1{\edef\facts@prefix{\detokenize{#1}}}
\def\facts@value#1#2#3#4#5#6#7{\expandafter\gdef%
  \csname facts@v:\facts@prefix.\detokenize{#1}\endcsname{{#2}{#3}{#4}{#5}{#6}{#7}}}
\def\facts@pair#1#2{\edef\facts@prefix{\detokenize{#1:#2}}}
\def\facts@change#1#2#3#4{\expandafter\gdef\csname facts@d:\facts@prefix:\detokenize{#1}\endcsname{{#2}{#3}{#4}}}
"""
