"""A template of the size that the SAE template is allowed: 320 lines of experiment, 150 of plots, 60 of context.

It runs without torch in a fraction of a second. `write(folder)` makes it, always the same; the harness is sae_harness.py.
A function is a row: its signature, its docstring, its body.
"""

# ruff: noqa: E501  a row is a row
import shutil
from pathlib import Path

BASELINES = ("topk", "l1", "jumprelu", "untrained")
CONFIG = (
    ('"arch": os.environ.get("SAE_ARCH", "adaptive"),', ""), ('"width": 16,', "features in the dictionary"),
    ('"k": 4,', "active features that are aimed at"), ('"steps": 12,', "batches that a training sees"), ('"batch": 8,', ""),
    ('"learning_rate": 3e-4,', ""), ('"warmup": 0.1,', "share of the steps over which the learning rate rises"),
    ('"decay": 0.2,', "share of the steps over which it falls to zero"), ('"l1": 0.04,', "weight of the sparsity term"),
    ('"temporal": 0.02,', "weight of the temporal term, half of the sparsity term"),
    ('"beta": 5.0,', "how sharply the temporal term reacts to the reconstruction loss"),
    ('"momentum": 0.99,', "of the moving maximum of the reconstruction loss"), ('"bandwidth": 0.05,', "of JumpReLU's steps"),
    ('"threshold": 0.05,', "below which JumpReLU is silent"), ('"auxiliary": 0.03125,', "weight of what revives dead features"),
    ('"dead_after": 50,', "steps without firing after which a feature counts as dead"), ('"clip": 1.0,', "longest gradient"),
    ('"target_l0": 4.0,', "active features that the constraint allows"), ('"floor": 1e-9,', "so that nothing is divided by zero"),
    ('"log_every": 4,', "steps between two lines of the log"),
)  # fmt: skip
VECTORS = (
    ("dot(a, b)", "The scalar product of two vectors.", "return sum(x * y for x, y in zip(a, b, strict=True))"),
    ("unit(vector)", "The vector scaled to length one.", "length = math.sqrt(dot(vector, vector)) or 1.0\nreturn [x / length for x in vector]"),
    ("mixed(a, b, share)", "A step from a towards b.", "return [(1 - share) * x + share * y for x, y in zip(a, b, strict=True)]"),
    ("clipped(gradient)", "The gradient, no longer than the configuration allows.",
     'length = math.sqrt(dot(gradient, gradient))\nif length <= config["clip"]:\n    return gradient\nreturn [g * config["clip"] / length for g in gradient]'),
)  # fmt: skip
SHARED = (
    ("__init__(self, d, width, draw)", "Random directions, the encoder tied to the decoder at the start.",
     "self.d, self.width = d, width\nself.decoder = [unit([draw.gauss(0, 1) for _ in range(d)]) for _ in range(width)]\n"
     "self.encoder = [list(row) for row in self.decoder]\nself.bias = [0.0] * width\nself.idle = [0] * width\nself.largest_loss = 0.0"),
    ("pre_activations(self, x)", "[d] -> [width]: how much of each direction is in x.",
     "return [dot(row, x) + b for row, b in zip(self.encoder, self.bias, strict=True)]"),
    ("decode(self, codes)", "[width] -> [d]; only active features cost anything.",
     "out = [0.0] * self.d\nfor code, row in zip(codes, self.decoder, strict=True):\n    if code:\n"
     "        out = [o + code * r for o, r in zip(out, row, strict=True)]\nreturn out"),
    ("normalise(self)", "Keeps the directions at length one, so that codes cannot shrink for free.", "self.decoder = [unit(row) for row in self.decoder]"),
    ("note_use(self, codes)", "Counts for each feature the steps since it last fired.",
     "self.idle = [0 if code else idle + 1 for code, idle in zip(codes, self.idle, strict=True)]"),
    ("dead(self)", "The features that have not fired for a long time.", 'return [i for i, idle in enumerate(self.idle) if idle > config["dead_after"]]'),
    ("move(self, i, direction, size)", "Moves one feature, in the encoder and in the decoder.",
     "self.decoder[i] = [w - size * g for w, g in zip(self.decoder[i], direction, strict=True)]\n"
     "self.encoder[i] = [w - size * g for w, g in zip(self.encoder[i], direction, strict=True)]"),
)  # fmt: skip
ARCHITECTURES = (  # name, docstring, weight, then what encode returns, what the penalty is, and the pull of a feature
    ("TopK", "Keeps the k largest pre-activations, and revives dead features by an auxiliary loss.", "auxiliary",
     'kept = set(sorted(range(self.width), key=lambda i: -pre[i])[: config["k"]])\nreturn [max(0.0, p) if i in kept else 0.0 for i, p in enumerate(pre)]',
     "sum(dot(self.decoder[i], error) ** 2 for i in self.dead())", "codes[i]"),
    ("Lasso", "The standard autoencoder with ReLU codes and an L1 penalty.", "l1", "return [max(0.0, p) for p in pre]", "sum(codes)", 'codes[i] - config["l1"]'),
    ("JumpReLU", "Zero below a threshold, the identity above; steered towards the target L0.", "bandwidth",
     'return [p if p > config["threshold"] else 0.0 for p in pre]', '(sum(code > 0 for code in codes) / config["target_l0"] - 1) ** 2', "codes[i]"),
    ("Nested", "L1 codes of which the first quarter must do most of the work, so that general features come first.", "l1",
     "return [max(0.0, p) for p in pre]", "sum(code * (1 + 3 * i / self.width) for i, code in enumerate(codes))", "codes[i] * (1 - 0.5 * i / self.width)"),
    ("Orthogonal", "L1 codes; features that fire together are pushed apart.", "l1", "return [max(0.0, p) for p in pre]",
     "sum(abs(dot(self.decoder[i], self.decoder[i - 1])) * code for i, code in enumerate(codes) if i)", "codes[i]"),
    ("Adaptive", "The method under study: L1 codes that are held steady along a sequence, the more the better they fit.", "temporal",
     'return [max(0.0, p - config["threshold"] / 10) for p in pre]', "sum(abs(now - then) for now, then in zip(codes, before, strict=True))", "0.9 * codes[i]"),
)  # fmt: skip
SCHEDULES = (
    ("linear", "From low to high in even steps.", "progress"), ("quadratic", "Slow at first, then fast.", "progress**2"),
    ("cosine", "Slow at both ends.", "0.5 * (1 - math.cos(math.pi * progress))"),
    ("late", "Low for the first half, then even steps up to high.", "max(0.0, 2 * progress - 1)"),
    ("falling", "From high to low, fast at first: the weight of an early push.", "(1 - progress) ** 2"),
)  # fmt: skip
TRAINING = (
    ("rate(step, steps)", "The learning rate: a linear rise, a plateau, a linear fall.",
     'rising = (step + 1) / max(1.0, config["warmup"] * steps)\nfalling = (steps - step) / max(1.0, config["decay"] * steps)\n'
     'return config["learning_rate"] * min(1.0, rising, falling)'),
    ("moving_maximum(sae, loss)", "A maximum that forgets: it decays with the momentum and never falls below the present loss.",
     'momentum = config["momentum"]\nsae.largest_loss = max(loss, momentum * sae.largest_loss + (1 - momentum) * loss)\nreturn sae.largest_loss'),
    ("adaptive_weight(sae, loss)", "Between one half and one: near one when the loss is far below its recent maximum.",
     'return 1 / (1 + math.exp(-config["beta"] * (moving_maximum(sae, loss) - loss)))'),
    ("train_step(sae, rows, step, steps)", "One pass over a batch; returns the shares of the loss, so that a term without effect can be seen.",
     'shares = {"reconstruction": 0.0, "penalty": 0.0}\nfor x, previous, starts in rows:\n    codes = sae.encode(x)\n'
     "    before = [0.0] * sae.width if starts else sae.encode(previous)\n    error = [a - b for a, b in zip(x, sae.decode(codes), strict=True)]\n"
     '    loss = dot(error, error)\n    weight = adaptive_weight(sae, loss)\n    shares["reconstruction"] += loss / len(rows)\n'
     '    shares["penalty"] += weight * sae.penalty(codes, before, error, (step + 1) / steps) / len(rows)\n    sae.note_use(codes)\n'
     "    for i, code in enumerate(codes):\n        if code:\n            sae.move(i, clipped(sae.gradient(i, codes, error)), rate(step, steps))\n"
     "sae.normalise()\nreturn shares"),
    ("train(seed)", "One autoencoder from its seed, and the curve of its loss.",
     'sae = ARCHITECTURES[config["arch"]](api.D, config["width"], random.Random(seed))\nsteps = 0 if config["arch"] == "untrained" else config["steps"]\n'
     'curve = []\nfor step, rows in enumerate(api.activations(seed, steps, config["batch"])):\n    shares = train_step(sae, rows, step, steps)\n'
     '    curve.append(sum(shares.values()))\n    if step % config["log_every"] == 0:\n        parts = ", ".join(f"{name} {value:.4f}" for name, value in shares.items())\n'
     '        print(f"seed {seed} step {step}: {parts}")\nreturn sae, curve'),
    ("main()", "Trains one autoencoder a seed and hands them to the harness, which measures them and writes the results.",
     'parser = argparse.ArgumentParser(description=__doc__)\nparser.add_argument("--out_dir", default="run_0")\nout_dir = parser.parse_args().out_dir\n'
     "trained = {seed: train(seed) for seed in api.seeds()}\nsaes = {seed: sae for seed, (sae, _) in trained.items()}\n"
     "curves = {seed: curve for seed, (_, curve) in trained.items()}\napi.report(out_dir, saes, config, curves)"),
)  # fmt: skip
PLOTS = (
    ("load(run)", "The results of one run: family -> what the harness wrote.", 'return json.loads(pathlib.Path(run, "final_info.json").read_text())'),
    ("measure(run, identity)", "Mean and standard error of FAMILY.METRIC.",
     'family, metric = identity.split(".", 1)\nfound = load(run)[family]\nreturn found["means"][metric], found.get("stderrs", {}).get(metric, 0.0)'),
    ("seeds(run)", "How many seeds the run was measured with.", 'return load(run)["core"]["n"]'),
    ("curve(run)", "The mean over seeds of the loss during training.",
     'curves = list(load(run)["training"]["details"]["loss"].values())\nreturn [sum(values) / len(values) for values in zip(*curves, strict=True)]'),
    ("saved(figure, name)", "Writes the figure as an image for people and as a vector graphic for the paper.",
     'pathlib.Path("figures").mkdir(exist_ok=True)\nfor ending in ("png", "pdf"):\n    figure.savefig(f"figures/{name}.{ending}", dpi=150, bbox_inches="tight")\nplt.close(figure)'),
)  # fmt: skip
FIGURES = (
    ("reconstruction", "core.explained_variance", "Explained variance"), ("divergence", "core.kl_nats", "KL with the autoencoder, nats"),
    ("probing", "token_probing.top_5", "Accuracy of the best five features"), ("synthetic", "synthetic.f1", "F1 with the known dictionary"),
    ("sparsity", "core.l0", "Active features per token"), ("unlearning", "unlearning.unlearning_score", "Unlearning score"), ("absorption", "absorption.mean_absorption_score", "Mean absorption score"),
)  # fmt: skip
FIGURE = '''

def plot_{name}():
    """Bars with error bars: {label}, all labelled runs beside the baselines."""
    figure, axes = plt.subplots(figsize=(6, 3.5))
    for at, (run, label) in enumerate(labels.items()):
        mean, error = measure(run, "{identity}")
        axes.bar(at, mean, yerr=error, capsize=3, color=colour(run), label=label)
    axes.set_xticks(range(len(labels)), list(labels.values()), rotation=20, ha="right")
    axes.set_ylabel("{label}")
    saved(figure, "{name}")
'''
CURVES = '''

def plot_curves():
    """The loss during training, one line a run; the harness kept a dozen points of each."""
    figure, axes = plt.subplots(figsize=(6, 3.5))
    for run, label in labels.items():
        axes.plot(curve(run), color=colour(run), label=label)
    axes.set_xlabel("Step of the training, in twelfths")
    axes.set_ylabel("Loss")
    axes.legend(fontsize=8)
    saved(figure, "curves")
'''
CALLS = (
    ("D", "int: the size of an activation, and of every row of the decoder."),
    ("seeds() -> list[int]", "The seeds of this run. Train one autoencoder for each, and use all of them."),
    ("activations(seed, steps, batch)", "Yields `steps` lists of `batch` rows `(x, previous, starts)`: the activation [D], the one of the\n"
     "token before it in the same sequence [D], and whether the token starts a sequence (then `previous` is zero). Rows that\n"
     "follow each other in a batch are neighbours in a text, unless `starts` says otherwise."),
    ("explained(sae, seed) -> float", "Explained variance on 64 fresh activations: cheap enough to be asked for during the training, and not\nthe number that is reported, which is measured on other documents."),
    ("report(out_dir, saes, config, losses)", "Measures the autoencoders and writes `final_info.json`. `saes` and `losses` map a seed to its\n"
     "autoencoder and to the list of its losses; `config` goes into the results and into the protocol."),
    ("sae.encode(x) -> codes", "Is asked for one held-out activation [D] at a time and returns [width] codes, none below zero."),
    ("sae.decode(codes) -> x", "Must be linear in the codes: `sum(codes[i] * W[i]) + b`. The harness applies the decoder itself."),
)  # fmt: skip
MEASURED = (
    (
        "core",
        "reconstruction and sparsity on held-out tokens, and what splicing the reconstruction in costs the language model",
    ),
    (
        "token_probing",
        "accuracy of a linear probe on the best 1, 2, 5 features, 16 tasks; beside it the full residual stream",
    ),
    ("sequence_probing", "the same for codes averaged over a sequence, 6 data sets"),
    ("absorption", "first letters whose feature is silent while a more special one fires"),
    ("scr_tpp", "removal of a spurious cue, and probes that one concept's features alone disturb, at four thresholds"),
    ("unlearning", "loss on a forget set and on a retain set after its features are clamped"),
    ("synthetic", "recovery of a known dictionary: mean cosine of matched features, F1 of their firing"),
    ("training", "final loss, steps, tokens, seconds, peak memory"),
)
RULES = (
    "An architecture is a class with `encode`, `decode`, `penalty` and `gradient`, entered in `ARCHITECTURES`.",
    "All seeds of a run are trained with the same configuration; seed i of two runs sees the same activations.",
    "The dictionary may not be wider than that of the baseline, and no more tokens may be read than it read:",
    "  both are part of the protocol, and a run whose protocol differs is not compared with anything.",
    "L0 within 10 % of the target; a run outside is shown, but cannot be better than one inside.",
    "`encode` runs in a process of its own that sees activations and no text; it may keep no state between calls.",
    "What is printed goes to the log: print the share of each term of the loss, so that its scale can be seen.",
    "A term below one hundredth of the loss has seldom changed any result: check the log before you conclude.",
    "Training with equal seeds and equal code gives equal numbers to the last digit; a run whose numbers equal",
    "  those of an earlier one did not change what is measured.",
    "Differences below 0.006 of explained variance, 0.007 nats and 0.014 of F1 are within the noise of 3 seeds.",
)
METRICS = {"core.kl_nats": "down", "core.explained_variance": "up", "core.l0": "none", "core.mse": "down", "core.frac_alive": "up",
           "core.ce_loss_score": "up", "core.kl_div_score": "up", "token_probing.top_1": "up", "token_probing.top_5": "up",
           "synthetic.mcc": "up", "synthetic.f1": "up", "absorption.mean_absorption_score": "down"}  # fmt: skip
