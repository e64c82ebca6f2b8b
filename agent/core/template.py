"""The template: a folder with an experiment that a coder may change, described by template.toml.

Unknown keys are errors and all errors come together. A template without template.toml is read by `classic`.
What is not editable is frozen. Names are paths relative to the template, with `/`.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agent.core import prefetch
from agent.core.errors import InputProblem
from agent.core.file_names import globbed
from agent.core.text import did_you_mean, seconds
from agent.core.validation import Number, Strict, Whole, validate

ALWAYS_EDITABLE = ("notes/*.txt",)
NOT_THE_EXPERIMENT = ("plot.py", "probes.py", "notes/*", "notes.txt", "latex/*")  # changing these starts no run
OUTPUTS = ("run_*", "figures", ".study", ".git", "__pycache__")  # top-level names that a study makes itself

Seconds = Annotated[float, BeforeValidator(seconds)]


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+", value):
        raise ValueError("a name may hold lower-case letters, digits and underscores only")
    return value


def _inside(value: str) -> str:
    if value.startswith(("/", "~")) or ".." in value.split("/") or "\\" in value or not value:
        raise ValueError("a path must lie inside the template")
    return value


def _command(value: str) -> str:
    if not value:
        return value
    if "{out_dir}" not in value:
        raise ValueError("there is no {out_dir} in it")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"it cannot be split into words: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if not words[0]:
        raise ValueError("its first word is empty")
    return value


def _place(value: str) -> str:
    if value:
        prefetch.split(value)
    return value


Name = Annotated[str, AfterValidator(_name)]
Inside = Annotated[str, AfterValidator(_inside)]
CommandLine = Annotated[str, AfterValidator(_command)]


class Metric(Strict):
    label: str = ""
    direction: Literal["up", "down", "none"] = "none"
    role: Literal["primary", "constraint", "diagnostic", "cost"] = "diagnostic"
    tolerance: Number | None = Field(default=None, gt=0)
    min_effect: Number = Field(default=0.0, ge=0)
    target: Number | None = None
    digits: Whole = Field(default=4, ge=0, le=12)
    optional: bool = False  # a run may lack it, though the baseline has it

    @model_validator(mode="after")
    def _constraints_have_a_tolerance(self) -> Metric:
        if self.role == "constraint" and self.tolerance is None:
            raise ValueError("a constraint needs a tolerance around the baseline's value")
        return self


class Baseline(Strict):
    name: Name
    env: dict[str, str] = {}


class Seeds(Strict):
    baseline: Whole = Field(default=1, ge=1)
    screen: Whole = Field(default=1, ge=1)
    confirm: Whole = Field(default=5, ge=1)


class Smoke(Strict):
    env: dict[str, str] = {}
    timeout: Seconds = 60.0


class Resources(Strict):
    memory_gb: Number | None = Field(default=None, gt=0)
    disk_gb: Number | None = Field(default=None, gt=0)
    files: Whole = Field(default=200_000, gt=0)
    processes: Whole | None = Field(default=None, gt=0)
    cpus: Whole | None = Field(default=None, gt=0)
    gpus: Whole = Field(default=0, ge=0)


class Profile(Strict):
    env: dict[str, str] = {}
    timeout: Seconds = 600.0
    seeds: Seeds = Seeds()
    seed_jobs: Literal["inside", "per-job"] = "inside"
    smoke: Smoke | None = None
    stall: Seconds | None = None  # a run that reports progress and then none for this long is ended
    needs: tuple[str, ...] = ()
    limits: Resources = Resources()
    network: Literal["none", "hub"] = "none"
    data: tuple[str, ...] = ()


class Environment(Strict):
    python: str = ""
    uv: str = ""
    wrapper: tuple[str, ...] = ()
    prefetch: Annotated[str, AfterValidator(_place)] = ""

    @model_validator(mode="after")
    def _one_interpreter(self) -> Environment:
        if sum(map(bool, (self.python, self.uv, self.wrapper))) > 1:
            raise ValueError("give one of python, uv and wrapper")
        return self


class Template(Strict):
    name: Name
    title: str = ""
    task: str = ""
    command: CommandLine = Field(min_length=1)
    editable: tuple[Inside, ...] = Field(min_length=1)
    context: tuple[Inside, ...] = ()
    primary: str = ""
    evaluate: CommandLine = ""
    sealed: tuple[Inside, ...] = ()
    probe: CommandLine = ""  # measures probes.py on what all runs have saved, into {out_dir}/probes.json
    environment: Environment = Environment()
    profiles: dict[Name, Profile] = Field(default={"default": Profile()}, min_length=1)
    metrics: dict[str, Metric] = {}
    baselines: tuple[Baseline, ...] = (Baseline(name="baseline"),)
    classic: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _whole(self) -> Template:
        names = [b.name for b in self.baselines]
        problems = [f'baselines: "{n}" stands twice' for n in sorted({n for n in names if names.count(n) > 1})]
        if not names:
            problems.append("baselines: at least one is needed")
        if self.primary and self.metrics and self.primary not in self.metrics:
            problems.append(
                f'primary: "{self.primary}" is not under [metrics]{did_you_mean(self.primary, self.metrics)}'
            )
        problems += [
            f'metrics: "{m}" must be FAMILY.METRIC' for m in self.metrics if not re.fullmatch(r"[\w-]+(\.[\w.*-]+)+", m)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def may_edit(self, path: str) -> bool:
        return globbed(path, (*self.editable, *ALWAYS_EDITABLE))

    def profile(self, name: str = "") -> tuple[str, Profile]:
        chosen = name or next(iter(self.profiles))
        if chosen not in self.profiles:
            raise InputProblem(
                f'template {self.name} has no profile "{chosen}"{did_you_mean(chosen, self.profiles)}',
                f"Choose one with -p: {', '.join(self.profiles)}.",
            )
        return chosen, self.profiles[chosen]

    def metric(self, identity: str) -> Metric:
        """By its name, else by the first pattern (`FAMILY.*`) that fits."""
        patterns = (name for name in self.metrics if "*" in name and fnmatch.fnmatchcase(identity, name))
        return self.metrics.get(identity) or self.metrics.get(next(patterns, "")) or Metric()

    def label(self, identity: str) -> str:
        """What people read: the metric's own label, or else "probes: temporal consistency" for probes.temporal_consistency."""
        if identity in self.metrics and self.metrics[identity].label:
            return self.metrics[identity].label
        family, _, name = identity.partition(".")
        parts = (self.metric(identity).label or family, name)
        return ": ".join(re.sub(r"[._\s]+", " ", part).strip() for part in parts if part)

    def baseline_run(self, name: str) -> str:
        """run_0 for the first baseline, run_0_<name> for the others."""
        names = [b.name for b in self.baselines]
        if name and name not in names:
            raise InputProblem(
                f'template {self.name} has no baseline "{name}"{did_you_mean(name, names)}',
                f"Correct Baseline in the idea; the template has {', '.join(names)}.",
            )
        return "run_0" if not name or name == names[0] else f"run_0_{name}"

    def baseline_of(self, run: str) -> str:
        """ "baseline sgd" for run_0 of a template whose first baseline is called sgd."""
        names = [b.name for b in self.baselines if self.baseline_run(b.name) == run]
        return f"baseline {names[0]}" if names and names[0] != "baseline" else "baseline"

    def trust(self, files: tuple[str, ...], hides: bool = False) -> tuple[int, str]:
        """The trust level (CONTRACTS) and why. `hides`: the sandbox in use can hide the sealed files."""
        frozen_code = [f for f in files if f.endswith(".py") and not self.may_edit(f)]
        if self.classic or not frozen_code:
            return 0, "self-scored: the coder edits the file that computes the score"
        why = "sealed evaluation code: the harness is frozen and checked before and after each run"
        if not self.evaluate:
            return 1, why
        if not self.sealed:
            return 1, f"{why}; evaluate is a job of its own, and nothing is sealed from the experiment"
        if not hides:
            return (
                1,
                f"{why}; evaluate is a job of its own, but without a sandbox the experiment can read the sealed files",
            )
        return (
            2,
            "re-scored from what the experiment saved, by a job of its own with data that the experiment cannot read",
        )


def is_experiment(path: str) -> bool:
    """Whether a change of this editable file can change what a run measures."""
    return not any(fnmatch.fnmatchcase(path, pattern) for pattern in NOT_THE_EXPERIMENT)


def parse_template(data: dict[str, Any], origin: str) -> Template:
    """`data` as read from template.toml. Raises InputProblem with every problem found."""
    result = validate(Template, data)
    if isinstance(result, list):
        raise InputProblem(f"{origin} is not a usable template", "Correct the keys named here.", result)
    return result


def classic(name: str, prompt: dict[str, Any]) -> Template:
    """A template of the classic layout: no roles, no directions, one seed, the coder edits what scores it."""
    return Template(
        name=re.sub(r"[^a-z0-9_]+", "_", name.lower()) or "classic",
        task="\n\n".join(str(prompt[key]) for key in ("system", "task_description") if prompt.get(key)),
        command="python experiment.py --out_dir={out_dir}",
        editable=("experiment.py", "plot.py", "latex/**"),
        classic=True,
    )
