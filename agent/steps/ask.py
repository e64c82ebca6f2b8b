"""Asking a model: one try of one call, paid for only if its worst case fits.

The order makes it safe to be killed anywhere: the prompt is stored before the intent (`call.asked`), the worst case is
booked before the try (`call.sent`), the reply is stored with its bill before its event, and nobody acts on a reply
before that. What is on disk is never asked for again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

from agent.core import events as e
from agent.core import ledger
from agent.core.actions import Ask
from agent.core.calls import KINDS
from agent.core.ports import Pulse
from agent.core.prompt import NoReply, Prompt, Reply
from agent.core.text import as_text, duration
from agent.steps import stored
from agent.steps.compose import compose
from agent.steps.desk import Desk

_POLL = 0.2


def perform(desk: Desk, action: Ask) -> Iterator[e.Event]:
    asked_before = action.call in desk.state.calls
    prompt = stored.prompt_of(desk, action.call) if asked_before else None
    if prompt is None:
        prompt = compose(desk, action)
    prompt = _with_images(desk, prompt)
    reply = stored.reply_to(desk, action.call) if asked_before else None
    worst = desk.model.worst(prompt)
    if reply is None and not ledger.fits(desk.state, action.phase, worst.cost):
        left = ledger.left(desk.state, action.phase) or 0.0
        yield e.BudgetReached(call=action.call, phase=action.phase, needed=worst.cost or 0.0, left=left)  # type: ignore[arg-type]
        return
    if not asked_before:
        stored.keep_prompt(desk, prompt)
        yield e.CallAsked(call=action.call, action=prompt.action, run=action.run, turn=action.turn,  # type: ignore[arg-type]
                          model=desk.model.name, prompt_sha256=prompt.sha256)  # fmt: skip
    if reply is None:
        _wait(desk, action)
        yield e.CallSent(call=action.call, model=desk.model.name, usage=worst.usage, cost=worst.cost)
        answer = desk.model.complete(prompt, _pulse(desk, action.call))
        desk.show_progress("")
        if isinstance(answer, NoReply):
            yield _failed(action.call, answer)
            return
        reply = _kept(desk, prompt, answer)
    yield e.CallReplied(call=action.call, model=reply.model, usage=reply.usage, seconds=round(reply.seconds, 3),
                        cost=reply.cost, estimated=reply.estimated, finish=reply.finish,
                        reply_sha256=hashlib.sha256(reply.text.encode()).hexdigest())  # fmt: skip
    stored.write_what_people_read(desk)


def _with_images(desk: Desk, prompt: Prompt) -> Prompt:
    """A stored prompt has the names of its images; one that is another by now would not be the one that was meant."""
    if all(image.data for image in prompt.images):
        return prompt
    found = desk.workspace.read(desk.state.head, [image.path for image in prompt.images])
    filled = [replace(image, data=found.get(image.path, b"")) for image in prompt.images]
    return replace(prompt, images=tuple(i for i in filled if hashlib.sha256(i.data).hexdigest() == i.sha256))


def _failed(call: str, answer: NoReply) -> e.CallFailed:
    bill = {"usage": answer.bill.usage, "cost": answer.bill.cost, "estimated": answer.estimated} if answer.bill else {}
    return e.CallFailed(call=call, kind=answer.kind, evidence=answer.evidence, billed=KINDS[answer.kind].billed,
                        retry_after=answer.retry_after, **bill)  # type: ignore[arg-type]  # fmt: skip


def _kept(desk: Desk, prompt: Prompt, answer: Reply) -> Reply:
    reply = replace(answer, text=as_text(answer.text))
    stored.keep_reply(desk, prompt, reply)
    return reply


def _pulse(desk: Desk, call: str) -> Pulse:
    began = desk.now()

    def pulse() -> None:
        desk.pulse()
        desk.show_progress(f"{call}  waiting for the reply, {duration(desk.now() - began)}")

    return pulse


def _wait(desk: Desk, action: Ask) -> None:
    """Until the provider may be tried again."""
    while (left := action.not_before - desk.now()) > 0:
        desk.pulse()
        desk.show_progress(f"{action.call}  trying again in {duration(left)}")
        time.sleep(min(left, _POLL))
