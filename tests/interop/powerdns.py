#!/usr/bin/python3
"""Real PowerDNS 4.9 and 5.x serves what is saved in the mount, exactly as it serves the same zones when its
own tools loaded them."""
# runner: timeout=420

import contextlib
import functools
import os

from support import rows, servers, zones
from support.mount import Mount
from support.parts import PDNS_LINES, program
from support.pdns import PowerDNS
from support.process import DIRECTORY, run_command, wait_for
from support.tap import equal, point, run

# How a zone is signed by the server: arguments of set-nsec3, None for NSEC, False for no key at all.
LIVE = {
    "plain.example": False,
    "nsec.example": None,
    "nsec3.example": ["1 0 0 -"],
    "optout.example": ["1 1 2 abcd"],
    "narrow.example": ["1 0 0 -", "narrow"],
}


def sign_live(server, zone, nsec3):
    """Gives a zone its key and its kind of denial, as an administrator would."""
    if nsec3 is False:
        return
    key = server.home / "key.private"
    key.write_text(zones.KEY)
    server.pdnsutil("import-zone-key", zone, key, "active", "ksk")
    if nsec3:
        server.pdnsutil("set-nsec3", zone, *nsec3)


def without_signatures(answer):
    """ECDSA signatures are random: of an RRSIG only what it covers and how is compared."""
    def strip(record):
        words = record.split()
        return " ".join(words[:9] + words[10:11]) if words[3] == "RRSIG" else record
    return (answer.status, "aa" in answer.flags, *(sorted(map(strip, s)) for s in (answer.answer, answer.authority, answer.additional)))


def exactly(answer):
    return (answer.status, "aa" in answer.flags, answer.answer, answer.authority, answer.additional)


def same_answers(ours, oracle, zone, dnssec, view=without_signatures):
    """Both servers say the same to every question about a zone."""
    questions = [(zones.name(owner, zone), rrtype) for owner, rrtype in zones.QUESTIONS]
    for question, *pair in zip(questions, ours.ask(questions, dnssec), oracle.ask(questions, dnssec)):
        got, want = map(view, pair)
        for part, mine, theirs in zip(("status", "aa", "answer", "authority", "additional"), got, want):
            equal(mine, theirs, f"{part} of {' '.join(question)}")


def payloads(db):
    """Live payloads of what PowerDNS itself keeps."""
    return {place: payload for place, payload in rows.live({**rows.rows(db), **rows.rows(f"{db}-0")}).items()
            if not place[0].startswith("zonefs")}


def rectify_adds_only_nsec_rows(before, after):
    """What 4.9 does to an NSEC zone: a type-50 row per name and hasOrderName set; nothing else may change."""
    for place in before.keys() | after.keys():
        if before.get(place) == after.get(place):
            continue
        dbi, key = place
        assert dbi == "records_v5", f"rectify-zone changed {place}"
        assert place in after, f"rectify-zone removed {place}"
        if rows.qtype(key) == rows.NSEC3:
            assert place not in before, f"rectify-zone changed {place}"
            continue
        assert place in before, f"rectify-zone added {place}"
        bare = [[rr[:4] for rr in rows.rrs(payload)] for payload in (before[place], after[place])]
        equal(bare[1], bare[0], f"rectify-zone changed more than hasOrderName of {place}")


def clean(server, zone):
    said = server.pdnsutil("check-zone", zone)
    assert " 0 errors" in said.stdout, said.stdout
    return said.stdout.split(",", 1)[1]


def live_zones(line):
    """zones saved with cp are served as if pdnsutil had loaded them"""
    with Mount(f"mount-{line}") as mount, PowerDNS(line, mount.db, f"server-{line}") as ours, \
            PowerDNS(line, DIRECTORY / f"oracle-{line}" / "pdns.lmdb", f"oracle-{line}") as oracle:
        for zone, nsec3 in LIVE.items():
            text = zones.full(zone)
            if nsec3 is not False:
                ours.pdnsutil("create-zone", zone, f"ns1.{zone}")
                wait_for(lambda z=zone: mount.path(z).exists(), f"{zone} to appear in the mount")
            sign_live(ours, zone, nsec3)
            oracle.load(zone, text)
            sign_live(oracle, zone, nsec3)
            for number, version in enumerate((text, zones.changed(text)), 1):
                copy = DIRECTORY / f"{zone}.text"
                copy.write_text(version)
                with point(f"PowerDNS {line}: {zone}, text {number} is saved by cp and read back"):
                    run_command(["cp", copy, mount.path(zone)])
                    equal(mount.read(zone), version)
                oracle.load(zone, version)
                oracle.pdnsutil("rectify-zone", zone)
                with point(f"PowerDNS {line}: {zone}, text {number}: every answer"):
                    same_answers(ours, oracle, zone, dnssec=nsec3 is not False)
                with point(f"PowerDNS {line}: {zone}, text {number}: transfer"):
                    if nsec3 and "narrow" in nsec3:
                        refuses_transfer(ours, zone)
                    else:
                        equal(ours.axfr(zone), oracle.axfr(zone))
                with point(f"PowerDNS {line}: {zone}, text {number}: check-zone"):
                    equal(clean(ours, zone), clean(oracle, zone))
            with point(f"PowerDNS {line}: {zone}: rectify-zone changes no payload"):
                before = payloads(mount.db)
                ours.pdnsutil("rectify-zone", zone)
                after = payloads(mount.db)
                if line == "4.9" and nsec3 is None:
                    rectify_adds_only_nsec_rows(before, after)
                else:
                    equal(sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p)), [])
            with point(f"PowerDNS {line}: {zone}: the mount shows the same text after rectify-zone"):
                equal(mount.read(zone), zones.changed(text))


