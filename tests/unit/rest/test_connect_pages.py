"""The pages of a connect session: what they say, and what they cannot do."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, Provider
from functions.core.connect.flow import Halt
from functions.core.connect.model import LastError, SessionStatus
from functions.core.connect.ports import Purpose, SignInError
from functions.core.connect.return_urls import Application
from functions.rest import connect_pages as pages
from tests.support.connect_harness import Connecting
from tests.support.scripted_connector import a_connection

ACME = Application(name="Acme Budget", privacy_url="https://acme.example/privacy?a=1&b=2")
SESSION = Connecting(user_label="ada@example.com").session
MARKUP = "<script>alert(1)</script>\"' onfocus=x {0} {provider} $title"

ANSWERS: dict[str, dict[str, Any]] = {
    "invitation": pages.invite(SESSION, ACME, form="f"),
    "left": pages.tell_left(),
    "on": pages.go("https://bank.example/auth"),
    **{name: pages.tell_fault(name) for name in pages.FAULTS},
    **{status: pages.tell_end(replace(SESSION, status=status), ACME) for status in pages.ENDS},
}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer["body"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += "" if self.found and self.found[-1][0] == "style" else data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("answer", [pytest.param(each, id=name) for name, each in ANSWERS.items()])
def test_an_answer_loads_nothing_and_is_kept_framed_and_told_of_nowhere(
    answer: dict[str, Any],
) -> None:
    headers = answer["headers"]
    styles = re.findall(r"<style>(.*?)</style>", ANSWERS["left"]["body"], re.DOTALL)
    digests = [base64.b64encode(sha256(each.encode()).digest()).decode() for each in styles]

    assert headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script|<img|<link|\ssrc=|\sstyle=|\son\w+=|http-equiv", answer["body"])


@pytest.mark.parametrize(
    "answer", [pytest.param(each, id=name) for name, each in ANSWERS.items() if name != "on"]
)
def test_a_page_can_be_read_on_a_telephone_and_by_a_machine_that_reads_aloud(
    answer: dict[str, Any],
) -> None:
    page = Elements(answer)

    assert page.named("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in (
        page.named("meta")
    )
    assert len(page.named("h1")) == len(page.named("main")) == len(page.named("title")) == 1


def test_the_invitation_names_who_asks_whom_for_what_and_can_be_declined() -> None:
    page = Elements(ANSWERS["invitation"])
    words = " ".join(page.text.split())

    for said in (
        "Connect Banno (garden) to Acme Budget",
        "For ada@example.com",
        "your accounts",
        "the transactions of your accounts",
        "Acme Budget never sees your password",
    ):
        assert said in words
    assert page.named("a") == [{"href": ACME.privacy_url}]
    assert page.named("form") == [{"method": "post"}]
    assert [each["value"] for each in page.named("button")] == ["continue", "leave"]


def test_the_invitation_calls_an_institution_what_its_customers_call_it() -> None:
    ours = replace(ACME, provider_names={"banno/garden": "Garden Community Bank"})
    page = Elements(pages.invite(SESSION, ours, form="f"))

    assert "Connect Garden Community Bank to Acme Budget" in page.text
    assert "Banno" not in page.text


def test_what_others_have_named_is_text_only() -> None:
    session = replace(
        SESSION,
        user_label=MARKUP,
        connection=a_connection(
            provider="endgrate", datasets=("x-1",), titles={"x-1": MARKUP}, settings={}
        ),
    )
    page = Elements(pages.invite(session, Application(name=MARKUP, privacy_url=MARKUP), form="f"))

    assert {tag for tag, _ in page.found} == {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "p", "ul", "li", "a"),
        *("form", "input", "button"),
    }
    assert page.text.count(MARKUP) >= 4
    assert all(set(attributes) == {"href"} for attributes in page.named("a"))


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("provider", Provider)
def test_there_is_a_page_for_each_purpose_at_each_provider(
    purpose: Purpose, provider: Provider
) -> None:
    connection = a_connection(provider=provider, datasets=REGISTRY[provider].datasets or ("x",))
    session = replace(SESSION, purpose=purpose, connection=connection)
    page = Elements(pages.invite(session, ACME, form="f"))

    assert REGISTRY[provider].title in page.text
    assert "{" not in page.text


@pytest.mark.parametrize("error", SignInError)
def test_each_error_of_an_attempt_says_what_to_do(error: SignInError) -> None:
    session = replace(SESSION, last_error=LastError(name=error, at=1.0))
    page = Elements(pages.invite(session, ACME, form="f"))

    assert {"role": "alert"} in page.named("p")
    assert re.search(r"[Tt]ry again|Try in|Continue", page.text)


@pytest.mark.parametrize("why", Halt)
def test_each_end_of_a_way_has_its_page(why: Halt) -> None:
    assert (
        ANSWERS[why]["statusCode"]
        == {
            Halt.UNKNOWN_LINK: 404,
            Halt.SESSION_OVER: 410,
            Halt.WRONG_BROWSER: 400,
        }[why]
    )


def test_ends_tell_whether_it_was_done() -> None:
    told = {status: ANSWERS[status]["statusCode"] for status in pages.ENDS}

    assert told == {
        SessionStatus.AUTHORIZED: 200,
        SessionStatus.CONNECTED: 200,
        SessionStatus.CANCELLED: 410,
        SessionStatus.EXPIRED: 410,
    }


def test_a_browser_is_sent_on_by_a_get() -> None:
    assert ANSWERS["on"]["statusCode"] == 303
    assert ANSWERS["on"]["headers"]["Location"] == "https://bank.example/auth"
