r"""The TeX half of facts.tex: what `\fact` and its siblings do with the values that agent.writing.facts_tex puts after it.

The macros that print a value are expandable, so that they can stand in text, math, captions, titles, footnotes, number columns
of siunitx and whatever writes its argument to a file; signs in a value are protected and know what they are in a bookmark.
A reference to nothing prints ?? and, where \factstrict is defined, is an error that names it. Needs e-TeX, which every LaTeX
of this century has, and no package; booktabs' rules are used where it is loaded. A table is made to fit the width of its line;
one that does not in the smallest letters is scaled where graphicx is loaded, and sticks out where it is not.
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
% A table: as it was made for the paper, or else one without marks, made here. With more metrics than runs it is made twice.
\protected\def\facttable#1#2{\ifcsname facts@t:\detokenize{#1:#2}\endcsname\csname facts@t:\detokenize{#1:#2}\endcsname%
  \else\facts@table{#1}{#2}\fi}
\def\facts@table#1#2{\begingroup%
  \let\facts@note\@empty\@tempcnta=0\relax%
  \@for\facts@next:=#2\do{\advance\@tempcnta by 1\relax}%
  \@for\facts@next:=#1\do{\advance\@tempcnta by -1\relax\facts@trim\facts@next%
    \ifcsname facts@x:\facts@next\endcsname\let\facts@note\facts@dagger\fi}%
  \facts@tabular\facts@upright{run}{#1}{r}{#2}{m}{\facts@row.\facts@column}%
  \let\facts@turned\@empty%
  \ifnum\@tempcnta>0\relax\facts@tabular\facts@turned{metric}{#2}{l}{#1}{r}{\facts@column.\facts@row}\fi%
  \facts@fitted\endgroup}
% {name}{corner}{rows}{what holds their labels}{columns}{what holds theirs}{what stands in a cell}
\def\facts@tabular#1#2#3#4#5#6#7{\gdef\facts@columns{l}\gdef\facts@heads{#2}\global\let\facts@body\@empty%
  \@for\facts@column:=#5\do{\facts@trim\facts@column\g@addto@macro\facts@columns{r}%
    \facts@add\facts@heads{&\noexpand\facts@top{\noexpand\facts@label{#6:\facts@column}{\facts@column}}}}%
  \@for\facts@row:=#3\do{\facts@trim\facts@row%
    \facts@add\facts@body{\noexpand\facts@side{\noexpand\facts@label{#4:\facts@row}{\facts@row}}}%
    \@for\facts@column:=#5\do{\facts@trim\facts@column\facts@add\facts@body{&\noexpand\facts@cell{#7}}}%
    \g@addto@macro\facts@body{\\}}%
  \edef#1{\noexpand\begin{tabular}{\facts@columns}\noexpand\toprule\unexpanded\expandafter{\facts@heads}\noexpand\\%
    \noexpand\midrule\unexpanded\expandafter{\facts@body}\noexpand\bottomrule\unexpanded\expandafter{\facts@note}%
    \noexpand\end{tabular}}}
\def\facts@add#1#2{\edef\facts@next{\noexpand\g@addto@macro\noexpand#1{#2}}\facts@next}
\def\facts@dagger{\multicolumn{2}{l}{\footnotesize\textsuperscript{$\dagger$} not comparable with the baseline}\\}
% The first of these that is no wider than the line: as it is; with heads in several lines; turned; smaller; errors below values; scaled.
\ifdefined\facts@box\else\newbox\facts@box\fi
\def\facts@fit#1#2{\begingroup\def\facts@upright{#1}\def\facts@turned{#2}\facts@fitted\endgroup}
\def\facts@fitted{\ifvmode\noindent\fi\let\facts@top\@firstofone\let\facts@side\@firstofone\let\facts@number\@firstofone\let\facts@break\space%
  \sbox\facts@box{\facts@upright}%
  \def\facts@top##1{\facts@lines br{##1}}%
  \facts@try\relax\facts@upright\facts@try\relax\facts@turned%
  \def\facts@side##1{\facts@lines tl{##1}}%
  \facts@try\relax\facts@upright\facts@try\relax\facts@turned%
  \facts@smaller\small{5}\facts@smaller\footnotesize{4}\facts@smaller\scriptsize{3}%
  \def\facts@number##1{{\def\factplusminus{\\\relax\ensuremath{\pm}\,}\facts@lines tr{##1}}}%
  \facts@smaller\footnotesize{4}\facts@smaller\scriptsize{3}%
  \ifdefined\resizebox\else\facts@smaller\tiny{2}\fi%
  \ifdim\wd\facts@box>\linewidth%
    \ifdefined\resizebox\resizebox{\linewidth}{!}{\usebox\facts@box}\else\usebox\facts@box\fi%
  \else\usebox\facts@box\fi}
\def\facts@smaller#1#2{\def\facts@size{\tabcolsep=#2pt\relax#1}%
  \facts@try\facts@size\facts@upright\facts@try\facts@size\facts@turned}
\def\facts@try#1#2{\ifdim\wd\facts@box>\linewidth\ifx#2\@empty\else\sbox\facts@box{#1#2}\fi\fi}
\def\facts@lines#1#2#3{{\def\facts@break{\\\relax}\begin{tabular}[#1]{@{}#2@{}}#3\end{tabular}}}
\let\facts@break\space
\def\facts@trim#1{\edef#1{\detokenize\expandafter{#1}}\edef#1{\expandafter\zap@space#1 \@empty}}
\def\facts@label#1#2{\ifcsname facts@#1\endcsname\csname facts@#1\endcsname\else\factunknown{#2}\fi}
\def\facts@cell#1{\ifcsname facts@v:#1\endcsname\facts@number{\facts@pick{v:#1}\facts@pm{#1}}\else--\fi}
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
