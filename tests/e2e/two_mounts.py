#!/usr/bin/python3
"""Two mounts on one directory bucket: a zone saved, edited or deleted on either shows on the other, also over
restarts and deaths of either."""

import os
import subprocess

from support import zones
from support.mount import Mount
from support.process import DIRECTORY, run_command, wait_for
from support.tap import equal, point, run

POLL = "1s"


def pair(label):
    """Two mounts, not yet started, and their bucket."""
    bucket = f"file://{DIRECTORY}/{label}-bucket"
    return [Mount(name, db=DIRECTORY / f"{label}-{name}" / "pdns.lmdb", bucket=bucket, poll=POLL) for name in ("paris", "tokyo")]


def same(one, other):
    """Both list the same zones with the same bytes, and sizes that fit."""
    equal(one.zones(), other.zones(), "zones")
    for zone in one.zones():
        equal(other.read(zone), one.read(zone), zone)
        equal(other.path(zone).stat().st_size, one.path(zone).stat().st_size, f"size of {zone}")
    return True


def back_and_forth():
    """what is saved on either shows on the other"""
    paris, tokyo = pair("forth")
    with paris, tokyo:
        with point("a new zone, comments and all"):
            paris.write("one.example", zones.full("one.example"))
            wait_for(lambda: same(paris, tokyo), "both the same")
            equal(tokyo.read("one.example"), zones.full("one.example"))
        with point("an edit on the other side comes back"):
            tokyo.write("one.example", zones.changed(zones.full("one.example")))
            tokyo.wait_for_text("one.example", zones.changed(zones.full("one.example")))
            paris.wait_for_text("one.example", zones.changed(zones.full("one.example")))
        with point("a serial raised for the writer is the same on both"):
            paris.write("one.example", paris.read("one.example").replace("192.0.2.81", "192.0.2.82"))
            assert paris.serial("one.example") > 2024010102, paris.serial("one.example")
            wait_for(lambda: same(paris, tokyo), "both the same")
        with point("many zones at once, from both sides"):
            for number in range(100):
                side = (paris, tokyo)[number % 2]
                side.write(f"z{number}.example", zones.small(f"z{number}.example", address=f"192.0.2.{number}"))
            wait_for(lambda: len(paris.zones()) == 101 and same(paris, tokyo), "101 zones on both")
        with point("only a comment changes"):
            text = "; only a comment\n" + paris.read("z1.example")
            paris.write("z1.example", text)
            tokyo.wait_for_text("z1.example", text)
        with point("deletions, from both sides"):
            os.unlink(paris.path("z0.example"))
            os.unlink(tokyo.path("z1.example"))
            wait_for(lambda: len(paris.zones()) == 99 and same(paris, tokyo), "99 zones on both")
        with point("a deleted zone made again"):
            tokyo.write("z0.example", zones.small("z0.example", serial=9, address="192.0.2.200"))
            paris.wait_for_text("z0.example", zones.small("z0.example", serial=9, address="192.0.2.200"))
        with point("rsync -a twice transfers nothing the second time, on either mount"):
            source = DIRECTORY / "source"
            source.mkdir()
            for number in range(10):
                (source / f"r{number}.example.zone").write_text(zones.small(f"r{number}.example"))
            run_command(["rsync", "-a", f"{source}/", paris.mnt])
            wait_for(lambda: "r9.example" in tokyo.zones() and same(paris, tokyo), "both the same")
            for side in (paris, tokyo):
                said = run_command(["rsync", "-a", "--itemize-changes", f"{source}/", side.mnt]).stdout
                equal([line for line in said.split("\n") if line.startswith(("<f", ">f"))], [], side.name)


def restarts():
    """restarts and deaths of either lose nothing"""
    paris, tokyo = pair("restarts")
    with paris, tokyo:
        paris.write("one.example", zones.small("one.example"))
        wait_for(lambda: same(paris, tokyo), "both the same")
        with point("what was saved while the other was away"):
            tokyo.stop()
            paris.write("one.example", zones.small("one.example", serial=2, address="192.0.2.2"))
            paris.write("two.example", zones.small("two.example"))
            tokyo.start()
            wait_for(lambda: same(paris, tokyo), "both the same")
        with point("a deletion while the other was away"):
            tokyo.stop()
            os.unlink(paris.path("two.example"))
            wait_for(lambda: not paris.path("two.example").exists(), "the name to go")
            paris.restart()  # buries what is vacated
            tokyo.start()
            wait_for(lambda: same(paris, tokyo), "both the same")
            equal(tokyo.zones(), ["one.example"])
        with point("what was saved before a clean end is published"):
            paris.write("three.example", zones.small("three.example"))
            paris.stop()
            wait_for(lambda: "three.example" in tokyo.zones(), "the zone on the other")
            paris.start()
        with point("what was saved right before a kill -9 is there afterwards, and arrives"):
            paris.write("four.example", zones.small("four.example"))
            paris.kill()
            paris.start()
            equal(paris.read("four.example"), zones.small("four.example"))
            wait_for(lambda: same(paris, tokyo), "both the same")
        with point("the receiver dies and comes back"):
            tokyo.kill()
            paris.write("five.example", zones.small("five.example"))
            tokyo.start()
            wait_for(lambda: same(paris, tokyo), "both the same")
        with point("a third mount, new, has everything"):
            third = Mount("oslo", db=DIRECTORY / "oslo-db" / "pdns.lmdb", bucket=paris.options["bucket"], poll=POLL)
            with third:
                wait_for(lambda: same(paris, third), "the third the same")
        with point("a database lost: a new one of the same instance gets its zones back"):
            before = {zone: paris.read(zone) for zone in paris.zones()}
            paris.stop()
            subprocess.run(["rm", "-rf", paris.db.parent], check=True)
            paris.start()
            wait_for(lambda: {zone: paris.read(zone) for zone in paris.zones()} == before, "the zones back")


def both_at_once():
    """edits of one zone on both sides at once: both end with the same, newest text"""
    paris, tokyo = pair("both")
    with paris, tokyo:
        paris.write("one.example", zones.full("one.example"))
        wait_for(lambda: same(paris, tokyo), "both the same")
        with point("different records"):
            paris.write("one.example", paris.read("one.example").rstrip("\n") + "\nfrom-paris\tA\t192.0.2.101\n")
            tokyo.write("one.example", tokyo.read("one.example").rstrip("\n") + "\nfrom-tokyo\tA\t192.0.2.102\n")
            wait_for(lambda: "192.0.2.101" in tokyo.read("one.example") and "192.0.2.102" in paris.read("one.example")
                     and same(paris, tokyo), "both records on both")
        with point("the same record: the later one"):
            paris.write("one.example", paris.read("one.example").replace("192.0.2.80", "192.0.2.180"))
            tokyo.write("one.example", tokyo.read("one.example").replace("192.0.2.80", "192.0.2.181"))
            wait_for(lambda: "192.0.2.181" in paris.read("one.example") and same(paris, tokyo), "the later address on both")
        with point("edited here and deleted there: both agree, and the zone is whole or gone"):
            os.unlink(tokyo.path("one.example"))
            paris.write("one.example", paris.read("one.example").replace("192.0.2.181", "192.0.2.182"))
            wait_for(lambda: not tokyo.control("zones/one.example").exists() or "192.0.2.182" in tokyo.read("one.example"), "the outcome")
            wait_for(lambda: same(paris, tokyo), "both the same")


if __name__ == "__main__":
    run(back_and_forth, restarts, both_at_once)
