"""Functions with **kwargs whose arguments can be told all the same, and where to look for the names that they take.

A pool is gathered from the sources of the installed packages, so that it is right for the installed version, and it is
generous: for from_pretrained it holds the fields of all configurations, for it forwards them to whichever model it is. A
step of a recipe that finds no file (another version, another layout) makes the whole pool unknown: nothing is refused then.

    ("parameters", files, function)  of all functions of that name; "*": of all
    ("initial", files, class)        parameters of `__init__` of classes whose names match
    ("fields", files)                names that are annotated or set in a class, or on self
    ("strings", files)               texts that are names: `kwargs.pop("token")`
    ("at least", package, version)   the first number of it
    ("names", …)                     written down here, where nothing can be gathered

Files are patterns below the place where packages lie.
"""

from __future__ import annotations

from typing import Any

_CONFIGURATIONS = "transformers/models/*/configuration_*.py"
_MODELS = "transformers/models/*/modeling_*.py"
_TOKENIZERS = "transformers/models/*/tokenization_*.py"
_HUB = (
    ("strings", "transformers/utils/hub.py"),
    ("parameters", "transformers/utils/hub.py", "*"),
    ("strings", "transformers/configuration_utils.py"),
    ("parameters", "transformers/configuration_utils.py", "*"),
    ("strings", "transformers/dynamic_module_utils.py"),
    ("strings", "transformers/models/auto/configuration_auto.py"),
)
_FIELDS = (
    ("fields", _CONFIGURATIONS),
    ("parameters", _CONFIGURATIONS, "__init__"),
    ("fields", "transformers/configuration_utils.py"),
)
_GENERATE = (
    ("fields", "transformers/generation/configuration_utils.py"),
    ("fields", "transformers/utils/generic.py"),
    ("parameters", "transformers/generation/utils.py", "*"),
    ("strings", "transformers/generation/utils.py"),
    ("parameters", _MODELS, "forward"),
    ("parameters", _MODELS, "prepare_inputs_for_generation"),
    ("parameters", _MODELS, "generate"),
)

POOLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "datasets of load_dataset": (
        ("at least", "datasets", "4"),  # older ones run scripts of the data set, which take anything
        ("fields", "datasets/packaged_modules/*/*.py"),
        ("fields", "datasets/builder.py"),
        ("parameters", "datasets/builder.py", "__init__"),
        ("strings", "datasets/load.py"),
    ),
    "models": (
        *_HUB,
        *_FIELDS,
        ("strings", "transformers/modeling_utils.py"),
        ("parameters", "transformers/modeling_utils.py", "from_pretrained"),
        ("parameters", "transformers/modeling_utils.py", "_from_config"),
        ("strings", "transformers/models/auto/auto_factory.py"),
        ("strings", "transformers/integrations/peft.py"),
        ("initial", _MODELS, r".*(Model|For[A-Z]\w*)"),
    ),
    "configurations": (*_HUB, *_FIELDS),
    "tokenizers": (
        *_HUB,
        ("strings", "transformers/tokenization_utils_base.py"),
        ("fields", "transformers/tokenization_utils_base.py"),
        ("parameters", "transformers/tokenization_*.py", "__init__"),
        ("parameters", "transformers/tokenization_*.py", "from_pretrained"),
        ("strings", "transformers/models/auto/tokenization_auto.py"),
        ("parameters", _TOKENIZERS, "__init__"),
        ("strings", _TOKENIZERS),
    ),
    "calls of tokenizers": (
        ("parameters", "transformers/tokenization_*.py", "*"),
        ("strings", "transformers/tokenization_*.py"),
        ("parameters", _TOKENIZERS, "*"),
    ),
    "generate": _GENERATE,
    "generation": (
        ("fields", "transformers/generation/configuration_utils.py"),
        ("strings", "transformers/generation/configuration_utils.py"),
        *_HUB,
    ),
    "pipelines": (
        ("parameters", "transformers/pipelines/*.py", "_sanitize_parameters"),
        ("parameters", "transformers/pipelines/*.py", "__init__"),
        ("strings", "transformers/pipelines/*.py"),
        *_HUB,
        *_GENERATE,
    ),
    "unpicklers": (("names", "encoding", "errors", "fix_imports", "buffers"),),
    "processes": (("initial", "subprocess.py", "Popen"), ("names", "input", "timeout", "check", "capture_output")),
    "datasets of files": (
        ("at least", "datasets", "4"),
        ("parameters", "datasets/io/*.py", "__init__"),
        ("fields", "datasets/packaged_modules/*/*.py"),
        ("fields", "datasets/builder.py"),
        ("parameters", "datasets/builder.py", "__init__"),
    ),
    "json decoders": (("initial", "json/decoder.py", "JSONDecoder"),),
    "json encoders": (("initial", "json/encoder.py", "JSONEncoder"),),
}

