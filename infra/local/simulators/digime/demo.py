"""What a newcomer, or the launcher, needs to know to use the digi.me simulator."""

from __future__ import annotations

from infra.local.simulators.control import PREFIX
from infra.local.simulators.digime.contract import the_contract, the_write_contract
from infra.local.simulators.digime.people import PEOPLE, SERVICES
from infra.local.simulators.digime.sharing import API_PATH, WEB_CLIENT_PATH
from infra.local.simulators.pkce import challenge_of

_VERIFIER = "a-verifier-for-trying-things-out-by-hand-0123456789"
_HEADER = '{"alg":"PS512","typ":"JWT"}'
_SIGN = "openssl dgst -sha512 -sign $KEY -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64"
_AUTHORIZE = (
    '"response_type":"code","response_mode":"query","state":"s1",'
    f'"code_challenge_method":"S256","code_challenge":"{challenge_of(_VERIFIER)}"'
)
_REDEEM = f'"grant_type":"authorization_code","code_verifier":"{_VERIFIER}","code":"'
_TRIGGER = '"access_token":"'


def facts(base_url: str) -> dict[str, object]:
    """The facts about a simulator served at a base address, by name; `try` are shell lines."""
    contract = the_contract()
    return {
        "base_url": base_url,
        "api_base": f"{base_url}{API_PATH}/",
        "web_client": f"{base_url}{WEB_CLIENT_PATH}/",
        "jwks_url": f"{base_url}{API_PATH}/jwks/oauth",
        "application_id": contract.application_id,
        "contract_id": contract.contract_id,
        "push_contract_id": the_write_contract().contract_id,
        "redirect_uris": list(contract.redirect_uris),
        "redirect_ports": "any port will do on 127.0.0.1; more in the setting redirect_uris",
        "users": [{"name": user.name, "id": user.id, "what": user.special} for user in PEOPLE],
        "services": [{"id": service.id, "name": service.name} for service in SERVICES],
        "control": [
            f"GET|POST {PREFIX}/settings",
            f"GET|POST|DELETE {PREFIX}/faults",
            f"GET|DELETE {PREFIX}/ledger",
            f"POST {PREFIX}/revoke, {PREFIX}/expire, {PREFIX}/expire_sessions (user)",
            f"POST {PREFIX}/push (user, name, content, mimetype): a file into the user's postbox",
            f"POST {PREFIX}/rotate_keys, {PREFIX}/reset",
            f"GET {PREFIX}/private_key",
        ],
        "try": _lines(base_url),
        "private_key": contract.private_key_pem,
        "push_private_key": the_write_contract().private_key_pem,
    }


def _lines(base_url: str) -> list[str]:
    outcome = '{"outcome": {"ada": "failed"}, "sync_seconds": 0.5}'
    fault = '{"method": "GET", "path": "*/query/*", "kind": "status", "status": 503}'
    return [
        f"SIMULATOR={base_url}{PREFIX} API={base_url}{API_PATH} WEB={base_url}{WEB_CLIENT_PATH}",
        "KEY=$(mktemp); curl -s $SIMULATOR/private_key > $KEY",
        "b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }",
        f"claims() {{ echo '{{{_same_claims()}'$1'}}' | b64; }}",
        f"sign() {{ printf $1 | {_SIGN} | b64; }}",
        f"jwt() {{ B=$(echo '{_HEADER}' | b64).$(claims $1); echo $B.$(sign $B); }}",
        'post() { curl -s -X POST -H "Authorization: Bearer $(jwt $2)" $API/$1; }',
        """value() { grep -o "\\"$1\\":[^,]*" | tr -d '{}"' | sed 's/.*://'; }""",
        "claim() { cut -d. -f2 | tr '_-' '/+' | base64 -d 2>&- | value $1; }",
        f"PREAUTHORISED=$(post oauth/authorize '{_AUTHORIZE}' | claim preauthorization_code)",
        'GO="$WEB/authorize?code=$PREAUTHORISED&user=ada"',
        "CODE=$(curl -so /dev/null -w '%{redirect_url}' $GO | sed 's/.*code=//')",
        f"TOKEN=$(post oauth/token '{_REDEEM}'$CODE'\"' | claim access_token)",
        f"SESSION=$(post permission-access/trigger '{_TRIGGER}'$TOKEN'\"' | value key)",
        "curl -s $API/permission-access/query/$SESSION",
        f"curl -s $SIMULATOR/settings -d '{outcome}'",
        f"curl -s $SIMULATOR/faults -d '{fault}'",
        "curl -s $SIMULATOR/ledger",
    ]


def _same_claims() -> str:
    contract = the_contract()
    return (
        f'"client_id":"{contract.client_id}","redirect_uri":"{contract.redirect_uris[0]}",'
        """"timestamp":'$(date +%s)000',"nonce":"'$(openssl rand -hex 16)'","""
    )
