"""facts.tex compiles wherever a number may stand, and prints there what the facts say."""

import json
import re
import shutil
import subprocess

import pypdfium2
import pytest

from agent.core.facts import facts_of
from agent.writing.facts_tex import facts_tex
from tests.core.facts import study

needs_tex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex on this machine")
EVERYWHERE = r"""
\documentclass[twoside]{article}\pagestyle{headings}
\usepackage{booktabs,amsmath}
\usepackage[bookmarks]{hyperref}
\input{facts}
\title{Title \fact{run_2.core.kl_nats}}
\author{Nobody\thanks{Thanks \factn{run_2}}}
\begin{document}
\maketitle\tableofcontents\listoftables
\section{Section \factpm{run_2.core.kl_nats}, \factdiff{run_2}{run_0}{core.kl_nats}, \fact{run_6.own.tiny}}
Text \fact{run_1.core.kl_nats}. Math $x=\fact{run_6.own.delta}$, index $a_{\fact{run_2/first.core.kl_nats}}$.
P \factp{run_2}{run_0}{core.kl_nats}. Interval \factci{run_6.own.near_zero}. Percent \factpct{run_2}{run_0}{core.kl_nats}.
Kind \factconf{run_2.training.kind}. Model \factstudy{model}. The run \factverdict{run_2}{core.kl_nats} it. Level \lit{0.05}{usual}.
Alias \fact{run_0_topk.core.kl_nats}. Words \MakeUppercase{u \fact{run_0/first.core.kl_nats}}.
\begin{table}\caption{Caption \factsd{run_1.core.kl_nats}}\label{t}
\begin{tabular}{lr}\toprule \textbf{b} & \textbf{\fact{run_7.core.kl_nats}}\\\bottomrule\end{tabular}
\facttable{run_0,run_2, run_3}{core.kl_nats}
\end{table}
\begin{table}\caption{Made by TeX}
\facttable{run_0, run_1,run_3}{core.kl_nats, core.l1}
\end{table}
\begin{align} y &= \fact{run_6.own.delta}\pm\factsd{run_1.core.kl_nats} \end{align}
Footnote\footnote{Foot \fact{run_6.own.huge}.}. Unknown \fact{run_77.core.kl_nats}!
\newpage x\newpage y
\end{document}
"""
TABLES = (r"\facttable{run_0,run_2, run_3}{core.kl_nats}",)


@pytest.fixture(scope="module")
def made():
    return facts_tex(facts_of(study.state(), study.template(), study.sources()), TABLES)


def typeset(folder, facts, document, passes=2):
    (folder / "facts.tex").write_text(facts)
    (folder / "paper.tex").write_text(document.lstrip())
    argv = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "paper.tex"]
    for _ in range(passes):
        done = subprocess.run(argv, cwd=folder, capture_output=True, timeout=60)
        if done.returncode:
            break
    return done.returncode, done.stdout.decode("utf-8", "replace")


def text_of(folder):
    pdf = pypdfium2.PdfDocument(folder / "paper.pdf")
    pages = " ".join(page.get_textpage().get_text_range() for page in pdf)
    return re.sub(r"\s+", " ", pages), [one.get_title() for one in pdf.get_toc()]


@needs_tex
@pytest.mark.slow
def test_values_stand_in_text_math_titles_captions_footnotes_tables_and_bookmarks(tmp_path, made):
    code, log = typeset(tmp_path, made, EVERYWHERE)
    assert code == 0, log[-2000:]
    text, bookmarks = text_of(tmp_path)
    expected = (
        "Title 0.2321", "Thanks 5", "Text 0.2512", "x = −0.0012", "P < 0.001", "Interval [−0.0018, 0.0026]", "Percent −7.6 %",
        "Model some/model", "The run improves on it", "Level 0.05", "Alias 0.2511", "U 0.2507", "Caption 0.0020",
        "y = −0.0012 ± 0.0020", "Unknown ??!", "b 0.2721", "Foot 1.235×108",
    )  # fmt: skip
    assert [words for words in expected if words not in text] == []
    assert (
        text.count("Section 0.2321 ± 0.0004, −0.0190, 1.25×10") >= 2
    )  # above the section and in the table of contents
    assert "SECTION 0.2321 ± 0.0004, −0.0190, 1.25×10" in text  # at the head of a page
    assert bookmarks == ["Section 0.2321 ± 0.0004, -0.0190, 1.25e-7"]
    assert text.count("??") == 1
    assert text.count("not comparable with the baseline") == 2  # in the marked table and in the one that TeX has made
    assert "run 1 0.2512 ± 0.0012 2.5213 ± 0.0064" in text
    assert text.count("run 0 (topk), fresh seeds 0.2511 ± 0.0003") == 2


