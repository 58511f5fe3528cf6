"""The scopes and claims of Banno's authentication framework that the simulator knows."""

from __future__ import annotations

_PREFIX = "https://api.banno.com/consumer/auth/"
OPENID = ("openid",)
ACCOUNTS = (f"{_PREFIX}accounts.readonly", f"{_PREFIX}accounts.readwrite")
TRANSACTIONS = (f"{_PREFIX}transactions.detail.readonly",)
PROFILE = (f"{_PREFIX}user.profile.readonly",)
OFFLINE = f"{_PREFIX}offline_access"
_STANDARD = ("openid", "profile", "email", "address", "phone")
SUPPORTED = (*_STANDARD, OFFLINE, *ACCOUNTS, *TRANSACTIONS, *PROFILE)
INSTITUTION_CLAIM = "https://api.banno.com/consumer/claim/institution_id"
CLAIMS_OF = {
    "profile": ("name", "given_name", "family_name"),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""The claims that a scope asks for (OpenID Connect Core 1.0 §5.4)."""
CLAIMS = (*(claim for claims in CLAIMS_OF.values() for claim in claims), INSTITUTION_CLAIM)

SECURITY_LEVELS = tuple(
    f"https://api.banno.com/consumer/security-level/{level}"
    for level in ("standard", "enhanced", "high", "restricted")
)


def is_scope(scope: str) -> bool:
    """Whether Banno could grant this: a standard scope, or any below its own prefix.

    The list of Banno's scopes grows, and a client may ask for more than the simulator serves.
    """
    return scope in _STANDARD or (scope.startswith(_PREFIX) and scope != _PREFIX)
