"""The authorization server's names for itself: its issuer and its discovery document."""

from __future__ import annotations

from flask import request

from infra.local.simulators.banno.dpop import PROOF_ALGORITHMS
from infra.local.simulators.banno.scopes import CLAIMS, SECURITY_LEVELS, SUPPORTED
from infra.local.simulators.banno.signing import ALGORITHMS

API_PATH = "/a/consumer/api/v0"
_CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post", "none"]


def api_base(origin: str) -> str:
    """The base URL of the Consumer API at an origin such as `http://127.0.0.1:9001`."""
    return f"{origin}{API_PATH}"


def issuer_of(origin: str) -> str:
    """The issuer identifier at an origin."""
    return f"{api_base(origin)}/oidc"


def origin() -> str:
    """The origin that the current request was sent to."""
    return request.host_url.rstrip("/")


def discovery() -> dict[str, object]:
    """The provider's metadata, as OpenID Connect Discovery 1.0 lays it out."""
    issuer = issuer_of(origin())
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/auth",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/me",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/token/introspection",
        "revocation_endpoint": f"{issuer}/token/revocation",
        "pushed_authorization_request_endpoint": f"{issuer}/request",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": list(SUPPORTED),
        "claims_supported": ["sub", *CLAIMS],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "acr_values_supported": list(SECURITY_LEVELS),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "introspection_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
    }