PRIMARY = ("core.kl_nats", "core.explained_variance", "token_probing.top_5", "synthetic.mcc", "synthetic.f1")
TASK = """
A sparse autoencoder is trained on the residual stream of a small language model and measured on documents that the
experiment does not see. `experiment.py` holds architectures, losses and the training; the harness holds data, evaluation
and results. `SAE_ARCH` picks a baseline; the default is the method under study. Compare at equal sparsity: an autoencoder
with more active features wins everything else."""


def function(signature: str, about: str, body: str, inside: str = "") -> str:
    """`inside` is the indentation of the class; functions of a module stand two lines apart."""
    lines = [f"def {signature}:", f'    """{about}"""', *(f"    {line}" for line in body.split("\n"))]
    return ("\n" if inside else "\n\n") + "".join(f"{inside}{line}\n" for line in lines)


def architecture(name: str, about: str, weight: str, encode: str, cost: str, pull: str) -> str:
    ramp = f'strength = config["{weight}"] * min(1.0, progress / max(config["warmup"], config["floor"]))'
    methods = (
        ("encode(self, x)", "[d] -> [width], most of it zero.", f"pre = self.pre_activations(x)\n{encode}"),
        ("penalty(self, codes, before, error, progress)", "What is added to the reconstruction error of one activation.",
         f"{ramp}\nreturn strength * {cost}"),
        ("gradient(self, i, codes, error)", "The direction in which feature i of this code should move.",
         f"pull = {pull}\nreturn [-2.0 * pull * e for e in error]"),
    )  # fmt: skip
    return f'\n\nclass {name}(Dictionary):\n    """{about}"""\n' + "".join(function(*m, inside="    ") for m in methods)


