"""An address that is taken leads to one place, whatever reads it."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import requests
from hypothesis import given
from hypothesis import strategies as st

from functions.core.errors import InvalidRequest
from functions.outbound.addresses import read_place

PIECES = (
    *(
        "https://",
        "http://",
        "//",
        ":",
        "/",
        "\\",
        "@",
        "?",
        "#",
        "%",
        "[",
        "]",
        ".",
        "-",
        "_",
        ";",
    ),
    *(
        "hooks.example.com",
        "a.b",
        "127.0.0.1",
        "::1",
        "localhost",
        "xn--bcher-kva.example",
        "evil.io",
    ),
    *(
        "443",
        "8443",
        "0",
        "00443",
        "65535",
        "65536",
        "%2e",
        "%00",
        "\t",
        "\n",
        " ",
        "\u3002",
        "ß",
        "٣",
    ),
)


@given(
    st.sampled_from(("", "@", "evil.io@", "a:b@", "/", "\\")),
    st.sampled_from(
        ("hooks.example.com", "HOOKS.Example.com", "xn--bcher-kva.example", "a.b", "1.b")
    ),
    st.sampled_from(("", ":443", ":8443", ":65535", ":", ":0443", ":@evil.io", "%2eevil.io", ".")),
    st.lists(st.sampled_from(PIECES) | st.characters(), max_size=4).map("".join),
)
def test_every_reader_finds_the_host_and_port_that_were_judged(
    user: str, name: str, port_: str, rest: str
) -> None:
    url = f"https://{user}{name}{port_}{rest}"
    with suppress(InvalidRequest):
        host, port = read_place(url)
        sent = urlsplit(requests.Request("POST", url).prepare().url or "")
        for read in (urlsplit(url), sent):
            assert read.scheme == "https"
            assert (read.hostname, read.port or 443) == (host.lower(), port)
            assert (read.username, read.password, read.fragment) == (None, None, "")


@given(st.text(max_size=40))
def test_a_text_is_taken_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/"):
        with suppress(InvalidRequest):
            host, _ = read_place(url)
            assert host.isascii()
            assert not host.rpartition(".")[2][0].isdigit()
