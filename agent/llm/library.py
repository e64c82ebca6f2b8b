"""litellm, imported once and tamed: no download of prices, tokenizers or anything else, no telemetry, no retries of its own.

The import takes seconds, so it waits for the first use. Set before it: the bundled price table, and production mode,
in which litellm does not read `.env` files.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    import litellm as library

    library.suppress_debug_info = True
    library.set_verbose = False
    library.telemetry = False
    library.drop_params = True  # what a provider does not know (a temperature, say) is left out, not an error
    library.num_retries = 0
    library.disable_hf_tokenizer_download = True
    library._logging._disable_debugging()
    return library
