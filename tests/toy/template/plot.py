"""Print the runs as bars. The default figures draw them; better ones would be made here."""

import json
import pathlib

labels = {"run_0": "baseline"}

for run, label in labels.items():
    error = json.loads(pathlib.Path(run, "final_info.json").read_text())["fit"]["means"]["test_mse"]
    print(f"{label:20} {'#' * round(error * 1000)} {error:.5f}")