def experiment() -> str:
    text = '"""Sparse autoencoders on a stream of activations: architectures, losses, training."""\n\n'
    text += "import argparse\nimport math\nimport os\nimport random\n\nfrom harness import api\n\nconfig = {\n"
    text += "".join(f"    {line}  # {why}\n" if why else f"    {line}\n" for line, why in CONFIG) + "}\n"
    text += "".join(function(*row) for row in VECTORS)
    text += '\n\nclass Dictionary:\n    """What all share: [width] directions of size [d], a bias, and a linear decoder."""\n'
    text += "".join(function(*row, inside="    ") for row in SHARED)
    text += "".join(architecture(*row) for row in ARCHITECTURES)
    names = {"topk": "TopK", "l1": "Lasso", "jumprelu": "JumpReLU", "nested": "Nested", "orthogonal": "Orthogonal"}
    text += "\n\nARCHITECTURES = {\n" + "".join(f'    "{key}": {name},\n' for key, name in names.items())
    text += '    "adaptive": Adaptive,\n    "untrained": Lasso,\n}\n'
    for name, about, formula in SCHEDULES:
        body = f"progress = min(1.0, max(0.0, progress))\nreturn low + (high - low) * {formula}"
        text += function(f"{name}_schedule(progress, low=0.0, high=1.0)", about, body)
    return text + "".join(function(*row) for row in TRAINING) + '\n\nif __name__ == "__main__":\n    main()\n'


