"""Tells what is wrong with AWS from what is wrong with us.

A store, key or engine that is asked for too much, that is away or that breaks off is well again
some time later: that is a ``PlatformFault``. What AWS refuses to this role is for the operator to
mend. Anything else that it refuses is a defect, as is any error of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - the SDK's name
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import SSLError  # of a body: botocore passes it on as it is

from functions.core.errors import ConfigurationInvalid, FreshetError, PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterable

UNREACHED: Final = (
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
    SSLError,
)
"""No connection, none in time, one that broke off, or an answer that is cut off or mixed up."""

PASSES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "ConflictException",
        "DependencyTimeoutException",
        "EC2ThrottledException",
        "ExecutionLimitExceeded",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceConflictException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""The codes of DynamoDB, S3, KMS, Step Functions, Secrets Manager, Scheduler and Lambda for what
passes; of a transaction's reasons, too. S3 puts ``KMS.`` before the codes of KMS. A token that has
expired and a clock that is wrong are those of a function that was frozen: the next has others.
``ResourceConflictException`` is Lambda's for a function that is being deployed."""

REFUSES: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "NotFoundException",
        "UnrecognizedClientException",
    }
)
"""The codes for a grant that this role lacks, and for a key that is disabled, to be deleted or
gone, which KMS alone calls ``NotFoundException``."""

_REFUSED: Final = (
    "AWS refuses the access that this needs. The operator must mend the role's grants or the key."
)
_SERVER_FAULT: Final = 500
_TOO_MANY: Final = 429


def fault_of(error: BaseException) -> FreshetError | None:
    """Translate an error of the SDK into ours; None for a defect, or an error of another kind."""
    if isinstance(error, UNREACHED):
        return PlatformFault()
    if not isinstance(error, ClientError):
        return None
    if passes(error):
        return PlatformFault()
    return ConfigurationInvalid(_REFUSED) if code_of(error) in REFUSES else None


def passes(error: ClientError) -> bool:
    """True if AWS could do the same some time later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= _SERVER_FAULT or status == _TOO_MANY or code_of(error) in PASSES:
        return True
    reasons = {each["Code"] for each in error.response.get("CancellationReasons", [])} - {"None"}
    return bool(reasons) and reasons <= PASSES


def code_of(error: BaseException) -> str:
    """Name the error as AWS does, or by its class; neither tells of any data."""
    if not isinstance(error, ClientError):
        return type(error).__name__
    return error.response["Error"]["Code"].removeprefix("KMS.")


def partial_batch_error(operation: str, codes: Iterable[str]) -> ClientError:
    """Make the error of a batch that AWS has done in part, from the codes of the rest.

    AWS answers such a batch with success. One code that does not pass outweighs those that do.
    """
    worst = min(codes, key=lambda code: code in PASSES)
    return ClientError(
        {"Error": {"Code": worst, "Message": "The batch was done in part."}}, operation
    )
