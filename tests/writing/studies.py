"""Studies for figures: of one, three and ten runs, with all that can come of a run, and with very small and large numbers."""

from agent.core import events as e
from agent.core.compare import Rules, Side, confirm, screen
from agent.core.fold import fold
from agent.core.measures import standard_error
from agent.core.result import Measure, Result
from tests.helpers import HEAD, asked, committed, created, ended, entries, failed, launched, opened, replied, template

METRICS = {
    "core.kl_nats": {"label": "KL with SAE (nats per token)", "direction": "down", "role": "primary", "digits": 4},
    "core.explained_variance": {"label": "Explained variance", "direction": "up", "role": "primary"},
    "synthetic.f1": {"label": "Synthetic world: F1 of the true features", "direction": "up", "role": "primary"},
    "core.l0": {"label": "L0: active latents per token", "role": "constraint", "tolerance": 1.6, "digits": 2},
    "training.tokens": {"label": "Training tokens", "role": "constraint", "tolerance": 1.0, "digits": 0},
    "training.seconds": {"label": "Training time (s)", "direction": "down", "role": "cost", "digits": 1},
}
BASELINES = [{"name": "topk"}, {"name": "jumprelu"}, {"name": "untrained"}]
WIGGLE = (0.0, 1.0, -1.0, 0.5, -0.5)


def measures(kl, noise=0.001, l0=16.0, seeds=3, shift=0):
    """Values that hang together, as those of a real study: a lower KL goes with more variance explained."""
    means = {
        "core.kl_nats": kl, "core.explained_variance": 1 - 3 * kl, "synthetic.f1": 0.8 - kl, "core.l0": l0,
        "training.tokens": 512000.0, "training.seconds": 10.0 + 10 * kl,
    }  # fmt: skip
    scale = {"core.kl_nats": 1, "core.explained_variance": 2, "synthetic.f1": 5, "core.l0": 60, "training.tokens": 0,
             "training.seconds": 100}  # fmt: skip
    found = {}
    for name, mean in means.items():
        values = tuple(mean + noise * scale[name] * WIGGLE[(i + shift) % 5] for i in range(seeds))
        error = standard_error(values)
        found[name] = Measure(sum(values) / seeds, error, seeds, values, tuple(range(10 * shift, 10 * shift + seeds)))
    return found


def result(found, eval_tokens=65536):
    return Result(found, {"core": {"eval": {"tokens": eval_tokens}}}, {})


def told(run, found, attempt=1):
    return e.RunAccepted(run=run, attempt=attempt, head=HEAD, metrics={m: v.to_json() for m, v in found.items()})


def study(*steps, metrics=METRICS, primary="core.kl_nats", baselines=BASELINES, base=None):
    """`steps`: what became of run_1, run_2 …: "failed", or (measures, fresh measures or None, tokens of evaluation)."""
    kind = template(metrics=metrics, primary=primary, baselines=baselines)
    rules = Rules.of(kind, {"primary": primary})
    base = base or {"run_0": measures(0.06, seeds=5), "run_0_jumprelu": measures(0.064, seeds=5, l0=16.8),
                    "run_0_untrained": measures(0.9, seeds=5, l0=14)}  # fmt: skip
    fresh = measures(0.0605, seeds=5, shift=2)
    happened = [created(tuple(base)), opened(), *(told(name, found, 0)
                for name, found in base.items()), e.PlanFrozen(plan={"primary": primary, "max_runs": 10}, sha256="0")]  # fmt: skip
    measured = False
    for number, step in enumerate(steps, 1):
        run, call = f"run_{number}", f"{number:04d}-edit"
        happened += [asked(call, run), replied(call), committed(call, run), launched(run), ended(run)]
        if step == "failed":
            happened += [failed(run), e.RunClosed(run=run, reason="ValueError: shapes do not match", head=HEAD)]
            continue
        found, again, tokens = step
        first = Side("run_0", result(base["run_0"]))
        same = "run_1" if number > 1 and found == steps[0][0] else ""
        judged = screen(Side(run, result(found, tokens)), first, rules, same)
        happened += [told(run, found), e.RunCompared(run=run, stage="screen", comparison=judged.to_json())]
        if again:
            for name, more in (("run_0", fresh), (run, again)):
                if name != "run_0" or not measured:
                    happened.append(
                        e.SeedsMeasured(
                            run=name, attempt=0, head=HEAD, metrics={m: v.to_json() for m, v in more.items()}
                        )
                    )
            measured = True
            judged = confirm(judged, Side(run, result(again)), Side("run_0", result(fresh)), rules)
            happened.append(e.RunCompared(run=run, stage="confirmed", comparison=judged.to_json()))
    return fold(entries(*happened)), kind


def ran(kl, again=None, tokens=65536, **more):
    return measures(kl, **more), measures(again, seeds=5, shift=2, **more) if again else None, tokens


def one():
    return study(ran(0.055, 0.0556, l0=16.2))


def three():
    return study(ran(0.0612), "failed", ran(0.057, 0.0595, l0=15.6))


def ten():
    return study(ran(0.0603), ran(0.055, 0.0555, l0=15.8), "failed", ran(0.07), ran(0.0603), ran(0.051, tokens=1000),
                 ran(0.0549, l0=17.9), "failed", ran(0.054, 0.0602, l0=16.4), ran(0.052, 0.0525, l0=16.1))  # fmt: skip


def plain():
    """No constraint, one metric with a verdict, one seed."""
    base = {"run_0": {"fit.mse": Measure(0.5)}}
    return study(({"fit.mse": Measure(0.4)}, None, 65536), ({"fit.mse": Measure(0.6)}, None, 65536), base=base,
                 metrics={"fit.mse": {"direction": "down"}}, primary="fit.mse", baselines=[{"name": "baseline"}])  # fmt: skip


def sizes():
    """Very small and very large numbers, negative ones, and one that is the same in all runs."""

    def of(factor):
        made = {"a.tiny": 3e-9 * factor, "a.huge": 4e12 * factor, "a.wide": 10.0 ** (8 * factor - 8),
                "a.negative": -5 * factor, "a.same": 0.25, "a.null": 0.0}  # fmt: skip
        return {name: Measure(mean, abs(mean) / 50, 3) for name, mean in made.items()}

    like = {"direction": "up", "role": "primary", "digits": 3}
    metrics = {name: {**like, "label": name.removeprefix("a.") + " $x_1$ & 50%"} for name in of(1)}
    steps = [(of(factor), None, 65536) for factor in (0.9, 1.02, 1.3, 0.2)]
    return study(*steps, metrics=metrics, primary="a.tiny", baselines=[{"name": "base"}], base={"run_0": of(1)})


STUDIES = {"one": one, "three": three, "ten": ten, "plain": plain, "sizes": sizes}
