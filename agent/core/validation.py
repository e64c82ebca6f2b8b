"""From pydantic's errors to sentences that a person can act on: all at once, with "did you mean"."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.core.text import did_you_mean


class Strict(BaseModel):
    """Frozen; an unknown key is an error, and so is a number that is not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


Whole = Annotated[int, Field(strict=True)]  # not true, and not "3"
Number = Annotated[float, Field(strict=True)]


S = TypeVar("S", bound=BaseModel)


def validate(model: type[S], data: object) -> S | list[str]:
    """The validated value, or every problem as a sentence that begins with the key's path."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return [_sentence(model, dict(item)) for item in error.errors(include_url=False)]


def _sentence(model: type[BaseModel], error: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key{did_you_mean(str(error['loc'][-1]), _known_keys(model, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{path}: missing"
    message = error["msg"].removeprefix("Value error, ")
    given = error.get("input")
    shown = f", not {given!r}" if isinstance(given, (str, int, float, bool)) and repr(given) not in message else ""
    text = message[:1].lower() + message[1:] + shown
    return f"{path}: {text}" if path else text


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """The keys allowed at `path`, found by walking the models' annotations."""
    here: Any = model
    for part in path:
        if not (isinstance(here, type) and issubclass(here, BaseModel)):
            return []
        field = here.model_fields.get(str(part)) or _by_alias(here, str(part))
        if field is None:
            continue  # the name of a table entry, such as profiles.tiny
        here = _inner_model(field.annotation)
        if here is None:
            return []
    fields: dict[str, Any] = getattr(here, "model_fields", {})
    return [f.alias or name for name, f in fields.items()]


def _by_alias(model: type[BaseModel], alias: str) -> Any:
    return next((field for field in model.model_fields.values() if field.alias == alias), None)


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
