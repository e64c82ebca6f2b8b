"""aider's coder, caged: it makes the messages, and nothing else.

What aider knows is how each model wants to be talked to: with or without a system message, at which temperature, with
which further parameters, in which fence, with which roles in turn. That is used. One short-lived instance answers one
prompt, in one call.

Everything else that it would do is closed here. It gets no file to open (texts come from the prompt), no git, no shell,
no URL, no home folder, no price list from the network, no terminal, no retry. Its edits are not applied: the reply goes
back as text, and `core.edits` decides. A prompt that begins with a command is sent, not run (`preproc=False`).
Images go past it: they are put into the last message when that is ready to be sent, for models that can see. Where the
provider does not take them after all, which costs nothing, the same is asked in words.
If aider must go, this file goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from agent.core.ports import Pulse
from agent.core.prompt import Bill, NoReply, Prompt, Reply
from agent.llm.client import Client, Message, with_images
from agent.llm.library import litellm

_ABOVE_FILES = "These are the files that you may edit, as they are now:\n"
_BELOW_FILES = "I have read them. What is to be done?"

Send = Callable[[list[Message], dict[str, Any]], Reply | NoReply]


class CagedCoder:
    """The model port, for every model that litellm can name."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = client.facts.name

    def worst(self, prompt: Prompt) -> Bill:
        whole = {"content": f"{prompt.text()}{_ABOVE_FILES}{_BELOW_FILES}"}
        return self._client.worst([with_images(whole, self._seen(prompt))])

    def _send(
        self, messages: list[Message], images: list[tuple[str, bytes]], pulse: Pulse, options: dict[str, Any]
    ) -> Reply | NoReply:
        answer = self._client.send([*messages[:-1], with_images(messages[-1], images)], pulse, **options)
        if images and isinstance(answer, NoReply) and answer.kind == "request":
            return self._client.send(messages, pulse, **options)
        return answer

    def _seen(self, prompt: Prompt) -> list[tuple[str, bytes]]:
        """The images that this model is shown: all, or none."""
        return [(image.path, image.data) for image in prompt.images if image.data] if self._client.facts.sees else []

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply | NoReply:
        answers: list[Reply | NoReply] = []
        broken: list[BaseException] = []

        def send(messages: list[Message], options: dict[str, Any]) -> Reply | NoReply:
            try:
                answers.append(self._send(messages, self._seen(prompt), pulse, options))
            except BaseException as error:  # aider swallows what goes through it, a person's Ctrl-C too
                broken.append(error)
                raise
            return answers[-1]

        cage = _aider()
        coder = cage.coder(cage.model(self.name, send), prompt)
        coder.run(with_message=prompt.request, preproc=False)
        if broken:
            raise broken[0]
        answer = answers[0]
        return replace(answer, text=coder.partial_response_content) if isinstance(answer, Reply) else answer


class _NothingCame(Exception):  # the way out of aider for a try without a reply; no class that aider retries
    pass


class _Cage(NamedTuple):
    model: Callable[[str, Send], Any]
    coder: Callable[[Any, Prompt], Any]


