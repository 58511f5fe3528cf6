"""What the webhooks say, and which of them a transfer's completion sends.

Endgrate's webhook references lay out the payloads. What is told for a transfer goes before what is
told for its session. Data come in batches; `completed` is true in the last of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.courier import Letter
from infra.local.simulators.endgrate.outcome import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from infra.local.simulators.endgrate.bodies import Webhook
    from infra.local.simulators.endgrate.failures import Failure
    from infra.local.simulators.endgrate.outcome import Outcome
    from infra.local.simulators.endgrate.session import Session
    from infra.local.simulators.endgrate.transfer import Transfer

    Payload = Callable[[], dict[str, object]]


def configured(session: Session) -> Iterator[Letter]:
    """The configuration webhook."""
    hook = session.asked.configuration_webhook
    if hook:
        told = session.configuration()
        yield _letter("configuration", hook, session, payload=lambda: told)


def completed(
    transfer: Transfer, outcome: Outcome, *, failures: Iterable[Failure]
) -> Iterator[Letter]:
    """The webhooks of a transfer that has completed: errors, then data, then that it has."""
    asked, session = transfer.asked, transfer.session
    letter = partial(_letter, session=session, transfer_id=transfer.id)
    if hook := asked.error_webhook or session.asked.error_webhook:
        for failure in failures:
            yield letter("error", hook, payload=partial(_failure, failure))
    if hook := asked.data_webhook or session.asked.data_webhook:
        for start in range(0, max(len(outcome.records), 1), BATCH):
            yield letter("data", hook, payload=partial(_batch, transfer, outcome, start=start))
    if hook := asked.completed_webhook or session.asked.completed_webhook:
        yield letter("completed", hook, payload=partial(_transfer, transfer, completed=True))


def concurrently(transfer: Transfer) -> bool:
    """Whether a transfer's webhooks need not wait for each other's answers."""
    return bool(transfer.asked.webhook_concurrency or transfer.session.asked.webhook_concurrency)


def _letter(
    event: str,
    hook: Webhook,
    session: Session,
    *,
    payload: Payload,
    transfer_id: str | None = None,
) -> Letter:
    metadata = {} if hook.metadata is None else {"metadata": hook.metadata}
    return Letter(
        event=event,
        address=hook.address,
        session_id=session.id,
        transfer_id=transfer_id,
        payload=lambda: payload() | metadata,
    )


def _transfer(transfer: Transfer, *, completed: bool) -> dict[str, object]:
    return {
        "success": True,
        "transfer_id": transfer.id,
        "session_id": transfer.session.id,
        "endgrate": {"endgrate_type": transfer.asked.endgrate_type},
        "completed": completed,
    }


def _batch(transfer: Transfer, outcome: Outcome, *, start: int) -> dict[str, object]:
    last = start + BATCH >= len(outcome.records)
    return {
        **_transfer(transfer, completed=last),
        "transfer_data": outcome.records.cut(start, start + BATCH),
        "transfer_errors": bool(outcome.troubles),
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {"success": True, **failure.row(), "transfer_errors": True}
