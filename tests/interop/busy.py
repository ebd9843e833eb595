#!/usr/bin/python3
"""Somebody else writes to the same database for long: the mount stays quick, saves end within lock-wait, and
it unmounts."""
# runner: timeout=420 alone plain-only

import contextlib
import errno
import statistics
import subprocess
import threading
import time

import lmdb

from support import rows, zones
from support.mount import Mount
from support.pdns import PowerDNS
from support.process import DIRECTORY, run_command, wait_for
from support.tap import equal, note, point, run

RECORDS = 1_000_000
LOCK_WAIT = 2


@contextlib.contextmanager
def writer_lock(path):
    """Another process holds the writer lock of an env: an LMDB of our own, as PowerDNS's would."""
    env = lmdb.open(str(path), subdir=False, max_dbs=128, map_size=rows.MAP_SIZE)
    txn = env.begin(write=True)
    try:
        yield
    finally:
        txn.abort()
        env.close()


def outcome(mount, zone, text):
    """How a save ended: 0 or its errno, and after how long."""
    begun = time.monotonic()
    try:
        mount.write(zone, text)
        code = 0
    except OSError as error:
        code = error.errno
    return code, time.monotonic() - begun


def held_lock():
    """while the writer lock is held, everything but a save works, and a save is refused in time"""
    with Mount("held", lock_wait=f"{LOCK_WAIT}s") as mount:
        for zone in ("one.example", "two.example"):
            mount.write(zone, zones.small(zone))
        for env in (f"{mount.db}-0", mount.db):
            label = "records" if str(env).endswith("-0") else "main"
            with writer_lock(env):
                # None of this would ever end if it waited for the lock.
                with point(f"{label} env: ls, stat, cat, find and grep"):
                    assert "one.example" in mount.zones()
                    equal(run_command(["ls", "-l", mount.mnt]).returncode, 0)
                    equal(mount.read("one.example"), zones.small("one.example"))
                    run_command(["grep", "-r", "192.0.2.1", mount.mnt])
                    mount.status()
        with writer_lock(f"{mount.db}-0"):
            with point("a save is refused with EAGAIN, its text kept"):
                text = zones.small("one.example", serial=2, address="192.0.2.2")
                code, seconds = outcome(mount, "one.example", text)
                equal(code, errno.EAGAIN)
                assert seconds >= LOCK_WAIT * 0.9, f"it did not wait: {seconds:.1f} s"
                equal(mount.read("one.example"), zones.small("one.example"))
                equal(mount.control("rejected/one.example.zone").read_text(), text)
            with point("many saves that wait do not stop anybody else"):
                savers = [threading.Thread(target=outcome, args=(mount, "two.example", zones.small("two.example", serial=n, address=f"192.0.2.{n}")))
                          for n in range(10, 40)]
                for saver in savers:
                    saver.start()
                for _ in range(20):
                    mount.path("one.example").stat()
                    mount.read("one.example")
                for saver in savers:
                    saver.join()
        with point("once it is free again, saves work"):
            equal(outcome(mount, "one.example", zones.small("one.example", serial=3, address="192.0.2.3"))[0], 0)
            wait_for(lambda: not mount.control("rejected/one.example.zone").exists(), "the refused text to go")


def unmount_under_lock():
    """it unmounts while somebody holds the writer lock"""
    with Mount("leaving", lock_wait="60s") as mount:
        mount.write("one.example", zones.small("one.example"))
        with writer_lock(f"{mount.db}-0"):
            waiting = threading.Thread(target=outcome, args=(mount, "one.example", zones.small("one.example", serial=2, address="192.0.2.2")))
            waiting.start()
            mount.stop()
            waiting.join()
        mount.start()
        equal(mount.read("one.example"), zones.small("one.example"))


def big_zone(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(zones.small("big.example"))
        for number in range(RECORDS):
            file.write(f"h{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n")


def million():
    """pdnsutil loads a million records into the same database"""
    path = DIRECTORY / "big.zone"
    big_zone(path)
    with Mount("busy", lock_wait=f"{LOCK_WAIT}s") as mount:
        for zone in ("one.example", "two.example"):
            mount.write(zone, zones.small(zone))
        tool = PowerDNS("5", mount.db, "loader")
        loading = subprocess.Popen(tool.inside("pdnsutil", "load-zone", "big.example", path), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        looks, saves = [], []
        serial = 10
        while loading.poll() is None:
            begun = time.monotonic()
            mount.zones()
            mount.path("one.example").stat()
            mount.read("one.example")
            looks.append(time.monotonic() - begun)
            serial += 1
            saves.append(outcome(mount, "two.example", zones.small("two.example", serial=serial, address=f"192.0.2.{serial % 250}")))
        equal(loading.wait(), 0, "exit code of pdnsutil")
        codes = [code for code, _ in saves]
        note(f"{len(looks)} looks: median {statistics.median(looks) * 1000:.1f} ms, longest {max(looks) * 1000:.0f} ms; "
             f"{len(saves)} saves, {codes.count(errno.EAGAIN)} refused, longest {max(s for _, s in saves):.1f} s")
        with point("ls, stat and cat of other zones stayed quick"):
            assert statistics.median(looks) < 0.25, f"median {statistics.median(looks):.2f} s"
            assert max(looks) < 5, f"longest {max(looks):.1f} s"
        with point("every save ended within lock-wait, done or refused with EAGAIN"):
            assert set(codes) <= {0, errno.EAGAIN}, codes
            assert max(seconds for _, seconds in saves) < LOCK_WAIT + 5, saves
        with point("the big zone is a file"):
            wait_for(lambda: mount.path("big.example").stat().st_size > RECORDS * 8, "its size")
            with open(mount.path("big.example"), encoding="utf-8") as file:
                equal(sum(1 for line in file if "\t10." in line or " 10." in line), RECORDS, "records in the text")
            equal(mount.path("big.example").stat().st_size, len(mount.read("big.example").encode()))


if __name__ == "__main__":
    run(held_lock, unmount_under_lock, million)
