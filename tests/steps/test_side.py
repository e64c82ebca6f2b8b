"""Plots, probes and LaTeX, run for real in each tier: what they are for works, and what a hostile one tries does not."""

import dataclasses
import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from agent.core.job import Limits
from agent.runners import folder, tex, tiers
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner
from agent.steps import side as module
from agent.steps.side import Side, images, lay_out, paper, plot, probe, results, typeset
from tests.runners.attempts import ended

pytestmark = pytest.mark.slow
TIERS = ["bwrap", "landlock"]
FOLDERS = fingerprint((sys.executable,)).folders
PLOT = """
import json, pathlib
import matplotlib.pyplot as plt
labels = {"run_0": "baseline", "run_1": "mine"}
means = {label: json.loads(pathlib.Path(run, "final_info.json").read_text())["fit"]["means"]["mse"] for run, label in labels.items()}
plt.bar(list(means), list(means.values()))
plt.ylabel("error, $\\\\mu \\\\pm \\\\sigma$")
plt.savefig("errors.png")
plt.savefig("errors.pdf")
print(sorted(str(path) for path in pathlib.Path().rglob("*")))
"""
TRIED = """
import os, pathlib, socket
def tried(what, function, *arguments):
    try:
        function(*arguments)
        print("DONE", what)
    except OSError as error:
        print("refused", what)
"""
HOSTILE = (
    TRIED
    + """
study, home, port = pathlib.Path({study!r}), pathlib.Path({home!r}), {port}
tried("sealed", (study / "harness/heldout/labels.txt").read_text)
tried("journal", (study / ".study/journal.jsonl").read_text)
tried("home", (home / "token").read_text)
tried("results", (study / "run_0/final_info.json").write_text, "better")
tried("other files", (study / "run_2").mkdir)
tried("own job", (study / ".study/attempts/plot-try-1/job.json").write_text, "x")
tried("network", socket.create_connection, ("127.0.0.1", port), 2)
"""
)
CLEAN = r"\documentclass{article}\begin{document}See \ref{a}. \section{A}\label{a} $x^2$ \end{document}"
TEX = r"""\documentclass{article}
\newread\file \newwrite\out
\def\try#1#2{\openin\file=#2\relax
  \ifeof\file \typeout{refused #1}\else \read\file to\line \typeout{DONE #1 \meaning\line}\fi \closein\file}
\begin{document}
\immediate\write18{echo shell > shell.txt}
\immediate\write18{cp HOME/token.tex stolen.txt}
\immediate\write18{echo x > STUDY/run_0/written.tex}
\try{passwd}{/etc/passwd}
\try{sealed}{STUDY/harness/heldout/labels.txt}
\try{home}{HOME/token.tex}
\immediate\openout\out=STUDY/run_0/written.tex \immediate\write\out{x}\immediate\closeout\out
x\end{document}
"""


@pytest.fixture(params=TIERS)
def tier(request):
    found = tiers.probe(request.param)
    if not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    return request.param


