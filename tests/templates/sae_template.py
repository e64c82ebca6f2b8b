"""`harness` of the SAE template, for tests: the one place that puts the template on the path."""

import sys
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "templates/sae"
if str(TEMPLATE) not in sys.path:
    sys.path.insert(0, str(TEMPLATE))
