"""The pages on which an end user configures, edits and reauthenticates a session.

Endgrate's guides: the user is sent to `/session` with the session's id, chooses a provider unless
the caller has, signs in, chooses schemas and fields if the caller lets them, and is sent to the
`redirect_url`. `/session/edit` and `/session/reauthenticate` are for later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template_string, request

from infra.local.simulators.endgrate.kinds import CUSTOM_OBJECT
from infra.local.simulators.endgrate.provider import the_endgrate
from infra.local.simulators.endgrate.providers import PROVIDERS, Provider
from infra.local.simulators.endgrate.replies import ApiError, single
from infra.local.simulators.endgrate.sessions import Choice

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from infra.local.simulators.endgrate.sessions import Session

pages = Blueprint("pages", __name__, url_prefix="/session")
_FRAME = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{{ title }}</title>
<body style="font: 1rem/1.6 system-ui; max-width: 34rem; margin: 3rem auto">
<h1>{{ title }}</h1>
{% if session %}<form method="post">
{% for provider in providers %}<p><label><input type="radio" name="provider" required
value="{{ provider.name }}"{% if loop.length == 1 %} checked{% endif %}> {{ provider.display }}
</label></p>{% endfor %}
{% if choosing %}{% for resource in resources %}<fieldset><legend>
{% if session.asked.schema_selection %}<label><input type="checkbox" name="schema" checked
value="{{ resource.name }}"> {{ resource.name }}</label>{% else %}{{ resource.name }}{% endif %}
</legend>{% if session.asked.field_selection %}{% for field in resource.spec.properties %}
<label><input type="checkbox" name="field:{{ resource.name }}" checked value="{{ field }}">
{{ field }}</label>{% endfor %}{% endif %}</fieldset>{% endfor %}
{% if session.asked.passthrough_schemas and session.asked.schema_selection %}
<p><label><input type="checkbox" name="custom_object" value="1">
{{ custom_object }}</label></p>{% endif %}{% endif %}
{% if accounts %}<p><label><input type="checkbox" name="another_account" value="1">
To another account of mine</label></p>{% endif %}
<p><button>{{ button }}</button></p></form>{% else %}<p>You can close this page.</p>{% endif %}
"""


@pages.get("")
def show_configuring() -> str:
    """The page on which a session is configured."""
    session = _session()
    return _form(session, "Connect your data", providers=session.possible_providers())


@pages.post("")
def configure() -> Response | str:
    """Configures the session, and sends the user back."""
    session = _session()
    provider = PROVIDERS.get(request.form.get("provider", ""))
    if provider is None:
        raise ApiError("Choose a provider.")
    if not _is_abandoned():
        the_endgrate().configure(session, _choice(session, provider))
    return _back(session)


@pages.get("/edit")
def show_editing() -> str:
    """The page on which schemas and fields of a configured session are chosen again."""
    session, _ = _find_configured()
    return _form(session, "Edit your connection", providers=[])


@pages.post("/edit")
def edit() -> Response | str:
    """Takes the new choice, and sends the user back."""
    session, provider = _find_configured()
    if not _is_abandoned():
        the_endgrate().configure(session, _choice(session, provider))
    return _back(session)


@pages.get("/reauthenticate")
def show_reauthenticating() -> str:
    """The page on which the user signs in at the provider again."""
    session, provider = _find_configured()
    title = f"Sign in to {provider.display} again"
    return _page(title, session=session, button="Sign in", accounts=True)


@pages.post("/reauthenticate")
def reauthenticate() -> Response | str:
    """Takes the user's word for it, and sends them back."""
    session, _ = _find_configured()
    if not _is_abandoned():
        another = "another_account" in request.form
        the_endgrate().reauthenticate(session, another_account=another)
    return _back(session)


def _is_abandoned() -> bool:
    return the_endgrate().settings.abandoned


def _session() -> Session:
    return the_endgrate().sessions.find(single(request.args, "session_id"))


def _find_configured() -> tuple[Session, Provider]:
    session = _session()
    if session.provider is None:
        raise ApiError("Session not yet configured.")
    return session, session.provider


def _choice(session: Session, provider: Provider) -> Choice:
    asked, form = session.asked, request.form
    names = [each.name for each in session.resources()]
    return Choice(
        provider=provider,
        schemas=form.getlist("schema") if asked.schema_selection else None,
        fields={name: form.getlist(f"field:{name}") for name in names}
        if asked.field_selection
        else {},
        custom_object=bool(asked.passthrough_schemas and "custom_object" in form),
    )


def _form(session: Session, title: str, *, providers: list[Provider]) -> str:
    return _page(
        title,
        session=session,
        button="Connect" if providers else "Save",
        providers=providers,
        choosing=True,
        resources=session.resources(),
        custom_object=CUSTOM_OBJECT,
    )


def _page(title: str, **shown: object) -> str:
    return render_template_string(_FRAME, title=title, **shown)


def _back(session: Session) -> Response | str:
    url, adds = session.asked.redirect_url, the_endgrate().settings.redirect_adds
    if url is None:
        return _page("All set")
    return redirect(f"{url}{'&' if '?' in url else '?'}{urlencode(adds)}" if adds else url)
