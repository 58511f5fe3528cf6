"""The Endgrate simulator's switches: read with GET, merged with POST `/_simulator/settings`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.local.simulators.endgrate.kinds import (
    COMPANY,
    CONTACT,
    CUSTOM_OBJECT,
    DEAL,
    PAGE_VIEWS,
    TICKET,
)

Seconds = Annotated[float, Meta(ge=0, le=604_800)]
Count = Annotated[int, Meta(ge=0, le=900_000)]
Call = Literal["trigger", "statistics", "data", "errors"]
_RECORDS = {CONTACT: 430, COMPANY: 120, DEAL: 0, TICKET: 60, PAGE_VIEWS: 100_000, CUSTOM_OBJECT: 12}
_OTHER_RECORDS = 25


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All switches with what they are at the beginning.

    Attributes:
        transfer_seconds: from a transfer's start to its completion.
        page_delay_seconds: what each page of data takes longer.
        sync_ceiling_seconds: how long a synchronous trigger is held at most.
        session_seconds: how long a session lasts that is not saved.
        continuous_seconds: how often a continuous data webhook has its session pulled.
        unconfigured_status: of the answer that a session is not yet configured.
        records: how many each type has at the user's provider; 25 where nothing is said.
        broken: by type and call, the status with which calls about its transfers are answered.
        failing: by type, how many of each transfer's records fail: the first ones.
        added_per_pull: records that each pull finds new at the user's provider.
        updated_per_pull: records that each pull finds changed there.
        removed_per_pull: records that each pull finds gone from there.
        transfer_data_error: the error type of a pushed record that does not fit its schema; the API
            description, and clients generated from it, know `mapping`, newer guides the other.
        sort: the order of a transfer's records.
        next_link: how pages name the next one beside its offset.
        most: how many entries a page holds at most, whatever its caller asks for.
        odd: how many of each page's first records have null for an id.
        overlap: how many records of the page before each page repeats.
        gap: so many places in the middle of the data have no record: short and empty pages.
        drift: records and pages carry members that no schema tells of.
        webhook_tries: how often a webhook is posted until it is acknowledged.
        webhook_gap_seconds: between two tries.
        webhook_timeout_seconds: how long a webhook's answer is waited for.
    """

    transfer_seconds: Seconds = 2.0
    page_delay_seconds: Seconds = 0.0
    sync_ceiling_seconds: Seconds = 300.0
    session_seconds: Seconds = 72 * 3600.0
    continuous_seconds: Annotated[float, Meta(ge=0.01, le=604_800)] = 900.0
    unconfigured_status: Annotated[int, Meta(ge=200, le=499)] = 400
    records: dict[str, Count] = msgspec.field(default_factory=_RECORDS.copy)
    broken: dict[str, dict[Call, Annotated[int, Meta(ge=400, le=599)]]] = {}
    failing: dict[str, Count] = msgspec.field(default_factory=lambda: {TICKET: 3})
    added_per_pull: Count = 0
    updated_per_pull: Count = 0
    removed_per_pull: Count = 0
    transfer_data_error: Literal["mapping", "transfer_data"] = "mapping"
    sort: Literal["ascending", "descending", "scattered"] = "ascending"
    next_link: Literal["absolute", "relative", "none"] = "absolute"
    most: Annotated[int, Meta(ge=1, le=250)] = 250
    odd: Count = 0
    overlap: Count = 0
    gap: Count = 0
    drift: bool = False
    webhook_tries: Annotated[int, Meta(ge=1, le=20)] = 3
    webhook_gap_seconds: Seconds = 0.2
    webhook_timeout_seconds: Annotated[float, Meta(ge=0.01, le=600)] = 10.0

    def records_of(self, source: str) -> int:
        """How many records a type has at the beginning."""
        return self.records.get(source, _OTHER_RECORDS)