def plots() -> str:
    text = '"""Figures of the labelled runs beside the baselines; data only from results files."""\n\nimport json\nimport pathlib\n\n'
    text += 'import matplotlib\nimport matplotlib.pyplot as plt\n\nmatplotlib.use("Agg")\n'
    text += "labels = {\n" + "".join(
        f'    "run_0{"_" * bool(i)}{name * bool(i)}": "{name}",\n' for i, name in enumerate(BASELINES)
    )
    text += "}\n" + function("colour(run)", "Grey for baselines.", 'return "0.7" if run.startswith("run_0") else None')
    text += "".join(function(*row) for row in PLOTS)
    text += (
        "".join(FIGURE.format(name=name, identity=identity, label=label) for name, identity, label in FIGURES) + CURVES
    )
    return (
        text
        + '\n\nif __name__ == "__main__":\n'
        + "".join(f"    plot_{n}()\n" for n, _, _ in FIGURES)
        + "    plot_curves()\n"
    )


def api() -> str:
    text = "# What the experiment may use: `from harness import api`\n\n"
    text += "".join(f"## `{'' if c.startswith('sae.') else 'api.'}{c}`\n{about}\n\n" for c, about in CALLS)
    text += '## An example\n```python\nfor rows in api.activations(seed, config["steps"], config["batch"]):\n'
    text += "    for x, previous, starts in rows:\n        codes = sae.encode(x)  # [width]\n        error = [a - b for a, b in zip(x, sae.decode(codes))]  # [D]\n        before = None if starts else sae.encode(previous)\n```\n\n## What is measured\n"
    text += "".join(f"- `{family}`: {about}\n" for family, about in MEASURED) + "\n## Rules\n"
    text += "".join(f"{line}\n" if line.startswith(" ") else f"- {line}\n" for line in RULES)
    return text + "\nTests of your own may call `api.explained`; they end with the process and are not kept.\n"


