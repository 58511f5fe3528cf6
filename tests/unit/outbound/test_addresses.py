from __future__ import annotations

import socket
from typing import Any

import pytest

from functions.core.errors import EndpointRefused, InvalidRequest
from functions.outbound.addresses import check_url

PUBLIC = "93.184.215.14"


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
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0x0.0x0.0x1",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0177.0x0.0.1",
        "127.0.0.1.",
        "127.000.000.001",
        "\u2460\u2461\u2466.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "[::1%25lo]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0",
        "1.1.1.1",
        "[2606:4700::1111]",
    ],
)
def test_a_literal_address_is_refused_however_it_is_spelled(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:8443/"):
        with pytest.raises(InvalidRequest):
            check_url(url)


ADDRESSES = {
    "this network": ["0.0.0.0", "0.1.2.3"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "loopback": ["127.0.0.1", "127.255.255.254"],
    "link local": ["169.254.169.254", "169.254.170.2", "169.254.169.253", "169.254.100.1"],
    "protocol assignments": ["192.0.0.1", "192.0.0.170"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1"],
    "relays": ["192.88.99.1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255"],
    "reserved": ["240.0.0.1", "255.255.255.255"],
    "unspecified": ["::"],
    "loopback of IPv6": ["::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:1.1.1.1", "::ffff:0:7f00:1"],
    "compatible": ["::7f00:1", "::a9fe:a9fe"],
    "translated": ["64:ff9b::7f00:1", "64:ff9b:1::1"],
    "discarded": ["100::1", "100:0:0:1::1"],
    "tunnels": ["2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2002:7f00:1::"],
    "documentation of IPv6": ["2001:db8::1", "3fff::1"],
    "segment routing": ["5f00::1"],
    "unique local": ["fc00::1", "fd00:ec2::254", "fd12:3456::1"],
    "link local of IPv6": ["fe80::1", "fe80::1%2"],
    "site local": ["fec0::1"],
    "multicast of IPv6": ["ff02::1", "ff0e::1"],
    "not given out": ["1000::1", "4000::1", "e000::1"],
}
REFUSED = [address for group in ADDRESSES.values() for address in group]


def test_there_are_many_kinds() -> None:
    assert len(set(REFUSED)) >= 40


@pytest.mark.parametrize("address", REFUSED)
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
