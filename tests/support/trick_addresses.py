"""Addresses that lead inside, by the networks that they are in, and spellings of such addresses."""

from __future__ import annotations

PUBLIC = "93.184.215.14"

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
NOT_PUBLIC = [address for group in ADDRESSES.values() for address in group]

LITERALS = [
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
]
"""Hosts that are no names: some programs read each of them as an address."""
