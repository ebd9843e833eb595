#!/usr/bin/python3
"""kill -9 of the daemon at any moment of a save: after a remount the zone is the old or the new one, and the new
one if fsync or close had said so."""
# runner: timeout=300

import errno
import os
import random
import signal
import threading
import time

from support import rows, zones
from support.mount import Mount
from support.pdns import PowerDNS
from support.process import wait_for
from support.tap import equal, note, point, run

ROUNDS = 40
RECORDS = 300


def text(zone, version):
    """A zone that tells its version in the serial and in every record."""
    return zones.small(zone, serial=version, address="192.0.2.1", more="".join(f'r{n}\tTXT\t"{version}"\n' for n in range(RECORDS)))


class Writer(threading.Thread):
    """Saves version after version until the mount is gone; knows which it began and which were acknowledged."""

    def __init__(self, mount, zone, first, style):
        super().__init__()
        self.mount, self.zone, self.style = mount, zone, style
        self.begun = self.acknowledged = first - 1

    def run(self):
        try:
            while True:
                self.begun += 1
                self.style(self.mount, self.zone, text(self.zone, self.begun))
                self.acknowledged = self.begun
        except OSError:
            pass


def in_place(mount, zone, new):
    mount.write(zone, new)


def with_fsync(mount, zone, new):
    with open(mount.path(zone), "w", encoding="utf-8") as file:
        file.write(new)
        file.flush()
        os.fsync(file.fileno())


def by_rename(mount, zone, new):
    temporary = mount.mnt / f".{zone}.zone.tmp"
    temporary.write_text(new)
    os.rename(temporary, mount.path(zone))


def any_moment():
    """a daemon killed while several writers save"""
    styles = {"place.example": in_place, "fsync.example": with_fsync, "rename.example": by_rename}
    mount = Mount("killed")
    seen = dict.fromkeys(styles, 1)
    with mount:
        for zone in styles:
            mount.write(zone, text(zone, 1))
        for number in range(ROUNDS):
            writers = [Writer(mount, zone, seen[zone] + 1, style) for zone, style in styles.items()]
            for writer in writers:
                writer.start()
            # Any moment is right; the longest pause lets some saves through.
            time.sleep(random.random() * 0.15)
            os.kill(mount.pid, signal.SIGKILL)
            mount.end(signal.SIGKILL)
            for writer in writers:
                writer.join()
            mount.clear()
            mount.start()
            with point(f"round {number + 1}"):
                for writer in writers:
                    found = mount.read(writer.zone)
                    version = int(found.split("hostmaster ")[1].split()[0])
                    assert writer.acknowledged <= version <= writer.begun, \
                        f"{writer.zone}: version {version}, but {writer.acknowledged} was acknowledged and {writer.begun} begun"
                    equal(found, text(writer.zone, version), writer.zone)
                    seen[writer.zone] = version
        note(f"versions reached: {seen}")
        with point("PowerDNS finds nothing wrong in the end"):
            server = PowerDNS("5", mount.db, "judge")
            for zone in styles:
                assert " 0 errors" in server.pdnsutil("check-zone", zone).stdout


def new_and_gone():
    """zones made and deleted around a kill are whole or not there"""
    mount = Mount("made", grace="0")
    with mount:
        made = set()
        for number in range(15):
            acknowledged = set()

            def make(number=number, acknowledged=acknowledged):
                try:
                    for step in range(1000):
                        zone = f"n{number}-{step}.example"
                        mount.write(zone, zones.small(zone))
                        acknowledged.add(zone)
                        if step % 3 == 2:
                            # From here on it may be there or not.
                            acknowledged.discard(f"n{number}-{step - 1}.example")
                            os.unlink(mount.path(f"n{number}-{step - 1}.example"))
                except OSError:
                    pass

            maker = threading.Thread(target=make)
            maker.start()
            time.sleep(random.random() * 0.15)
            mount.end(signal.SIGKILL)
            maker.join()
            mount.clear()
            mount.start()
            made |= acknowledged
            with point(f"round {number + 1}"):
                there = set(mount.zones())
                equal(sorted(made - there), [], "acknowledged and lost")
                for zone in there:
                    equal(mount.read(zone), zones.small(zone), zone)
                made |= there
        with point("no row is left of zones that are not there"):
            mount.stop()
            live = rows.live(rows.rows(f"{mount.db}-0"))
            owners = {key[:4] for dbi, key in live if dbi == "records_v5"}
            listed = {key for dbi, key in rows.live(rows.rows(mount.db)) if dbi == "domains_v5"}
            equal(sorted(owners - listed), [], "orphans")
            mount.start()


def scratch_survives():
    """an editor's swap file survives the death of the daemon"""
    mount = Mount("scratch")
    with mount:
        mount.write("one.example", zones.small("one.example"))
        swap = mount.mnt / ".one.example.zone.swp"
        swap.write_bytes(b"b0VIM" + bytes(4000))
        with open(swap, "rb") as file:
            os.fsync(file.fileno())
        mount.kill()
        mount.start()
        equal(swap.read_bytes(), b"b0VIM" + bytes(4000))
        wait_for(lambda: ".one.example.zone.swp" in os.listdir(mount.mnt), "its name in the listing")


def open_at_the_end():
    """what is still being written when the daemon is told to end is kept"""
    with Mount("open-at-the-end") as mount:
        mount.write("one.example", zones.small("one.example"))
        writer = os.open(mount.path("one.example"), os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(writer, b"; not done yet\n")
            mount.stop()
        finally:
            try:
                os.close(writer)
            except OSError as error:
                equal(error.errno, errno.ENOTCONN)
        mount.start()
        equal(mount.read("one.example"), zones.small("one.example"))
        equal(mount.control("rejected/one.example.zone").read_text(), "; not done yet\n")
        assert "the mount ended" in mount.findings("one.example")


if __name__ == "__main__":
    run(any_moment, new_and_gone, scratch_survives, open_at_the_end)
