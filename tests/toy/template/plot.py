"""Print the runs as bars; figures come with a later part."""

import json
import pathlib

labels = {"run_0": "baseline"}

for run, label in labels.items():
    error = json.loads(pathlib.Path(run, "final_info.json").read_text())["fit"]["means"]["test_mse"]
    print(f"{label:20} {'#' * round(error * 1000)} {error:.5f}")