# module:name of the function, as a pattern; the pool; and arguments with which anything may be taken.
OPEN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("datasets.load:load_dataset", "datasets of load_dataset", ("trust_remote_code",)),
    ("datasets.load:load_dataset_builder", "datasets of load_dataset", ("trust_remote_code",)),
    ("datasets.inspect:get_dataset_*", "datasets of load_dataset", ("trust_remote_code",)),
    ("transformers.models.auto.auto_factory:*.from_pretrained", "models", ("trust_remote_code",)),
    ("transformers.models.auto.auto_factory:*.from_config", "models", ("trust_remote_code",)),
    ("transformers.models.auto.modeling_auto:*.from_pretrained", "models", ("trust_remote_code",)),
    ("transformers.modeling_utils:Pre[Tt]rainedModel.from_pretrained", "models", ("trust_remote_code",)),
    ("transformers.models.auto.configuration_auto:AutoConfig.from_pretrained", "configurations", ("trust_remote_code",)),
    ("transformers.configuration_utils:Pre[Tt]rainedConfig.from_pretrained", "configurations", ("trust_remote_code",)),
    ("transformers.models.auto.tokenization_auto:*.from_pretrained", "tokenizers", ("trust_remote_code",)),
    ("transformers.tokenization_utils_base:*.from_pretrained", "tokenizers", ("trust_remote_code",)),
    ("transformers.tokenization_utils_base:*.__call__", "calls of tokenizers", ()),
    ("transformers.tokenization_utils_base:*.encode", "calls of tokenizers", ()),
    ("transformers.generation.utils:GenerationMixin.generate", "generate", ("custom_generate", "trust_remote_code")),
    ("transformers.generation.configuration_utils:GenerationConfig.*", "generation", ()),
    ("transformers.pipelines:pipeline", "pipelines", ("trust_remote_code", "pipeline_class", "custom_generate")),
    ("torch.serialization:load", "unpicklers", ("pickle_module",)),
    ("subprocess:run", "processes", ()),
    ("subprocess:call", "processes", ()),
    ("subprocess:check_call", "processes", ()),
    ("subprocess:check_output", "processes", ()),
    ("datasets.arrow_dataset:Dataset.from_generator", "datasets of files", ()),
    ("datasets.arrow_dataset:Dataset.from_csv", "datasets of files", ()),
    ("datasets.arrow_dataset:Dataset.from_json", "datasets of files", ()),
    ("datasets.arrow_dataset:Dataset.from_parquet", "datasets of files", ()),
    ("datasets.arrow_dataset:Dataset.from_text", "datasets of files", ()),
    ("json:loads", "json decoders", ("cls",)),
    ("json:load", "json decoders", ("cls",)),
    ("json:dumps", "json encoders", ("cls",)),
    ("json:dump", "json encoders", ("cls",)),
)  # fmt: skip


def to_json() -> dict[str, Any]:
    """As the interpreter is told; a part of the key under which its answers are kept."""
    return {"pools": {name: list(map(list, recipe)) for name, recipe in POOLS.items()}, "open": list(map(list, OPEN))}