@cache
def _aider() -> _Cage:
    """aider's classes, overridden. Imported at the first call: that takes seconds."""
    litellm()  # with its settings, before aider loads it
    from aider.coders.editblock_coder import EditBlockCoder
    from aider.coders.editblock_prompts import EditBlockPrompts
    from aider.io import InputOutput
    from aider.models import Model, ensure_alternating_roles

    class SilentTerminal(InputOutput):  # type: ignore[misc]
        """Says nothing, asks nothing, and neither reads nor writes files."""

        def __init__(self) -> None:
            super().__init__(pretty=False, fancy_input=False, yes=False)

        def tool_output(self, *messages: Any, **options: Any) -> None: ...
        def tool_error(self, *messages: Any, **options: Any) -> None: ...
        def tool_warning(self, *messages: Any, **options: Any) -> None: ...
        def assistant_output(self, *messages: Any, **options: Any) -> None: ...
        def ai_output(self, content: Any) -> None: ...
        def user_input(self, *messages: Any, **options: Any) -> None: ...
        def append_chat_history(self, *messages: Any, **options: Any) -> None: ...
        def llm_started(self) -> None: ...

        def read_text(self, filename: Any, silent: bool = False) -> None:
            return None

        def write_text(self, *arguments: Any, **options: Any) -> None:
            raise PermissionError("the caged coder writes no file")

        def offer_url(self, *arguments: Any, **options: Any) -> bool:
            return False

        def confirm_ask(self, *arguments: Any, **options: Any) -> bool:
            return False

    class KnownModel(Model):  # type: ignore[misc]
        """aider's table of what a model wants, without its ways to the network."""

        def __init__(self, name: str, send: Send) -> None:
            super().__init__(name, weak_model=False, editor_model=False)
            self.weak_model = self
            self._send = send

        def get_model_info(self, model: str) -> dict[str, Any]:
            return {}

        def validate_environment(self) -> dict[str, Any]:
            return {"keys_in_environment": True, "missing_keys": []}

        def token_count(self, messages: Any) -> int:
            return 0

        def send_completion(self, messages: Any, functions: Any, stream: Any, temperature: Any = None) -> Any:
            if self.is_deepseek_r1():
                messages = ensure_alternating_roles(messages)
            answer = self._send(messages, self._options(messages))
            if not isinstance(answer, Reply):
                raise _NothingCame
            said = SimpleNamespace(content=answer.text, tool_calls=None)
            return hashlib.sha1(), SimpleNamespace(choices=[SimpleNamespace(message=said, finish_reason="stop")])

        def _options(self, messages: Any) -> dict[str, Any]:
            options: dict[str, Any] = {}
            if self.use_temperature is not False:
                options["temperature"] = 0 if self.use_temperature is True else float(self.use_temperature)
            if self.is_ollama():
                options["num_ctx"] = sum(len(str(m["content"])) for m in messages) // 2 + 16_384
            return {**options, **(self.extra_params or {})}

    class OurPrompts(EditBlockPrompts):  # type: ignore[misc]
        """The rules of answering are in our own stable part; aider's would say them again."""

        example_messages: list[dict[str, str]] = []
        system_reminder = ""
        files_content_prefix = _ABOVE_FILES
        files_content_assistant_reply = _BELOW_FILES

    class OneCall(EditBlockCoder):  # type: ignore[misc]
        max_reflections = 0

        def __init__(self, model: Any, prompt: Prompt) -> None:
            self._files = prompt.files
            self.gpt_prompts = OurPrompts()
            self.gpt_prompts.main_system = prompt.stable
            super().__init__(
                model,
                SilentTerminal(),
                use_git=False,
                auto_commits=False,
                stream=False,
                map_tokens=0,
                auto_lint=False,
                suggest_shell_commands=False,
                detect_urls=False,
                analytics=SimpleNamespace(event=lambda *_, **__: None),
            )
            self.abs_fnames = {name for name, _ in prompt.files}

        def fmt_system_prompt(self, prompt: str) -> str:
            return prompt  # aider would take its braces for places to fill

        def get_abs_fnames_content(self) -> Any:
            yield from self._files

        def get_files_content(self, fnames: Any = None) -> str:
            opening, closing = self.fence
            shown = [f"\n{name}\n{opening}\n{_ended(text)}{closing}\n" for name, text in self._files]
            return "".join(shown)

        def get_images_message(self, fnames: Any) -> None:
            return None

        def get_repo_map(self, *arguments: Any, **options: Any) -> None:
            return None

        def calculate_and_show_tokens_and_cost(self, *arguments: Any, **options: Any) -> None: ...

        def check_for_file_mentions(self, content: str) -> None: ...

        def check_for_urls(self, text: str) -> str:
            return text

        def check_and_open_urls(self, *arguments: Any, **options: Any) -> list[str]:
            return []

        def run_shell_commands(self) -> str:
            return ""

        def apply_updates(self) -> set[str]:
            return set()

        def keyboard_interrupt(self) -> None: ...

    return _Cage(KnownModel, OneCall)


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
