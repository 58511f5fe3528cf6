"""How fresh a connection's data are, as the API tells it; the rest is in the core and in e2e."""

from __future__ import annotations

from msgspec.structs import replace

from functions.core.errors import RateLimited
from functions.core.freshness.assess import Known, assess
from functions.core.model import Part, PartState, SnapshotPointer
from functions.core.refresh import steps as step
from functions.rest.calls.freshness.assessments import MAX_PARTS, freshness_out
from functions.rest.models import error_out
from tests.support.api_gateway import call, read_problem
from tests.support.scripted_connector import CONNECTION, a_connection, a_manifest, a_refresh

AT = 1_800_000_000.0


def test_the_oldest_parts_that_are_not_fresh_are_listed_and_the_others_counted() -> None:
    parts = [
        Part(part=f"part-{number}", state=PartState.STALE, as_of=AT - number, label=str(number))
        for number in range(MAX_PARTS + 5)
    ]
    manifest = replace(a_manifest(as_of=AT), parts=tuple(parts), as_of=parts[-1].as_of)
    pointer = SnapshotPointer(
        refresh_id="ref_1", key="k", version_id="1", published_at=AT, as_of=AT
    )
    failed = step.fail(a_refresh("ref_0", at=AT - 99), RateLimited, at=AT - 90)
    known = Known(connection=a_connection(snapshot=pointer), latest=[failed], manifest=manifest)
    told = freshness_out(assess(known, at=AT), known, None, at=AT)
    assert [(part.part, part.label) for part in told.not_fresh] == [
        (f"part-{n}", f"{n}") for n in range(24, 4, -1)
    ]
    assert (told.more, told.age_seconds, told.objective) == (5, 24, None)
    assert told.last_published is not None
    assert told.last_published.refresh_id == "ref_1"
    assert told.last_failed is not None
    assert (told.last_failed.refresh_id, told.last_failed.error) == (
        "ref_0",
        error_out("RateLimited"),
    )


def test_an_age_outside_its_bounds_is_refused() -> None:
    answer = call(
        "GET",
        f"/v1/connections/{CONNECTION}/freshness",
        queryStringParameters={"max_age_seconds": "-1"},
    )
    assert read_problem(answer, 400)["detail"].startswith("max_age_seconds must be a whole number")
