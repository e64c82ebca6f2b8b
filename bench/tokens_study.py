"""The study that bench/tokens.py plays to both sides: one idea, ten runs, what the coder answers, and what goes wrong.

Thirteen replies: run 3 and run 8 fail once when they are run, and a block of run 6 does not fit the first time. Each
first reply for a run writes the notes of the run before it.
"""

from dataclasses import dataclass

from bench.sae_sized import experiment
from tests.stories.world import block

IDEA = {
    "Name": "adaptive_temporal",
    "Title": "Sparse codes that hold still: an adaptive temporal penalty for sparse autoencoders",
    "Experiment": "1. Train with the temporal penalty at its default weight and compare with the L1 baseline at equal sparsity. "
    "2. Vary the weight of the penalty over one order of magnitude, with the ratio to the sparsity term fixed. 3. Replace the "
    "adaptive weight by a constant one, to see whether adapting matters. 4. Vary how sharply the weight reacts to the loss. "
    "5. Vary how the maximum of the loss is tracked: decaying maximum against exponential mean. 6. Change the schedule of the "
    "learning rate. 7. Combine the settings that helped. Measure for each the stability of features along a sequence.",
    "Technical_Details": "The loss is L = L_recon + lambda_1 |f_t|_1 + lambda_2 alpha |f_t - f_(t-1)|_1 with "
    "alpha = sigmoid(beta (L_max - L_recon)), where L_max is a moving maximum of the reconstruction loss with momentum 0.99 and "
    "f_(t-1) is the code of the previous token, zero where a sequence starts. lambda_1 is 0.04 and is steered to the target "
    "sparsity; lambda_2 is half of it. beta is 5, the learning rate 3e-4, the batch 2,048 tokens. When reconstruction is poor, "
    "alpha is near one half and the model is free to move; when it is good, alpha is near one and codes are held steady. The "
    "gradient of the temporal term flows through f_t only.",
    "Implementation_Plan": "Add the penalty to the class of the method under study, using the previous activation that the "
    "harness passes with every row. Keep the moving maximum in the autoencoder. Print the share of each term of the loss. "
    "Start from the defaults, then change one thing a run.",
    "Abstract": "Sparse autoencoders treat the tokens of a text as if they were shuffled, although what a language model "
    "represents changes slowly along a sentence. We ask whether a penalty on the change of a code from one token to the next, "
    "weighted by how well the present token is reconstructed, gives features that are as faithful and steadier.",
    "Interestingness": 7,
    "Feasibility": 9,
    "Novelty": 6,
    "Baseline": "l1",
}  # fmt: skip

SAID = (
    "{run} was meant to answer one question: {why}. The change is confined to experiment.py; data, evaluation, seeds and the "
    "number of steps are those of the baseline, so that the two can be compared as they stand.",
    "Explained variance is \\fact{{{run}.core.explained_variance}} and the divergence \\factpm{{{run}.core.kl_nats}}, at "
    "\\fact{{{run}.core.l0}} active features per token; the baseline has \\fact{{run_0_l1.core.kl_nats}} at "
    "\\fact{{run_0_l1.core.l0}}.",
    "The share of the temporal term in the loss, as the log prints it, stayed between one and three parts in a hundred during "
    "the whole training: large enough to be felt, too small to pay for with reconstruction.",
    "Probing moves together with the divergence (\\fact{{{run}.token_probing.top_5}} with five features), which speaks for a "
    "change of the codes themselves rather than of their scale; the ratio of norms is \\fact{{{run}.core.l2_ratio}}.",
    "On the synthetic world the recovery of the known dictionary is \\fact{{{run}.synthetic.f1}} by F1 and "
    "\\fact{{{run}.synthetic.mcc}} by matched cosine. Differences of this size are within what the seeds alone produce, and "
    "should not be read as a gain without a confirmation on fresh seeds.",
    "For the paper: describe this run as one point of the sweep, with its configuration from the results file, and show it in "
    "the figure of divergence against sparsity. The training was stable; no feature died for longer than the limit.",
)

ADAPTIVE = '    return 1 / (1 + math.exp(-config["beta"] * (moving_maximum(sae, loss) - loss)))'
CHANGE = "        return strength * sum(abs(now - then) for now, then in zip(codes, before, strict=True))"
SQUARED = "        return strength * math.sqrt(sum((now - then) ** 2 for now, then in zip(codes, before, strict=True)))"
RATE = '    return config["learning_rate"] * min(1.0, rising, falling)'
MAXIMUM = "    sae.largest_loss = max(loss, momentum * sae.largest_loss + (1 - momentum) * loss)"
AVERAGE = "    sae.largest_loss = momentum * (sae.largest_loss or loss) + (1 - momentum) * loss"
AVERAGE_OF = AVERAGE.replace("momentum *", 'config["average"] *').replace("1 - momentum", '1 - config["average"]')
LATE = "    steady = late_schedule(step / max(1, steps), 0.5, 1.0)\n" + RATE.replace("return ", "return steady * ")


def setting(name: str, old: str, new: str) -> tuple[str, str]:
    """A line of the configuration, which ends in a comment."""
    line = next(line for line in experiment().splitlines() if line.startswith(f'    "{name}": {old},'))
    return line, line.replace(old, new, 1)


@dataclass(frozen=True)
class Turn:
    run: int
    words: str
    edits: tuple[tuple[str, str], ...]
    first: bool = True  # of this run: writes the notes of the run before
    fits: bool = True
    runs: bool = True

    def blocks(self) -> str:
        return "\n".join(block(search, replace) for search, replace in self.edits)


