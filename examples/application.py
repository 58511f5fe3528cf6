"""An example of an application: its users connect their bank and see what was read there.

It calls Freshet's public API, and Freshet calls nothing of it. Its own sign-in is a name without a
password. ``README.md`` beside it says how to run it.
"""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import requests
from flask import Flask, redirect, render_template_string, request, session, url_for

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

API: Final = os.environ["API"]
TOKEN: Final = os.environ["TOKEN"]
BANK: Final = {"provider": "banno", "settings": {"institution": "garden"}}
ENDED: Final = {"published", "partial", "failed", "cancelled"}
ROWS: Final = 5

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex()
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"  # a foreign page's form comes without the cookie

PAGE: Final = """<!doctype html>
<html lang="en">
<title>Example</title>
<meta name="viewport" content="width=device-width">
{% if waiting %}<meta http-equiv="refresh" content="0">{% endif %}
<style>body { font: 1rem sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto }</style>
<h1>{{ title }}</h1>
{% if text %}<p>{{ text }}</p>{% endif %}
{% for name, records in data.items() %}
<h2>{{ name }}</h2>
{% for record in records %}<pre>{{ record | tojson }}</pre>{% endfor %}
{% endfor %}
{% if action %}<form method="post" action="{{ action }}">
{% if not session.user %}<label>Your name <input name="name" required></label>{% endif %}
<button>{{ button }}</button>
{% if data %}<button formaction="{{ url_for('disconnect') }}">Disconnect</button>{% endif %}
</form>{% endif %}
</html>
"""


@app.before_request
def require_user() -> Response | None:
    """Send the browser home where it must be signed in, and is not."""
    is_open = request.endpoint in {"show_home", "sign_in"}
    return None if is_open or "user" in session else redirect(url_for("show_home"), 303)


@app.get("/")
def show_home() -> str:
    """Show what the user can do now, and some of the data."""
    if "user" not in session:
        return show("Sign in", action="sign_in", button="Sign in")
    text = ""
    if id_ := session.get("refresh"):
        refresh = ask("GET", f"/refreshes/{id_}?wait=20")
        if refresh["status"] not in ENDED:
            return show("Your bank", "Your data is on its way.", waiting=True)
        text = refresh["error"]["detail"] if "error" in refresh else ""
    connection = find_connection()
    if connection is None:
        return show("Your bank", action="connect", button="Connect your bank")
    if connection["reauth_required"]:
        return show("Your bank", text, action="connect", button="Sign in there again")
    data = read(connection) if connection["snapshot"] else {}
    return show("Your bank", text, data=data, action="refresh", button="Refresh")


@app.post("/sign-in")
def sign_in() -> Response:
    """Take the user's word for it. Yours asks for more, and has ids that are no names."""
    session.clear()
    session["user"] = f"user-{sha256(request.form['name'].encode()).hexdigest()[:16]}"
    return redirect(url_for("show_home"), 303)


@app.post("/connect")
def connect() -> Response:
    """Send the browser to where the user signs in at the bank, for the first time or again.

    The session's id is kept in the user's own cookie, and taken from nowhere else.
    """
    connection = find_connection()
    new = {**BANK, "external_id": session["user"]}
    wanted = {
        **({"connection_id": connection["connection_id"]} if connection else new),
        "return_url": url_for("finish_connecting", _external=True),
        "refresh": True,
    }
    opened = ask("POST", "/connect-sessions", json=wanted)
    session["connect_session"] = opened["connect_session_id"]
    return redirect(opened["connect_url"], 303)


@app.get("/signed-in")
def finish_connecting() -> str | Response:
    """Take the browser back, and redeem its code for the user who is signed in here."""
    id_ = session.pop("connect_session", None)
    if "error" in request.args:
        return show("Your bank", "Nothing was connected.", action="connect", button="Try again")
    if id_:
        path, code = f"/connect-sessions/{id_}", request.args.get("code")
        proof = {"code": code, "external_id": session["user"]}
        done = ask("POST", f"{path}/complete", json=proof) if code else ask("GET", path)
        session["refresh"] = done["refresh_id"]
    return redirect(url_for("show_home"), 303)


@app.post("/refresh")
def refresh() -> Response:
    """Ask for fresh data."""
    connection = find_connection() or {}
    started = ask("POST", "/refreshes", json={"connection_id": connection["connection_id"]})
    session["refresh"] = started["refresh_id"]
    return redirect(url_for("show_home"), 303)


@app.post("/disconnect")
def disconnect() -> Response:
    """Erase what was read, and give the consent back."""
    if connection := find_connection():
        ask("DELETE", f"/connections/{connection['connection_id']}")
    session.pop("refresh", None)
    return redirect(url_for("show_home"), 303)


def find_connection() -> dict[str, Any] | None:
    """The connection of the user who is signed in."""
    query = {"external_id": session["user"]}
    found = ask("GET", "/connections", params=query)["connections"]
    return found[0] if found else None


def read(connection: dict[str, Any]) -> dict[str, list[Any]]:
    """The first records of each dataset."""
    path = f"/connections/{connection['connection_id']}/datasets"
    return {
        each["name"]: ask("GET", f"{path}/{each['name']}?limit={ROWS}")["records"]
        for each in ask("GET", path)["datasets"]
    }


def ask(method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
    """Call Freshet's API."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.request(method, API + path, headers=bearer, timeout=35, **options)
    answer.raise_for_status()
    return answer.json()


@app.errorhandler(requests.HTTPError)
def show_problem(error: requests.HTTPError) -> tuple[str, int]:
    """Show what Freshet says of it."""
    return show("That did not work", error.response.json()["detail"]), 502


def show(
    title: str,
    text: str = "",
    *,
    data: dict[str, Any] | None = None,
    action: str = "",
    button: str = "",
    waiting: bool = False,
) -> str:
    """The page."""
    return render_template_string(
        PAGE,
        title=title,
        text=text,
        data=data or {},
        action=action and url_for(action),
        button=button,
        waiting=waiting,
    )
