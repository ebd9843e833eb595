#!/usr/bin/python3
"""Real Lightning Stream 1.0.0 and 0.4.4 shares a bucket with a mount: it reads what we publish and we what it
publishes, with a PowerDNS serving on its side."""
# runner: timeout=420

import functools
import os
import re

import lmdb

from support import rows, zones
from support.lightningstream import LightningStream
from support.mount import Mount
from support.pdns import PowerDNS
from support.process import DIRECTORY, wait_for
from support.tap import equal, point, run

# Each Lightning Stream with a PowerDNS of its time.
PEERS = {"1.0.0": "5", "0.4.4": "4.9"}

ENTRY = re.compile(r"^(.*?)  =  (.*?)  \(\d{4}-.*; flags=([0-9a-f]{2})\)$", re.S)


def replicated(db):
    """What Lightning Stream carries: stamp, flag and payload of every row of both envs."""
    return {place: (row.stamp, row.deleted, row.payload) for place, row in {**rows.rows(db), **rows.rows(f"{db}-0")}.items()
            if place[0] != "pdns"}  # version, shards and uuid are each database's own


def same_rows(ours, theirs):
    """Both databases hold the same rows, whoever wrote them."""
    try:
        mine, other = replicated(ours), replicated(theirs)
    except lmdb.Error as error:  # Lightning Stream has not made its files yet
        raise AssertionError(str(error)) from error
    # Either side may sweep or never have had a tombstone; whether a row lives is what must agree.
    differ = [p for p in mine.keys() | other.keys()
              if mine.get(p) != other.get(p) and not (mine.get(p, (0, True))[1] and other.get(p, (0, True))[1])]
    equal(sorted(differ)[:5], [], f"{len(differ)} rows differ")
    return True


def dumped(text):
    """{(dbi, key): (deleted, payload)} of `snapshots dump`."""
    found, dbi = {}, None
    for line in text.split("\n"):
        heading = re.match(r'^### (\S+) \(transform="", flags=""\)$', line)
        if heading:
            dbi = heading[1]
            continue
        entry = ENTRY.match(line)
        if dbi and entry:
            key, value = map(spelled, entry.groups()[:2])
            found[dbi, key] = (bool(int(entry[3], 16) & 1), value)
    return found


def spelled(side):
    """Bytes as Lightning Stream prints them: in hex behind what is printable, or plain."""
    in_hex = re.search(r"\[([0-9a-f ]*)\]$", side)
    return bytes.fromhex(in_hex[1]) if in_hex else side.encode()


def our_objects(peer):
    return [name for name in peer.objects() if "__a__" in name]


def together(version):
    """a mount and a peer with PowerDNS show the same zones"""
    line = PEERS[version]
    bucket = DIRECTORY / f"bucket-{version}"
    peer_db = DIRECTORY / f"peer-{version}" / "pdns.lmdb"
    with Mount("a", db=DIRECTORY / f"a-{version}" / "pdns.lmdb", bucket=f"file://{bucket}", poll="1s") as mount:
        for zone in ("one.example", "two.example"):
            mount.write(zone, zones.full(zone))
        with LightningStream(version, "peer", peer_db, bucket) as peer:
            with point(f"Lightning Stream {version}: a new peer has all rows from our bases"):
                wait_for(lambda: same_rows(mount.db, peer_db), "the same rows")
            with PowerDNS(line, peer_db, f"pdns-{version}") as server:
                with point(f"Lightning Stream {version}: the peer's PowerDNS {line} serves them"):
                    equal(server.dig("web.one.example", "A").rdata("A"), ["192.0.2.80"])
                    equal(server.dig("ent.two.example", "A").status, "NOERROR")
                    assert " 0 errors" in server.pdnsutil("check-zone", "one.example").stdout
                with point(f"Lightning Stream {version}: an edit here shows there"):
                    mount.write("one.example", zones.changed(zones.full("one.example")))
                    wait_for(lambda: server.dig("web.one.example", "A").rdata("A") == ["192.0.2.81"], "the edit")
                with point(f"Lightning Stream {version}: a zone made there shows here"):
                    server.load("three.example", zones.small("three.example", address="192.0.2.3"))
                    wait_for(lambda: "three.example" in mount.zones(), "the zone")
                    wait_for(lambda: "192.0.2.3" in mount.read("three.example"), "its text")
                with point(f"Lightning Stream {version}: a change there shows here"):
                    server.add_record("one.example", "added", "A", 60, "192.0.2.66")
                    wait_for(lambda: "192.0.2.66" in mount.read("one.example"), "the record")
                    equal(mount.path("one.example").stat().st_size, len(mount.read("one.example").encode()))
                with point(f"Lightning Stream {version}: a zone deleted here is gone there"):
                    os.unlink(mount.path("two.example"))
                    wait_for(lambda: server.dig("two.example", "SOA").status == "REFUSED", "the deletion")
                with point(f"Lightning Stream {version}: a zone deleted there is gone here"):
                    server.pdnsutil("delete-zone", "three.example")
                    wait_for(lambda: not mount.path("three.example").exists(), "the deletion")
                with point(f"Lightning Stream {version}: an edit on top of theirs shows there"):
                    mount.write("one.example", mount.read("one.example").rstrip("\n") + "\nlast\tA\t192.0.2.67\n")
                    wait_for(lambda: server.dig("last.one.example", "A").rdata("A") == ["192.0.2.67"], "the edit")
                    equal(server.dig("added.one.example", "A").rdata("A"), ["192.0.2.66"])
            with point(f"Lightning Stream {version}: in the end both hold the same rows"):
                wait_for(lambda: same_rows(mount.db, peer_db), "the same rows")