@pytest.fixture
def study(tmp_path):
    """A study with runs, sealed data and a journal, beside a home with a token."""
    root = tmp_path / "study"
    for name, text in {
        "harness/heldout/labels.txt": "the labels", ".study/journal.jsonl": "{}", ".git/HEAD": "x",
        "run_0/final_info.json": '{"fit": {"means": {"mse": 0.5}}}', "run_1/final_info.json": '{"fit": {"means": {"mse": 0.4}}}',
        "run_1/weights.txt": "1 2 3", "../home/token.tex": "hf-token", "../home/token": "hf-token",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root.resolve()


def place(study, tier, kind):
    return Side(study / ".study" / "attempts" / f"{kind}-try-1", (sys.executable,), FOLDERS, tier)


def ran(side, job):
    """The outcome, and all that it printed."""
    folder.write_job(side.attempt, job)
    LocalRunner().start(side.attempt)
    outcome = ended(side.attempt, 100.0)
    return outcome, "".join(
        (side.attempt / name).read_text("utf-8", "replace") for name in ("stdout.log", "stderr.log")
    )


@pytest.fixture
def port():
    """A service on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# ---- plots


def test_an_honest_plot_reads_results_and_leaves_images(study, tier):
    side = place(study, tier, "plot")
    (study / "run_1" / "final_info.json").rename(study / "run_1" / "real.json")
    (study / "run_1" / "final_info.json").write_text((study / "run_1" / "real.json").read_text())
    lay_out(side, {"plot.py": PLOT.encode(), **results(study, ["run_0", "run_1", "run_7"])})
    outcome, said = ran(side, plot(side))
    assert outcome.ok, (outcome, said)
    assert (
        "['errors.pdf', 'errors.png', 'plot.py', 'run_0', 'run_0/final_info.json', 'run_1', 'run_1/final_info.json']"
        in said
    )
    assert [path.name for path in images(side)] == ["errors.pdf", "errors.png"]
    assert (side.scratch / "errors.png").read_bytes().startswith(b"\x89PNG")
    assert "warning" not in said.lower()  # of matplotlib, about folders for fonts and caches
    assert not list(Path.home().glob(".cache/matplotlib/*-sandbox*"))


def test_a_hostile_plot_reaches_nothing(study, tier, port):
    code = HOSTILE.format(study=str(study), home=str(study.parent / "home"), port=port)
    side = place(study, tier, "plot")
    lay_out(side, {"plot.py": code.encode()})
    outcome, said = ran(side, plot(side))
    assert outcome.ok, said
    assert not any(f"DONE {what}" in said for what in ("sealed", "journal", "home", "results", "network")), said
    assert not (study / "run_2").exists()  # in bubblewrap there is another folder of that name, its own
    assert "plot.py" in (side.attempt / "job.json").read_text()
    assert json.loads((study / "run_0/final_info.json").read_text()) == {"fit": {"means": {"mse": 0.5}}}


def test_the_same_plot_gets_through_without_a_sandbox(study, port):
    code = HOSTILE.format(study=str(study), home=str(study.parent / "home"), port=port)
    side = place(study, "none", "plot")
    lay_out(side, {"plot.py": code.encode()})
    _, said = ran(side, plot(side))
    assert "refused" not in said and said.count("DONE") == 7, said


def test_only_plain_images_are_taken(study):
    side = place(study, "none", "plot")
    lay_out(side, {"plot.py": b"", "a.png": b"x", "b.txt": b"x", "deeper/c.png": b"x"})
    (side.scratch / "link.png").symlink_to("/etc/passwd")
    (side.scratch / "folder.png").mkdir()
    os.mkfifo(side.scratch / "pipe.png")
    with (side.scratch / "large.png").open("wb") as file:
        file.truncate(module._LARGEST_IMAGE + 1)
    assert [path.name for path in images(side)] == ["a.png"]


def test_a_results_file_that_is_none_is_not_laid_out(study):
    (study / "run_0/final_info.json").unlink()
    (study / "run_0/final_info.json").symlink_to("/etc/passwd")
    assert list(results(study, ["run_0", "run_1", "run_9"])) == ["run_1/final_info.json"]


def test_a_plot_gets_the_curves_and_of_confirmed_runs_the_fresh_results(study):
    for name in ("run_1/training_seed_0.json", "run_1/training.txt", "run_1/confirm/final_info.json",
                 "run_1/confirm/training_seed_7.json", "run_0/training_seed_1.json"):  # fmt: skip
        (study / name).parent.mkdir(exist_ok=True)
        (study / name).write_text(f'"{name}"')
    (study / "run_0/training_seed_2.json").symlink_to("/etc/passwd")
    first = results(study, ["run_0", "run_1"])
    assert list(first) == [
        "run_0/final_info.json",
        "run_0/training_seed_1.json",
        "run_1/final_info.json",
        "run_1/training_seed_0.json",
    ]
    fresh = results(study, ["run_0", "run_1"], {"run_1"})
    assert fresh["run_1/final_info.json"] == b'"run_1/confirm/final_info.json"'
    assert [name for name in fresh if name.startswith("run_1")] == [
        "run_1/final_info.json",
        "run_1/training_seed_7.json",
    ]
    assert fresh["run_0/final_info.json"] == first["run_0/final_info.json"]


def test_curves_are_not_taken_through_a_folder_that_is_a_link(study, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in ("training.json", "final_info.json"):
        (tmp_path / "elsewhere" / name).write_text("secret")
    (study / "run_1/confirm").symlink_to(tmp_path / "elsewhere")
    (study / "run_2").symlink_to(tmp_path / "elsewhere")
    assert results(study, ["run_1", "run_2"], {"run_1"}) == {}


@pytest.mark.parametrize("name", ["../outside", "/etc/x", "a/../../b"])
def test_nothing_is_laid_out_beside_the_folder(study, name):
    with pytest.raises(ValueError, match="no name below a folder"):
        lay_out(place(study, "none", "plot"), {name: b"x"})


# ---- probes


def test_a_probe_reads_all_runs_but_nothing_sealed_and_writes_its_folder(study, tier, port):
    code = TRIED + (
        f"study = pathlib.Path({str(study)!r})\n"
        "tried('weights', (study / 'run_1/weights.txt').read_text)\n"
        "import sys; tried('own folder', pathlib.Path(sys.argv[1], 'probes.json').write_text, '{}')\n"
        "print('hidden things:')\n"
        "tried('sealed', (study / 'harness/heldout/labels.txt').read_text)\n"
        "tried('git', (study / '.git/HEAD').read_text)\n"
        "tried('journal', (study / '.study/journal.jsonl').read_text)\n"
        "tried('results', (study / 'run_1/final_info.json').write_text, 'x')\n"
        f"tried('network', socket.create_connection, ('127.0.0.1', {port}), 2)\n"
    )
    (study / "harness/probe.py").write_text(code)
    side = place(study, tier, "probe")
    lay_out(side, {})
    words = ("-m", "harness.probe", str(side.scratch))
    outcome, said = ran(side, probe(side, words, study, ["harness/heldout"], (), Limits(), 60.0))
    assert outcome.ok, said
    allowed, _, forbidden = said.partition("hidden things:")
    assert allowed.count("DONE") == 2 and "refused" not in allowed, said
    assert forbidden.count("refused") == 5 and "DONE" not in forbidden, said
    assert (side.scratch / "probes.json").read_text() == "{}"


# ---- LaTeX: these need pdflatex, and fail without it (`make system`)


def tex_of(study, text):
    return {"paper.tex": text.replace("HOME", str(study.parent / "home")).replace("STUDY", str(study)).encode()}


def test_an_honest_paper_becomes_a_pdf_with_its_references(study, tier):
    side = place(study, tier, "tex")
    lay_out(side, tex_of(study, CLEAN))
    outcome, said = ran(side, typeset(side, "paper.tex", tex.folders()))
    assert outcome.ok, (outcome, said)
    assert (side.scratch / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert "undefined references" not in said.split("This is pdfTeX")[-1]


def test_a_hostile_paper_reads_and_writes_and_starts_nothing(study, tier):
    side = place(study, tier, "tex")
    lay_out(side, tex_of(study, TEX))
    _, said = ran(side, typeset(side, "paper.tex", tex.folders()))
    assert "DONE" not in said and said.count("refused") == 3, said
    assert not (side.scratch / "shell.txt").exists() and not (side.scratch / "stolen.txt").exists()
    assert not (study / "run_0/written.tex").exists()


def test_latexmk_works_in_each_tier_and_reads_no_latexmkrc(study, tier):
    """A latexmkrc is a program in Perl, and the coder might write one."""
    side = place(study, tier, "tex")
    bib = b"@misc{good, author={Good, A.}, title={T}, year={2020}}"
    text = CLEAN.replace("$x^2$", r"\cite{good}\bibliographystyle{plain}\bibliography{refs}")
    rc = b"open(my $f, '>', 'ran.txt'); print $f 'x'; close($f);"
    lay_out(side, {**tex_of(study, text), "refs.bib": bib, "latexmkrc": rc, ".latexmkrc": rc})
    outcome, said = ran(side, paper(side, "paper.tex", tex.folders()))
    assert outcome.ok, (outcome, said)
    log = (side.scratch / "paper.log").read_text("utf-8", "replace")
    assert "undefined" not in log and (side.scratch / "paper.bbl").exists() and not (side.scratch / "ran.txt").exists()


@pytest.mark.parametrize("command", ["paper", "strict"])
def test_a_hostile_paper_gets_no_further_by_latexmk_or_the_strict_pass(study, tier, command):
    side = place(study, tier, "tex")
    lay_out(side, tex_of(study, TEX))
    job = paper(side, "paper.tex", tex.folders(), facts=True)
    ran(side, dataclasses.replace(job, commands=tuple(one for one in job.commands if one.name == command)))
    said = (side.scratch / f"{command}.log").read_text("utf-8", "replace")
    assert "DONE" not in said and said.count("refused") >= 3, said
    assert not (side.scratch / "shell.txt").exists() and not (study / "run_0/written.tex").exists()


def test_what_tex_itself_would_allow_the_sandbox_still_refuses(study, tier):
    """As if its own settings had been got round: programs run, but they are in the sandbox, too."""
    job, side = unguarded(study, tier)
    _, said = ran(side, job)
    assert (side.scratch / "shell.txt").exists()
    assert "DONE home" not in said and "DONE sealed" not in said and not (side.scratch / "stolen.txt").exists()
    assert not (study / "run_0/written.tex").exists()


def test_the_same_paper_gets_through_without_either(study):
    job, side = unguarded(study, "none")
    _, said = ran(side, job)
    assert said.count("DONE") == 3 and "hf-token" in said and "the labels" in said, said
    assert (side.scratch / "stolen.txt").read_text() == "hf-token" and (study / "run_0/written.tex").exists()


def unguarded(study, tier):
    side = place(study, tier, "tex")
    lay_out(side, tex_of(study, TEX))
    job = typeset(side, "paper.tex", tex.folders(), passes=1)
    (command,) = job.commands
    argv = tuple("-shell-escape" if word == "-no-shell-escape" else word for word in command.argv)
    env = {**job.env, "openin_any": "a", "openout_any": "a", "shell_escape": "t"}
    return dataclasses.replace(job, commands=(dataclasses.replace(command, argv=argv),), env=env), side


def test_the_folders_of_tex_are_there():
    assert shutil.which("pdflatex"), "LaTeX is not installed: `make system`"
    assert any("texmf" in path or "texlive" in path for path in tex.folders())
