"""A check of our own for schemathesis, which loads this module by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, CheckContext, Response

SHAPE: Final = re.compile(
    r"The body is (?!not valid: Expected `int.*got `float`)"
    r"|Unknown query parameter|A query parameter|must be a whole number|since must be"
)
"""How the API says that a request has another shape than the models; what a request means may
be refused in other words. JSON Schema takes 5.0 for a whole number, and the API does not."""


@schemathesis.check
def what_the_document_allows_has_the_right_shape(
    _ctx: CheckContext, response: Response, case: Case[Any]
) -> None:
    allowed = case.meta is not None and case.meta.generation.mode.is_positive
    if allowed and response.status_code == 400:
        detail = response.json()["detail"]
        assert not SHAPE.search(detail), detail
