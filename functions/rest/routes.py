"""Every call of the API: the door routes by this table, the OpenAPI document is made from it.

To add a call: an entry in the table of its subject (``connection_routes``, ``refresh_routes``,
``dataset_routes``; a new subject is a new module beside them, named here, and a ``Tag``), an
example of each new model and of an id that is new in ``examples``. ``make tables`` writes it into
the docs. Tests say what of this is missing, and try every call with ids of another tenant and with
odd bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.rest import (
    bulk_routes,
    connection_routes,
    dataset_routes,
    page_routes,
    push_routes,
    refresh_routes,
)

if TYPE_CHECKING:
    from functions.rest.route import Route

ROUTES: Final[dict[str, dict[str, Route]]] = {
    **connection_routes.ROUTES,
    **dataset_routes.ROUTES,
    **refresh_routes.ROUTES,
    **bulk_routes.ROUTES,
    **push_routes.ROUTES,
    **page_routes.ROUTES,
}
