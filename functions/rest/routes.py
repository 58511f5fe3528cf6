"""Every call of the API. The door routes by this table, the OpenAPI document is made from it."""

from __future__ import annotations

from typing import Final

from functions.rest import console, pages
from functions.rest.calls import (
    bulk_runs,
    catalogues,
    connect_sessions,
    connections,
    datasets,
    erasures,
    errors,
    pushes,
    refreshes,
    registrations,
    schedules,
)
from functions.rest.calls.events import deliveries, endpoints, log
from functions.rest.calls.freshness import assessments, objectives, receipts
from functions.rest.route import Route, routes

MODULES: Final = (
    registrations,
    connect_sessions,
    connections,
    erasures,
    assessments,
    schedules,
    objectives,
    refreshes,
    pushes,
    bulk_runs,
    datasets,
    receipts,
    log,
    endpoints,
    deliveries,
    catalogues,
    errors,
    pages,
    console,
)
"""The modules whose import registers calls."""

ROUTES: Final[dict[str, dict[str, Route]]] = routes()