def objects(version):
    """`snapshots dump` reads every object of ours, with the content of the database"""
    bucket = DIRECTORY / f"objects-{version}"
    db = DIRECTORY / f"objects-{version}-db" / "pdns.lmdb"
    peer = LightningStream(version, "reader", DIRECTORY / f"reader-{version}" / "pdns.lmdb", bucket)
    with Mount("a", db=db, bucket=f"file://{bucket}", poll="1s") as mount:
        for number in range(20):
            mount.write(f"z{number}.example", zones.small(f"z{number}.example", address=f"192.0.2.{number}"))
        os.unlink(mount.path("z7.example"))
    # A clean end publishes what is waiting.
    newest = {}
    for name in sorted(our_objects(peer)):
        newest[name.split("__")[0]] = name
    with point(f"Lightning Stream {version}: there are bases of both envs"):
        equal(sorted(newest), ["main", "shard"])
    for name in our_objects(peer):
        with point(f"Lightning Stream {version}: dump of {name.split('__')[0]} {name.split('__')[3]}"):
            said = peer.snapshots("dump", name).stdout
            assert '"InstanceID": "a"' in said and f'"DatabaseName": "{name.split("__")[0]}"' in said, said[:500]
    for env, path in (("main", db), ("shard", f"{db}-0")):
        with point(f"Lightning Stream {version}: the newest base of {env} has every row"):
            want = {place: (row.deleted, row.payload) for place, row in rows.rows(path).items()}
            got = dumped(peer.snapshots("dump", "-f", "debug", newest[env]).stdout)
            equal(sorted(got), sorted(want), "keys")
            equal([p for p in want if got[p] != want[p]], [], "entries that differ")


def theirs_first(version):
    """a new mount takes everything from a bucket that only Lightning Stream has written"""
    line = PEERS[version]
    bucket = DIRECTORY / f"theirs-{version}"
    server = PowerDNS(line, DIRECTORY / f"theirs-{version}-db" / "pdns.lmdb", f"theirs-pdns-{version}")
    for zone in ("plain.example", "signed.example"):
        server.load(zone, zones.full(zone))
    key = server.home / "key.private"
    key.write_text(zones.KEY)
    server.pdnsutil("import-zone-key", "signed.example", key, "active", "ksk")
    server.pdnsutil("set-nsec3", "signed.example", "1 0 0 -")
    server.pdnsutil("rectify-zone", "signed.example")
    LightningStream(version, "peer", server.db, bucket).once()
    with Mount("b", db=DIRECTORY / f"b-{version}" / "pdns.lmdb", bucket=f"file://{bucket}", poll="1s") as mount:
        with point(f"Lightning Stream {version}: the zones appear"):
            wait_for(lambda: mount.zones() == ["plain.example", "signed.example"], "both zones")
            wait_for(lambda: "192.0.2.80" in mount.read("plain.example"), "their text")
        with PowerDNS(line, mount.db, f"theirs-local-{version}") as local:
            for zone, dnssec in (("plain.example", False), ("signed.example", True)):
                with point(f"Lightning Stream {version}: PowerDNS {line} serves {zone} beside the mount"):
                    wait_for(lambda z=zone: local.pdnsutil("list-zone", z).stdout == server.pdnsutil("list-zone", z).stdout, "the same zone")
                    equal(local.dig(f"nope.{zone}", "A", dnssec).status, "NXDOMAIN")
                    assert " 0 errors" in local.pdnsutil("check-zone", zone).stdout


def each(function):
    """The function for each version of Lightning Stream."""
    bound = []
    for version in PEERS:
        one = functools.partial(function, version)
        one.__doc__ = f"Lightning Stream {version}: {function.__doc__}"
        one.__name__ = f"{function.__name__}-{version}"
        bound.append(one)
    return bound


if __name__ == "__main__":
    run(*each(together), *each(objects), *each(theirs_first))
