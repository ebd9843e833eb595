#!/usr/bin/python3
"""Databases as they come: refused with a sentence when zonefs cannot keep them, survived when others grow,
copy or extend them."""
# runner: timeout=240

import errno
import os
import pwd
import struct

import lmdb

from support import rows, zones
from support.mount import Mount, mounted, zonefs
from support.parts import program
from support.pdns import PowerDNS
from support.process import DIRECTORY, run_command, wait_for
from support.tap import Skip, equal, point, run

ZONE = "one.example"
SCHEMA = b"schemaversion"


def header(stamp=1, blocks=b""):
    return rows.HEADER.pack(stamp, 1, 0, 0, 0, len(blocks) // 8) + blocks


def refused(db, *words):
    """The sentence with which zonefs refuses a database."""
    point_ = DIRECTORY / "refused"
    point_.mkdir(exist_ok=True)
    said = run_command([zonefs(), point_, "-f", "-o", f"db={db}"], check=False)
    assert not mounted(point_), "it was mounted"
    assert said.returncode != 0, "exit code 0"
    for word in (str(db), *words):
        assert word in said.stderr, f"{word!r} is not in: {said.stderr}"
    assert "Assertion" not in said.stderr and "ERROR: " not in said.stderr, said.stderr


def fake(name, content):
    """A database pair with these rows in `pdns`."""
    db = DIRECTORY / name / "pdns.lmdb"
    db.parent.mkdir()
    for path, dbi, items in ((db, b"pdns", content), (f"{db}-0", b"records_v5", {})):
        with lmdb.open(str(path), subdir=False, max_dbs=8, map_size=1 << 24) as env:
            opened = env.open_db(dbi)
            with env.begin(write=True) as txn:
                for key, value in items.items():
                    txn.put(key, value, db=opened)
    return db


def refusals():
    """a database that zonefs cannot keep is refused in a sentence, and left as it was"""
    with point("64 shards, an old default of PowerDNS"):
        server = PowerDNS("4.9", DIRECTORY / "sharded" / "pdns.lmdb", "sharded", lmdb_shards=64, lmdb_lightning_stream="no")
        server.load(ZONE, zones.small(ZONE))
        refused(server.db, "shard")
    with point("schema 4"):
        refused(fake("old", {SCHEMA: header() + struct.pack(">I", 4), b"shards": header() + struct.pack(">I", 1)}), "schema")
    with point("a schema of the future"):
        refused(fake("future", {SCHEMA: header() + struct.pack(">I", 7), b"shards": header() + struct.pack(">I", 1)}), "schema")
    with point("values without the header of Lightning Stream"):
        db = fake("bare", {SCHEMA: struct.pack("<I", 5), b"shards": struct.pack("<I", 1)})
        before = db.read_bytes()
        refused(db)
        equal(db.read_bytes() == before, True, "the file stayed as it was")
    with point("an LMDB of another program"):
        db = DIRECTORY / "foreign" / "pdns.lmdb"
        db.parent.mkdir()
        with lmdb.open(str(db), subdir=False, max_dbs=8) as env:
            with env.begin(write=True) as txn:
                txn.put(b"somebody", b"else's", db=env.open_db(b"mail", txn=txn))
        refused(db)
    with point("no LMDB at all"):
        db = DIRECTORY / "text" / "pdns.lmdb"
        db.parent.mkdir()
        db.write_text("not a database\n" * 1000)
        refused(db)


def owner():
    """new files belong to the owner of the directory"""
    if os.geteuid() != 0:
        raise Skip("giving files away needs root")
    nobody = pwd.getpwnam("nobody")
    db = DIRECTORY / "owned" / "pdns.lmdb"
    db.parent.mkdir()
    os.chown(db.parent, nobody.pw_uid, nobody.pw_gid)
    with Mount("owned", db=db) as mount:
        mount.write(ZONE, zones.small(ZONE))
        (mount.mnt / "scratch").write_text("x")
        for name in sorted(os.listdir(db.parent)):
            if name.startswith("pdns.lmdb"):
                equal((db.parent / name).stat().st_uid, nobody.pw_uid, f"owner of {name}")


def big(zone, count, serial=1):
    return zones.small(zone, serial=serial, more="".join(f'r{n}\tTXT\t"{n:0200d}"\n' for n in range(count)))


def full_map():
    """a full map is ENOSPC with a sentence that names lmdb-map-size, and loses nothing"""
    with Mount("full", map_size="2") as mount:
        mount.write(ZONE, zones.small(ZONE))
        saved = []
        with point("saves go well until the map is full, then ENOSPC"):
            for number in range(200):
                zone = f"z{number}.example"
                try:
                    mount.write(zone, big(zone, 100))
                    saved.append(zone)
                except OSError as error:
                    equal(error.errno, errno.ENOSPC)
                    break
            else:
                raise AssertionError("2 MB held everything")
            assert "lmdb-map-size" in mount.findings(zone) + mount.log, mount.log[-2000:]
        with point("what was saved is there"):
            equal(mount.read(ZONE), zones.small(ZONE))
            for zone in saved:
                equal(mount.read(zone), big(zone, 100))
        with point("status warns"):
            assert "map" in mount.control("status").read_text()
        with point("deletions still work, or say why not"):
            os.unlink(mount.path(saved[0]))


def foreign_growth():
    """another process grows the database beyond the map: reads and saves go on"""
    with Mount("grown", map_size="4") as mount:
        mount.write(ZONE, zones.small(ZONE))
        for path in (mount.db, f"{mount.db}-0"):
            with lmdb.open(str(path), subdir=False, max_dbs=64, map_size=64 << 20) as env:
                dbi = env.open_db(b"guest_v1")
                with env.begin(write=True, db=dbi) as txn:
                    for number in range(4000):
                        txn.put(struct.pack(">I", number), header() + bytes(4000))
        with point("a zone is read"):
            equal(mount.read(ZONE), zones.small(ZONE))
            equal(mount.zones(), [ZONE])
        with point("zones are saved"):
            mount.write(ZONE, zones.small(ZONE, serial=2, address="192.0.2.2"))
            mount.write("two.example", big("two.example", 100))
            equal(mount.read("two.example"), big("two.example", 100))
        with point("the other's DBI is left alone"):
            for path in (mount.db, f"{mount.db}-0"):
                equal(len([1 for dbi, _ in rows.raw(path) if dbi == "guest_v1"]), 4000)


def copied():
    """a database that mdb_copy -c has compacted goes on where it was"""
    tool = program("mdb_copy")
    with Mount("copied", db=DIRECTORY / "copied-db" / "pdns.lmdb") as mount:
        for serial in range(1, 40):
            mount.write(ZONE, zones.small(ZONE, serial=serial, address=f"192.0.2.{serial}"))
        mount.stop()
        for path in (mount.db, f"{mount.db}-0"):
            run_command([tool, "-n", "-c", path, f"{path}.copy"])
            os.rename(f"{path}.copy", path)
            os.unlink(f"{path}-lock")
        mount.start()
        with point("the text is the same"):
            equal(mount.read(ZONE), zones.small(ZONE, serial=39, address="192.0.2.39"))
        with point("saves work"):
            mount.write(ZONE, zones.small(ZONE, serial=40, address="192.0.2.40"))
            equal(mount.read(ZONE), zones.small(ZONE, serial=40, address="192.0.2.40"))
        with point("a change by pdnsutil is seen, though the counter has started again"):
            server = PowerDNS("4.9", mount.db, "copied-tool")
            server.add_record(ZONE, "new", "A", 300, "192.0.2.77")
            wait_for(lambda: "192.0.2.77" in mount.read(ZONE), "the record")


def extensions():
    """values with extension blocks in their headers are read"""
    with Mount("extended") as mount:
        mount.write(ZONE, zones.small(ZONE))
        mount.stop()
        with lmdb.open(f"{mount.db}-0", subdir=False, max_dbs=64, map_size=rows.MAP_SIZE) as env:
            dbi = env.open_db(b"records_v5", create=False)
            with env.begin(write=True, db=dbi) as txn:
                for key, value in [(bytes(k), bytes(v)) for k, v in txn.cursor()]:
                    stamp, txnid, version, flags, reserved, _ = rows.HEADER.unpack_from(value)
                    block = rows.HEADER.pack(stamp, txnid, version, flags, reserved, 1) + b"zonefs!!"
                    txn.put(key, block + value[rows.HEADER.size:])
        mount.start()
        equal(mount.read(ZONE), zones.small(ZONE))
        mount.write(ZONE, zones.small(ZONE, serial=2, address="192.0.2.2"))
        equal(mount.read(ZONE), zones.small(ZONE, serial=2, address="192.0.2.2"))


if __name__ == "__main__":
    run(refusals, owner, full_map, foreign_growth, copied, extensions)
