#!/usr/bin/python3
"""PowerDNS finds nothing to rectify in zones that zonefs has written: random ones, each saved over the last, with delegations above
and below each other, empty names between, and whatever may stand beside a delegation."""
# runner: timeout=300

import random

from support import rows
from support.mount import command
from support.parts import PDNS_LINES
from support.pdns import PowerDNS
from support.process import DIRECTORY
from support.tap import equal, point, run
from support.zones import KEY

ZONE = "example.org"
SAVES = 8

# How the server signs: arguments of set-nsec3, None for NSEC, False for no key at all.
MODES = {
    "unsigned": False,
    "NSEC": None,
    "NSEC3": ["1 0 0 -"],
    "NSEC3 with opt-out": ["1 1 2 abcd"],
    "narrow": ["1 0 0 -", "narrow"],
    "narrow with opt-out": ["1 1 0 -", "narrow"],
}

# Few names, so that they meet.
OWNERS = ["@", "a", "b", "a.a", "b.a", "a.b", "c.b.a", "*", "*.b", "d.c.b.a", "x.y", "z.x.y", "p.q.r", "s.q.r", "*.p.q.r"]
DATA = ["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", "NS ns.example.net.", "NS a", "DS 1 13 2 " + 64 * "a", 'TXT "t"', "MX 10 b",
        r"TYPE731 \# 2 00ff"]


def random_zone(dice, serial):
    lines = ["$TTL 60", f"@ SOA ns1.example.net. hostmaster.example.net. {serial} 3600 600 86400 300", "@ NS ns1.example.net."]
    for _ in range(dice.randrange(30)):
        owner, data = dice.choice(OWNERS), dice.choice(DATA)
        line = f"{owner} {data}"
        if line not in lines and not (owner == "@" and data.startswith("DS")):
            lines.append(line)
    return "\n".join(lines) + "\n"


def told_apart(place, before, after, extras):
    """Whether PowerDNS changed a row, the extras of 4.9 in NSEC zones left aside: a type-50 row per name, and hasOrderName."""
    if before == after:
        return False
    if not extras:
        return True
    if rows.qtype(place[1]) == rows.NSEC3:
        return before is not None
    return None in (before, after) or [rr[:4] for rr in rows.rrs(before)] != [rr[:4] for rr in rows.rrs(after)]


def nothing_to_rectify(line, name, nsec3):
    tag = f"{line}-{name.replace(' ', '-')}"
    dice = random.Random(tag)
    server = PowerDNS(line, DIRECTORY / f"rectify-{tag}" / "pdns.lmdb", f"rectify-{tag}")
    server.pdnsutil("create-zone", ZONE)
    if nsec3 is not False:
        key = server.home / "key.private"
        key.write_text(KEY)
        server.pdnsutil("import-zone-key", ZONE, key, "active", "ksk")
    if nsec3:
        server.pdnsutil("set-nsec3", ZONE, *nsec3)
    for save in range(SAVES):
        text = random_zone(dice, 100 + save)
        command("put", ZONE, f"--db={server.db}", "--guard=off", input=text)
        before = rows.live(rows.rows(f"{server.db}-0"))
        server.pdnsutil("rectify-zone", ZONE)
        after = rows.live(rows.rows(f"{server.db}-0"))
        changed = [(place[1].hex(), (before.get(place) or b"").hex(), (after.get(place) or b"").hex())
                   for place in sorted(before.keys() | after.keys()) if place[0] == "records_v5" and
                   told_apart(place, before.get(place), after.get(place), line == "4.9" and nsec3 is None)]
        equal(changed, [], f"rows changed after save {save} of\n{text}")


def random_zones():
    """whatever is saved over whatever"""
    for line in PDNS_LINES:
        for name, nsec3 in MODES.items():
            with point(f"PowerDNS {line}: {name}: rectify-zone changes no payload"):
                nothing_to_rectify(line, name, nsec3)


if __name__ == "__main__":
    run(random_zones)
