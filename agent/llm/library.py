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
    _keep_usage(library)
    return library


def _keep_usage(library: Any) -> None:
    """Of the streams of deepseek, xai, mistral and others, litellm 1.81 throws away what the provider says was used."""
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler as Handler

    parse = Handler.chunk_parser

    def with_usage(self: Any, chunk: dict[str, Any]) -> Any:
        piece = parse(self, chunk)
        if chunk.get("usage") and not getattr(piece, "usage", None):
            piece.usage = library.Usage(**chunk["usage"])
        return piece

    Handler.chunk_parser = with_usage
