from __future__ import annotations

import socket
from typing import Any

import pytest

from functions.core.errors import EndpointRefused, InvalidRequest
from functions.outbound.addresses import check_url
from tests.support.trick_addresses import LITERALS, NOT_PUBLIC, PUBLIC


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What each name leads to; a literal address leads to itself, another name nowhere."""
    told: dict[str, list[str]] = {"hooks.example.com": [PUBLIC, "2606:2800:21f:cb07::1"]}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        try:
            found = told[host.lower()]
        except KeyError:
            raise socket.gaierror from None
        return [(0, 0, 0, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return told


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "https://HOOKS.example.com/in?a=b&c=%20[x]'~",
        "https://hooks.example.com?a",
        "https://hooks.example.com:443/",
        "https://hooks.example.com:1024/",
        "https://hooks.example.com:65535/",
    ],
)
def test_https_on_the_public_internet_is_taken(url: str) -> None:
    check_url(url)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "//hooks.example.com/",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https:hooks.example.com",
        "https:///hooks.example.com",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:1023/",
        "https://hooks.example.com:0443/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:-1/",
        "https://hooks.example.com:\u0664\u0664\u0663/",
        "https://user@hooks.example.com/",
        "https://user:word@hooks.example.com/",
        "https://@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com#@other.example",
        "https://hooks.example.com\\@other.example/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\n",
        "https://hooks.example.com/\x00",
        " https://hooks.example.com/",
        "https://hooks.example.com/ä",
        "https://hooks.example.com./",
        "https://.hooks.example.com/",
        "https://hooks..example.com/",
        "https://-hooks.example.com/",
        "https://hooks_.example.com/",
        "https://%68ooks.example.com/",
        "https://höoks.example.com/",
        "https://hooks\u3002example\u3002com/",
        "https://hooks\uff0eexample.com/",
        "https://intranet/",
        "https://localhost/",
        "https://hooks.example.com/" + "a" * 2000,
        "https://" + "a" * 64 + ".example.com/",
    ],
)
def test_another_spelling_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(InvalidRequest, match="url must be https:// and a DNS name"):
        check_url(url)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("host", LITERALS)
def test_a_literal_address_is_refused_however_it_is_spelled(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:8443/"):
        with pytest.raises(InvalidRequest):
            check_url(url)


def test_there_are_many_kinds() -> None:
    assert len(set(NOT_PUBLIC)) >= 40
    assert len(set(LITERALS)) >= 22


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_leads_inside_is_refused(address: str, names: dict[str, list[str]]) -> None:
    names["trick.example.com"] = [address]

    with pytest.raises(EndpointRefused):
        check_url("https://trick.example.com/")


@pytest.mark.parametrize("address", ["10.0.0.1", "::1", "169.254.169.254"])
@pytest.mark.parametrize("first", [True, False])
def test_one_inner_address_among_public_ones_is_enough(
    address: str, names: dict[str, list[str]], *, first: bool
) -> None:
    names["mixed.example.com"] = [address, PUBLIC] if first else [PUBLIC, address]

    with pytest.raises(EndpointRefused):
        check_url("https://mixed.example.com/")


@pytest.mark.parametrize(
    "address",
    [
        "1.0.0.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2606:4700::1111",
        "2a00:1450::1",
        "3ffe::1",
    ],
)
def test_what_lies_beside_them_is_public(address: str, names: dict[str, list[str]]) -> None:
    names["edge.example.com"] = [address]

    check_url("https://edge.example.com/")


@pytest.mark.usefixtures("names")
def test_a_name_that_leads_nowhere_is_refused_by_the_same_text(
    names: dict[str, list[str]],
) -> None:
    names["inside.example.com"] = ["10.0.0.1"]
    texts = set()
    for name in ("inside", "nowhere"):
        with pytest.raises(EndpointRefused) as refused:
            check_url(f"https://{name}.example.com/")
        texts.add(str(refused.value))

    assert len(texts) == 1


LOCAL = {
    "localhost": ["127.0.0.1", "::1"],
    "127.0.0.1": ["127.0.0.1"],
    "::1": ["::1"],
}


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/in",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/",
        "https://127.0.0.1",
    ],
)
def test_only_the_local_stage_takes_this_machine(url: str, names: dict[str, list[str]]) -> None:
    names.update(LOCAL)

    check_url(url, loopback=True)
    with pytest.raises(InvalidRequest):
        check_url(url)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_the_local_stage_takes_no_other_network(address: str, names: dict[str, list[str]]) -> None:
    names["inside.example.com"] = [address]

    with pytest.raises(EndpointRefused):
        check_url("https://inside.example.com/", loopback=True)
    with pytest.raises(InvalidRequest):
        check_url("http://hooks.example.com/", loopback=True)