def refuses_transfer(server, zone):
    said = run_command([program("dig"), "-p", server.port, "@127.0.0.1", "AXFR", zone], check=False).stdout
    assert "Transfer failed" in said, f"a narrow zone was transferred:\n{said}"


def signed_texts(zone, options, work):
    """Two texts of a zone as dnssec-signzone signs them."""
    work.mkdir()
    run_command([program("dnssec-keygen"), "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone], cwd=work)
    run_command([program("dnssec-keygen"), "-q", "-a", "ECDSAP256SHA256", zone], cwd=work)
    # BIND's tools refuse what a zone may hold but should not: names below a cut.
    first = zones.full(zone).replace('occ.sub\tTXT\t"occluded"\n', "")
    for number, text in enumerate((first, zones.changed(first)), 1):
        # PowerDNS keeps owners in lower case, and the signature over an NSEC record covers the case of the next name.
        (work / "zone").write_text(text.replace("WeB", "web"))
        run_command([program("dnssec-signzone"), "-S", "-P", "-o", zone, *options, "-f", "signed", "zone"], cwd=work)
        yield number, (work / "signed").read_text()


@contextlib.contextmanager
def secondary(line, zone, number, port):
    """A PowerDNS that has just transferred the zone from the server at a port."""
    name = f"secondary-{line}-{zone}-{number}"
    server = PowerDNS(line, DIRECTORY / name / "pdns.lmdb", name, secondary="yes", xfr_cycle_interval=1)
    server.pdnsutil("create-secondary-zone", zone, f"127.0.0.1:{port}")
    with server:
        server.until(lambda: "zone committed with serial" in server.log, "the transfer")
        yield server


def presigned_zones(line):
    """presigned zones are served as by a secondary that got them by transfer"""
    home = DIRECTORY / f"primary-{line}"
    home.mkdir()
    kinds = {"pre-nsec.example": [], "pre-nsec3.example": ["-3", "-", "-H", "0"], "pre-optout.example": ["-3", "abcd", "-H", "2", "-A"]}
    with Mount(f"presigned-{line}") as mount, PowerDNS(line, mount.db, f"preserver-{line}") as ours:
        for zone, options in kinds.items():
            for number, signed in signed_texts(zone, options, DIRECTORY / f"{zone}-{line}"):
                (home / f"{zone}.zone").write_text(signed)
                with point(f"PowerDNS {line}: {zone}, text {number} is saved by cp and read back"):
                    run_command(["cp", home / f"{zone}.zone", mount.path(zone)])
                    equal(mount.read(zone), signed)
                with servers.BIND(home, [zone]) as primary, secondary(line, zone, number, primary.port) as oracle:
                    with point(f"PowerDNS {line}: {zone}, text {number}: every answer, signatures too"):
                        same_answers(ours, oracle, zone, dnssec=True, view=exactly)
                    with point(f"PowerDNS {line}: {zone}, text {number}: transfer"):
                        equal(ours.axfr(zone, drop=()), oracle.axfr(zone, drop=()))
                    with point(f"PowerDNS {line}: {zone}, text {number}: check-zone says what it says of the transferred zone"):
                        # It dislikes signatures at delegations, which both have.
                        equal(*(sorted(server.pdnsutil("check-zone", zone, check=False).stdout.splitlines()) for server in (ours, oracle)))


def same_size(mount, zone):
    """The text, held to the size that stat tells."""
    text = mount.read(zone)
    equal(mount.path(zone).stat().st_size, len(text.encode()), f"size of {zone}")
    return text


def changes_elsewhere(line):
    """what pdnsutil and the API change shows in the mount"""
    zone = "elsewhere.example"
    with Mount(f"elsewhere-{line}") as mount, PowerDNS(line, mount.db, f"elsewhere-server-{line}") as server:
        mount.write(zone, zones.small(zone))
        with point(f"PowerDNS {line}: a record added by pdnsutil"):
            before = mount.path(zone).stat()
            server.add_record(zone, "new", "A", 300, "192.0.2.77")
            wait_for(lambda: "192.0.2.77" in same_size(mount, zone), "the record in the text")
            after = mount.path(zone).stat()
            equal(after.st_ino, before.st_ino, "inode")
            assert after.st_mtime_ns > before.st_mtime_ns, "mtime did not move"
        with point(f"PowerDNS {line}: a record removed by pdnsutil"):
            server.delete_rrset(zone, "new", "A")
            wait_for(lambda: "192.0.2.77" not in same_size(mount, zone), "the record to go")
        with point(f"PowerDNS {line}: an RRset replaced through the API, while the file is open"):
            with open(mount.path(zone), encoding="utf-8") as held:
                server.api("PATCH", f"zones/{zone}.", {"rrsets": [{
                    "name": f"www.{zone}.", "type": "A", "ttl": 60, "changetype": "REPLACE",
                    "records": [{"content": "192.0.2.88", "disabled": False}]}]})
                wait_for(lambda: "192.0.2.88" in same_size(mount, zone), "the record in the text")
                assert "192.0.2.88" not in held.read(), "a reader saw another version than it had opened"
        with point(f"PowerDNS {line}: a save on top of it keeps it"):
            mount.write(zone, mount.read(zone) + "later\tA\t192.0.2.90\n")
            equal(server.dig(f"www.{zone}", "A").rdata("A"), ["192.0.2.88"])
            equal(server.dig(f"later.{zone}", "A").rdata("A"), ["192.0.2.90"])
        with point(f"PowerDNS {line}: a zone made by pdnsutil appears, and goes"):
            server.pdnsutil("create-zone", "made.example", "ns1.made.example")
            wait_for(lambda: "made.example" in mount.zones(), "made.example in the listing")
            assert "ns1.made.example" in mount.read("made.example").replace("ns1\n", "ns1.made.example\n")
            server.pdnsutil("delete-zone", "made.example")
            wait_for(lambda: "made.example" not in mount.zones(), "made.example to go")
            assert not mount.path("made.example").exists()
        with point(f"PowerDNS {line}: a zone removed from the mount is not served"):
            os.unlink(mount.path(zone))
            wait_for(lambda: server.dig(zone, "SOA").status == "REFUSED", "the zone to be buried")
            assert zone not in server.pdnsutil("list-all-zones").stdout.split()


def data(records):
    """The records of a transfer that a person wrote; the serial has been raised."""
    return [record for record in records if record.split()[3] not in ("SOA", "NSEC", "NSEC3")]


def made_by_powerdns(line):
    """a database made by PowerDNS mounts, and saving what is there leaves every row byte-equal"""
    db = DIRECTORY / f"made-{line}" / "pdns.lmdb"
    with PowerDNS(line, db, f"maker-{line}") as server:
        for zone, nsec3 in LIVE.items():
            server.load(zone, zones.full(zone))
            sign_live(server, zone, nsec3)
            server.pdnsutil("rectify-zone", zone)
        server.pdnsutil("set-meta", "plain.example", "X-CUSTOM", "hello world")
        server.pdnsutil("create-secondary-zone", "secondary.example", "192.0.2.1")
        server.api("PATCH", "zones/plain.example.", {"rrsets": [{
            "name": "dis.plain.example.", "type": "A", "ttl": 60, "changetype": "REPLACE",
            "records": [{"content": "192.0.2.201", "disabled": True}, {"content": "192.0.2.202", "disabled": False}]}]})
        before = rows.both(db)
        transfers = {zone: server.axfr(zone) for zone in LIVE if zone != "narrow.example"}
        with Mount(f"guest-{line}", db=db) as mount:
            with point(f"PowerDNS {line}: all its zones are listed, but not the one that has no records yet"):
                equal(mount.zones(), sorted(LIVE))
            for zone in LIVE:
                with point(f"PowerDNS {line}: {zone} saved as it is changes nothing"):
                    text = same_size(mount, zone)
                    mount.write(zone, text)
                    copy = DIRECTORY / "copy"
                    copy.write_text(text)
                    run_command(["mv", copy, mount.path(zone)])
                    equal(mount.read(zone), text)
            with point(f"PowerDNS {line}: a secondary zone is read-only"):
                try:
                    mount.write("secondary.example", zones.small("secondary.example"))
                except OSError:
                    pass
                else:
                    raise AssertionError("it was written")
        with point(f"PowerDNS {line}: every row is as it was, byte for byte"):
            after = rows.both(db)
            equal([p for p in before if before[p] != after.get(p)], [], "rows changed")
            equal([p for p in after if p not in before and not p[0].startswith("zonefs")], [], "rows added")
        with Mount(f"guest-{line}", db=db) as mount:
            for zone in transfers:
                with point(f"PowerDNS {line}: the text of {zone} is the zone: one record more is one more in the transfer"):
                    text = mount.read(zone).rstrip("\n") + "\nadded\t60\tTXT\t\"added\"\n"
                    mount.write(zone, text)
                    equal([r for r in data(server.axfr(zone)) if not r.startswith("added.")], data(transfers[zone]))


def each(function):
    """The function for each line of PowerDNS."""
    bound = []
    for line in PDNS_LINES:
        one = functools.partial(function, line)
        one.__doc__ = f"PowerDNS {line}: {function.__doc__}"
        one.__name__ = f"{function.__name__}-{line}"
        bound.append(one)
    return bound


if __name__ == "__main__":
    run(*each(live_zones), *each(presigned_zones), *each(changes_elsewhere), *each(made_by_powerdns))
