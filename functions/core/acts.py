"""Who has to act on an error: the groups of ``core.errors``, which names the errors themselves."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Acts(StrEnum):
    """Who has to do something before a repetition can succeed."""

    RETRY = "retry"
    USER = "user"
    CALLER = "caller"
    OPERATOR = "operator"
    DEFECT = "defect"


class FreshetError(Exception):
    """The root. ``text`` is the class's fixed, safe sentence."""

    acts: ClassVar[Acts] = Acts.DEFECT
    text: ClassVar[str] = "Something went wrong."

    def __init__(self, text: str | None = None) -> None:
        """Take a safe text that says more than the class's own, or none."""
        super().__init__(text or self.text)

    @classmethod
    def name(cls) -> str:
        """The name that Step Functions, the API and the logs use."""
        return cls.__name__


class RetryError(FreshetError):
    """Trying again later may help."""

    acts = Acts.RETRY


class UserError(FreshetError):
    """The end user must act at the provider."""

    acts = Acts.USER


class CallerError(FreshetError):
    """The calling application must change its request."""

    acts = Acts.CALLER


class OperatorError(FreshetError):
    """Whoever runs Freshet must act."""

    acts = Acts.OPERATOR


class DefectError(FreshetError):
    """A contract was broken, by Freshet or by the provider."""

    acts = Acts.DEFECT
