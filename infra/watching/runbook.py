"""What each alarm means, where an operator looks, and how it is mended.

The alarms' descriptions and ``docs/operations.md`` both have these texts, so that they agree.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PAGE: Final = "docs/operations.md"


class Entry(NamedTuple):
    """Alarms with one ``heading`` in the runbook; ``names`` are theirs."""

    heading: str
    names: tuple[str, ...]
    means: str
    look: str
    mend: str

    @property
    def anchor(self) -> str:
        """Where the runbook has it."""
        return f"{PAGE}#{self.heading.lower().replace(' ', '-')}"

    def describe(self) -> str:
        """The alarm's description."""
        return f"{self.means} {self.look} {self.mend} See {self.anchor}."


ENTRIES: Final = (
    Entry(
        "Faults of the operator",
        ("OperatorFaults",),
        "A refresh, push or sign-in failed and only an operator can mend why: a provider's secret "
        "is missing, malformed or refused, or AWS refuses a function an access.",
        'Run the saved query "Faults to mend": `error` says what it is, `correlation_id` which '
        "refresh or push.",
        "Mend the secret, which the next refresh reads without a deployment, or the grant or key "
        "that AWS misses.",
    ),
    Entry(
        "Defects",
        ("DefectFaults",),
        "A refresh, push or sign-in met a defect, or an answer outside the provider's contract. "
        "The snapshot that was published before still stands.",
        'Run the saved query "Faults to mend", and search the functions\' logs for "unexpected": '
        "`error` and `places` say where, `correlation_id` which refresh or push.",
        "Report it with these lines.",
    ),
    Entry(
        "Faults that pass",
        ("RetryFaults",),
        "A tenth of an hour's refreshes and pushes failed by something that passes: a provider is "
        "down, or its budget is too small.",
        'Run the saved query "Failed refreshes, counted": `error` says what it is, `provider` '
        "where.",
        "Wait until the provider is back, or raise the `budget` in its secret. While it is down, "
        "you can pause it.",
    ),
    Entry(
        "Faults of the API",
        ("ApiFaults",),
        "A tenth of an hour's calls of the API were answered 5xx.",
        "`error` in the API's access log says whether the gateway or the function answered. If "
        "the function did, its log has the error.",
        "`provider-unavailable` passes by itself. For others, go by the error's name.",
    ),
    Entry(
        "Functions that break",
        ("ApiErrors", "ConnectErrors"),
        "The function in the alarm's name broke, which is a defect, or it ran out of time.",
        "Its log has the error.",
        "Report it with that log; what was asked for can be asked again.",
    ),
    Entry(
        "Failed bulk runs",
        ("FailedBulkRuns",),
        "A bulk run could not go through its list of connections.",
        "Open the failed execution of the machine RefreshAll (output BulkMachineArn): its last "
        "event says why.",
        "Mend that, then start another run; with `older_than_seconds` it passes over what this one "
        "has refreshed.",
    ),
    Entry(
        "Executions that do not end",
        ("StuckRefreshes", "StuckPushes", "StuckBulkRuns"),
        "An execution ran until its machine's time limit. What it held is freed by itself.",
        "Open the one that timed out in Step Functions: its last state says what it waited for.",
        "Ask for its result again. Do not redrive the execution: its refresh or push has ended.",
    ),
    Entry(
        "Dropped calls",
        (
            *("ConcludeDropped", "PushDropped", "BulkDropped", "ReconcileDropped"),
            *("TendDropped", "WatchDropped", "AnnounceDropped"),
        ),
        "Lambda gave up calling the function in the alarm's name. It ends what was left without an "
        "end, keeps tokens alive, measures ages or announces events.",
        "Its log says why.",
        "Mend that, unless AWS was at fault: what it has not done is then done within some "
        "minutes.",
    ),
    Entry(
        "Deprecations",
        ("Deprecations",),
        "A provider says that its API, as Freshet calls it, is about to end.",
        'Search the functions\' logs for "provider deprecates": `provider` says which, `status` '
        "is its word for it.",
        "Look at its announcements, and for a version of Freshet that calls another API.",
    ),
    Entry(
        "Breaches",
        ("Breaches",),
        "For three hours, a twentieth of the connections with an objective have had data older "
        "than it allows.",
        "The metric Breached has them by `provider`; the events freshness.breached say of each why "
        "(`cause`), as does infra.operations.explain.",
        "Where one provider or institution is down it passes by itself; where users have to sign "
        "in again, the applications have to ask them.",
    ),
    Entry(
        "Undelivered events",
        ("Undelivered",),
        "An event reached no target: a schedule's start, an execution's end, an alarm's mail or "
        "new items of a table's stream.",
        "infra.operations.undelivered lists the messages with what each was for, and the error.",
        "Mend what the error says. The same command starts the refreshes that were missed, and "
        "deletes the messages.",
    ),
    Entry(
        "Owed events",
        ("OwedEvents",),
        "An event was not announced within ten minutes: on the bus (output EventBusName) and to "
        "the webhook endpoints of its tenant. It is tried again each minute.",
        "Search the log of the function `announce` for `refused` and `unexpected`: `error` says "
        "what it is, `correlation_id` which event.",
        "Mend that, unless AWS was at fault.",
    ),
    Entry(
        "Disabled endpoints",
        ("EndpointsDisabled",),
        "An application's webhook endpoint was disabled: it has taken nothing for 72 hours, or "
        "has answered 410. What comes meanwhile waits for 30 days.",
        'Search the log of the function `deliver` for "disabled": `endpoint_id` says which one. '
        "Its tenant is told by an event, and by GET /v1/endpoints.",
        "The tenant enables it again. Ask the tenant, if it does not.",
    ),
    Entry(
        "A stream that is behind",
        ("StreamAge",),
        "The function `announce` is ten minutes behind the stream of new events, so that "
        "applications hear of them late.",
        "Its log says whether it fails.",
        "Mend that. If it does not fail, more events come than it can take: it catches up, and "
        "none is lost.",
    ),
    Entry(
        "Lanes that are stuck",
        ("LanesStuck",),
        "For 15 minutes no webhook endpoint's turn has come to its end: the function `deliver` "
        "cannot run, or dies.",
        "Its log, or its metrics Errors and Throttles, say why.",
        "Mend that. What is due waits meanwhile, up to 30 days, and none is lost before.",
    ),
)

RUNBOOK: Final = {name: entry for entry in ENTRIES for name in entry.names}
"""The entry of each alarm, by its name."""


def write_runbook() -> str:
    """The runbook's part of ``docs/operations.md``."""
    return "\n" + "\n".join(
        f"### {entry.heading}\n\n{', '.join(f'`{name}`' for name in entry.names)}\n\n"
        f"- **Means:** {entry.means}\n- **Look:** {entry.look}\n- **Mend:** {entry.mend}\n"
        for entry in ENTRIES
    )