TURNS = (
    Turn(1, "Raise the learning rate to 1e-3.\n\nMy plan: first a setting in which the method trains to the end at all, then "
         "the gradient of the sparsity term, the form of the temporal penalty, its sharpness, the tracker of the maximum, the "
         "schedule, and last the weights. One change a run, so that each result can be read by itself. The default rate leaves "
         "the dictionary close to its start after so few steps, and then no penalty can show anything.",
         (('    "learning_rate": 3e-4,', '    "learning_rate": 1e-3,'),)),
    Turn(2, "Let the sparsity term act on the features.\n\nSo far the method under study only scales its pull; the baseline "
         "subtracts the weight. With the same term in both, what is left between them is the temporal penalty.",
         (("        pull = 0.9 * codes[i]", '        pull = codes[i] - 0.5 * config["l1"]'),)),
    Turn(3, "Measure the change of a code by its Euclidean length.\n\nThe absolute change punishes many small movements as much "
         "as one large one. If features switch rather than drift, the length is the better measure.",
         ((CHANGE, SQUARED.replace("before, strict", "before[1:], strict")),), runs=False),
    Turn(3, "Compare codes of equal length.\n\nThe slice dropped the first feature of the previous code; both have the same "
         "width and neither needs one.",
         ((SQUARED.replace("before, strict", "before[1:], strict"), SQUARED),), first=False),
    Turn(4, "Double the sharpness of the adaptive weight.\n\nAt 5 the weight hardly left the middle of its range; at 10 it should "
         "separate tokens that are reconstructed well from those that are not.",
         (setting("beta", "5.0", "10.0"),)),
    Turn(5, "Track an exponential mean of the loss instead of its maximum.\n\nOne bad batch holds the maximum up for a hundred "
         "steps. The mean forgets it, and the weight then says how this token compares with usual ones.",
         ((MAXIMUM, AVERAGE),)),
    Turn(6, "Use a constant weight as a control.\n\nWithout a control the effect of adapting cannot be told from that of the "
         "penalty. The constant is the mean of the adaptive weight over the last run.",
         (('    return sigmoid(config["beta"] * (sae.largest_loss - loss))', "    return 0.75"),), fits=False),
    Turn(6, "Use a constant weight as a control.\n\nThe function computes the sigmoid by hand; this is the line as it stands.",
         ((ADAPTIVE, "    moving_maximum(sae, loss)\n    return 0.75"),), first=False),
    Turn(7, "Hold the learning rate back in the first half.\n\nThe control did not do better, so the adaptive weight comes back, "
         "and the late schedule gives it time to settle before features move far.",
         (("    moving_maximum(sae, loss)\n    return 0.75", ADAPTIVE), (RATE, LATE))),
    Turn(8, "Give the mean of the loss a momentum of its own.\n\nThe momentum of the maximum was chosen for a maximum. A shorter "
         "memory suits a mean.", ((AVERAGE, AVERAGE_OF),), runs=False),
    Turn(8, "Enter the new momentum in the configuration.\n\nThe key was used and never set.",
         (('    "batch": 8,', '    "batch": 8,\n    "average": 0.9,'),), first=False),
    Turn(9, "Lower the threshold below which codes are silent.\n\nMore small codes give the temporal penalty something to hold; "
         "the sparsity must be watched.", (setting("threshold", "0.05", "0.02"),)),
    Turn(10, "Halve the weight of the temporal term.\n\nThe last of the plan: whether the penalty pays at all, at half its weight "
         "and everything else at the best setting so far.", (setting("temporal", "0.02", "0.01"),)),
)  # fmt: skip


def notes(run: int) -> str:
    """Of 600 to 1,500 characters, different for each run."""
    turn = next(turn for turn in TURNS if turn.run == run and turn.first)
    why = "whether it helps to " + turn.words.split(".\n")[0].lower()
    chosen = [SAID[0], SAID[1], *(SAID[2 + (run + i) % 4] for i in range((1, 2, 4)[run % 3]))]
    return "\n".join(said.format(run=f"run_{run}", why=why) for said in chosen)


SUMMARY = """I asked you to work on an idea about sparse autoencoders in `experiment.py`: a temporal penalty with an adaptive
weight, judged against the L1 baseline, with up to ten runs, one change a run, and notes for each in `notes.txt`. I gave you
the results of the baselines (`topk`, `l1`, `jumprelu`, `untrained`) and the command `python experiment.py --out_dir=run_i`.

You planned to find a setting in which the method trains to the end, then to change the gradient of the sparsity term, the
form of the penalty in `Adaptive.penalty`, its sharpness (`beta`), how `moving_maximum` tracks the loss, the schedule in
`rate`, and last the weights `temporal` and `l1` in `config`. You raised `learning_rate` and the run completed.

I gave you results after each run: divergence `kl_nats`, `explained_variance`, `l0`, probing, absorption, the synthetic world.
Differences to the baseline were small, mostly within the noise of the seeds, and you said so in the notes. One attempt failed
with a `ValueError` from `zip(..., strict=True)` in `penalty`, because a slice made the codes differ in length; you removed it.

Most recently I gave you the results of the last run and asked you to reconsider the plan, to write its notes into `notes.txt`
and to implement the next item. You changed `experiment.py` by one small SEARCH/REPLACE block, and I updated the files."""