NINE = (
    "core.kl_nats,core.explained_variance,core.mse,core.l0,token_probing.top_5,synthetic.mcc,synthetic.f1,training.tokens,"
    "training.seconds"
)
TEN = "run_0,run_0_jumprelu,run_1,run_2,run_3,run_5,run_6,run_7,run_8,run_9"
WIDE = (
    f"\\facttable{{run_0,run_1,run_2}}{{{NINE}}}",
    f"\\facttable{{{TEN}}}{{core.kl_nats,core.explained_variance,synthetic.mcc,core.mse}}",
)


@needs_tex
@pytest.mark.slow
@pytest.mark.parametrize("texts", [WIDE, ()], ids=["made for the paper", "made by TeX"])
@pytest.mark.parametrize("options", ["11pt", "11pt,twocolumn"])
def test_a_table_of_many_metrics_or_runs_is_no_wider_than_its_column(tmp_path, options, texts):
    document = (
        f"\\documentclass[{options}]{{article}}\\usepackage{{booktabs,graphicx}}\\def\\factstrict{{}}\\input{{facts}}\n"
        f"\\begin{{document}}\n\\begin{{table}}\\centering {WIDE[0]}\\end{{table}}\n\\begin{{table}}\\centering {WIDE[1]}\\end{{table}}\n"
        f"\\begin{{table*}}\\resizebox{{\\linewidth}}{{!}}{{{WIDE[0]}}}\\end{{table*}}\n\\end{{document}}\n"
    )
    made = facts_tex(facts_of(study.state(), study.template(), study.sources()), texts)
    code, log = typeset(tmp_path, made, document, 1)
    assert code == 0 and "Overfull" not in log, log[-2000:]
    text, _ = text_of(tmp_path)
    assert text.count("metric run 0 (topk)") == 2  # turned, in the first and in the third
    assert "Synthetic world: cosine to the true directions ↑" in text and "0.2512 ± 0.0012" in text


@needs_tex
@pytest.mark.slow
def test_a_table_that_fits_stays_as_it_is_with_each_head_in_one_line(tmp_path, made):
    document = f"\\documentclass{{article}}\\input{{facts}}\\begin{{document}}\\mbox{{{TABLES[0]}}}\\end{{document}}"
    code, _ = typeset(tmp_path, made, document, 1)
    page = pypdfium2.PdfDocument(tmp_path / "paper.pdf")[0].get_textpage().get_text_range()
    assert code == 0 and "run KL with SAE (nats per token) ↓" in page, page


@needs_tex
@pytest.mark.slow
def test_an_unknown_fact_is_an_error_with_file_line_and_name_in_a_strict_build(tmp_path, made):
    document = "\\documentclass{article}\\def\\factstrict{}\n\\input{facts}\n\\begin{document}\n%s\n\\end{document}\n"
    code, log = typeset(
        tmp_path, made, document % r"a \fact{run_2.core.kl_nats} b \facttable{run_0,run_1}{core.mse}", 1
    )
    assert code == 0, log[-2000:]  # without any package, booktabs too
    assert "a 0.2321 b" in text_of(tmp_path)[0]
    code, log = typeset(tmp_path, made, document % r"a \fact{run_2.core.kl_natz} b", 1)
    assert code and "paper.tex:4: Package facts Error: Unknown fact: run_2.core.kl_natz" in log.replace("\n", "")