def description() -> str:
    text = f'name = "sae_sized"\ntitle = "Sparse autoencoders"\ntask = """{TASK}"""\n'
    text += 'command = "python experiment.py --out_dir={out_dir}"\neditable = ["experiment.py", "plot.py"]\n'
    text += 'context = ["harness/api.md"]\nprimary = "core.kl_nats"\n'
    text += '[profiles.tiny]\ntimeout = "60s"\nseeds = { baseline = 5, screen = 3, confirm = 5 }\n'
    for name, direction in METRICS.items():
        role = "primary" if name in PRIMARY else "constraint" if name == "core.l0" else "diagnostic"
        text += f'[metrics."{name}"]\ndirection = "{direction}"\nrole = "{role}"\n' + "tolerance = 0.1\n" * (
            role == "constraint"
        )
    return text + "".join(f'[[baselines]]\nname = "{b}"\nenv = {{ SAE_ARCH = "{b}" }}\n' for b in BASELINES)


def write(folder: Path) -> Path:
    texts = {"experiment.py": experiment(), "plot.py": plots(), "harness/api.md": api(), "template.toml": description()}
    (folder / "harness").mkdir(parents=True)
    for name, text in {**texts, "harness/__init__.py": ""}.items():
        (folder / name).write_text(text)
    shutil.copy(Path(__file__).with_name("sae_harness.py"), folder / "harness" / "api.py")
    return folder