@needs_tex
@pytest.mark.slow
@pytest.mark.parametrize("wrong", [r"\factsd{run_5.core.kl_nats}", r"\factp{run_1}{run_2}{core.kl_nats}",
                                   r"\factverdict{run_0}{core.mse}", r"\facttable{run_0,run_22}{core.mse}",
                                   r"\factstudy{runz}", r"\factconf{run_2.training.lr}"])  # fmt: skip
def test_what_the_facts_do_not_say_tex_does_not_say_either(tmp_path, made, wrong):
    head = r"\documentclass{article}\def\factstrict{}\input{facts}\begin{document}"
    code, log = typeset(tmp_path, made, f"{head}{wrong}\\end{{document}}", 1)
    assert code and "Unknown fact" in log


@needs_tex
@pytest.mark.slow
def test_any_setting_and_label_can_be_typeset(tmp_path):
    odd = "".join(map(chr, [*range(32, 127), *range(160, 256)])) + "\n\n\t€ 漢 − ± × → …"
    changed = json.loads(study.texts()["run_2"])
    changed["training"]["config"]["odd"] = odd
    template = study.template()
    metrics = {**template.metrics, "core.kl_nats": template.metric("core.kl_nats").model_copy(update={"label": odd})}
    facts = facts_of(
        study.state(), template.model_copy(update={"metrics": metrics}), study.sources({"run_2": json.dumps(changed)})
    )
    document = r"""
\documentclass{article}\def\factstrict{}\input{facts}\begin{document}
Odd \factconf{run_2.training.odd} end. \facttable{run_0,run_2}{core.kl_nats}
\end{document}
"""
    code, log = typeset(tmp_path, facts_tex(facts), document, 1)
    assert code == 0, log[-2000:]
    assert "end." in text_of(tmp_path)[0]


def _has_siunitx():
    found = shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True).stdout
    return bool(found)


@needs_tex
@pytest.mark.slow
@pytest.mark.skipif(not _has_siunitx(), reason="no siunitx on this machine")
def test_values_stand_in_number_columns_of_siunitx(tmp_path, made):
    document = r"""
\documentclass{article}\usepackage{siunitx}\input{facts}\begin{document}
\begin{tabular}{S[table-format=-1.4]S}{x}&{y}\\\fact{run_6.own.delta}&\fact{run_2.core.kl_nats}\\\end{tabular}
Then \num{\fact{run_6.own.delta}} and \num{\factpm{run_2.core.kl_nats}}.
\end{document}
"""
    code, log = typeset(tmp_path, made, document, 1)
    assert code == 0, log[-2000:]
    assert "x y −0.0012 0.2321 Then −0.0012 and 0.2321(4)." in text_of(tmp_path)[0]


def test_every_run_every_metric_and_every_pair_is_there(made):
    state = study.state()
    good = [run for run in state.runs.values() if run.status == "good"]
    for run in good:
        block = made.split(f"\\facts@of{{{run.name}}}\n")[1].split("\\facts@of")[0]
        assert all(f"\\facts@value{{{metric}}}" in block for metric in run.metrics)
    pairs = re.findall(r"\\facts@pair\{(\w+)\}\{(\w+)\}", made)
    assert {(a.name, b.name) for a in good for b in good if a is not b} <= set(pairs)
    assert all(f"{{s:{key}}}" in made for key in ("runs", "cost_usd", "hours"))


def test_a_table_that_is_wrong_is_left_to_tex(made):
    facts = facts_of(study.state(), study.template(), study.sources())
    assert "facts@put{t:" in made
    assert "facts@put{t:" not in facts_tex(facts, [r"\facttable{run_0,run_99}{core.mse} % \facttable{run_0}{core.mse}"])


def test_a_results_file_that_was_changed_is_named():
    changed = study.texts()["run_6"].replace("0.2444", "0.2445")
    made = facts_tex(facts_of(study.state(), study.template(), study.sources({"run_6": changed})))
    assert re.search(r"% run_6/final_info.json: sha256 \w{16}, changed since it was measured\n", made)
    assert "{0.2445}" in made and made.count("changed since") == 1
