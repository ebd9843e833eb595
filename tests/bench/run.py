#!/usr/bin/env python3
"""Measures zonefs beside its yardsticks, in turns within one run, and prints ratios: seconds of one machine say little.

  tests/bench/run.py [-n ROUNDS] [GOAL ...]      GOAL: G1 … G17; without any, all of them

Needs what tests/run.sh installs, python3-lmdb, root, and about 2 GB in /var/tmp. docs/performance.md says what was found.
"""

import argparse
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support import dns  # noqa: E402
from support.mount import Mount, zonefs  # noqa: E402
from support.pdns import PowerDNS  # noqa: E402
from support.process import DIRECTORY, run_command, wait_for  # noqa: E402

SMALL = """$TTL 3600
@ IN SOA ns1.hosting.example. admin SERIAL 10800 3600 604800 300
@ NS ns1.hosting.example.
@ NS ns2.hosting.example.
@ MX 10 mail
@ A 198.51.100.33
www A 203.0.113.WWW
mail A 192.0.2.119
@ TXT "v=spf1 mx ip4:192.0.2.119 -all"
_dmarc TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@small.test"
@ AAAA 2001:db8:21::77
www AAAA 2001:db8:21::77
ftp CNAME www
"""


def report(goal, what, ours, theirs, bound, unit="s"):
    """One line: medians, the median of the ratios pair by pair, and the bound."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    verdict = "ok" if ratio <= bound else "ABOVE"
    print(f"{goal:4} {what:58} {statistics.median(ours):10.4f} / {statistics.median(theirs):10.4f} {unit:3} = {ratio:6.2f}"
          f"  (bound {bound})  {verdict}", flush=True)


def whole(command):
    """Wall seconds and peak resident megabytes of a whole process."""
    begin = time.monotonic()
    process = subprocess.Popen([str(w) for w in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit code {process.returncode}: {said[-500:]!r}")
    return took, usage.ru_maxrss / 1024


def in_turns(rounds, *actions):
    """Runs the actions A B A B …, one round more to warm up; a list of values for each."""
    values = [[] for _ in actions]
    for number in range(rounds + 1):
        for action, kept in zip(actions, values):
            value = action()
            if number:
                kept.append(value)
    return values


def compiled(name, *flags):
    """A helper program of this directory."""
    path = DIRECTORY / name
    if not path.exists():
        run_command(["cc", "-O2", "-D_GNU_SOURCE", "-DFUSE_USE_VERSION=314", "-o", path, HERE / f"{name}.c", *flags])
    return path


def zscan():
    return compiled("zscan", "-lzscanner")


def genzones(*words):
    run_command([sys.executable, HERE / "genzones.py", *words, "-q"], seconds=600)


def asker(port):
    """A function that asks for the A records of a name and gives the raw reply: dig would take longer than the save."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(2)
    udp.connect(("127.0.0.1", port))

    def ask(name):
        wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        udp.send(struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + wire + struct.pack(">HH", 1, 1))
        return udp.recv(4096)

    return ask


def big_zone():
    path = DIRECTORY / "example.zone"
    if not path.exists():
        genzones("tld", "--records", 1000000, "-o", path)
    return path


def goal_check(rounds):
    big = big_zone()
    ours, theirs = in_turns(rounds, lambda: whole([zonefs(), "check", "--origin", "example", big]),
                            lambda: whole([zscan(), "cb", "example", big]))
    report("G1", "check of 1M records / zscan", [o[0] for o in ours], [t[0] for t in theirs], 3)
    report("G2", "peak memory of it / 150 MB", [o[1] for o in ours], [150.0] * len(ours), 1, "MB")


def goal_small_check(rounds):
    zones = DIRECTORY / "hosting"
    if not zones.exists():
        genzones("hosting", "--zones", 10000, "-d", zones)
    files = sorted(zones.iterdir())
    ours, theirs = in_turns(rounds, lambda: whole([zonefs(), "check", zones])[0], lambda: whole([zscan(), "cb", "-", *files])[0])
    report("G3", "check of 10 000 small zones / zscan", ours, theirs, 2)


def goal_first_save(rounds):
    big = big_zone()
    with open(big, encoding="ascii") as lines:
        name = next(line.split()[0] for line in lines if "\tIN NS\t" in line and line[0].isalpha())

    def save(number=[0]):
        number[0] += 1
        with Mount(f"g4-{number[0]}") as mount, PowerDNS("4.9", mount.db, name=f"g4-pdns-{number[0]}") as server:
            begin = time.monotonic()
            shutil.copyfile(big, mount.path("example"))
            wait_for(lambda: dns.dig(server.port, f"{name}.example.", "NS", "+noedns").status == "NOERROR", "the answer")
            took = time.monotonic() - begin
        shutil.rmtree(mount.home)
        return took

    def load(number=[0]):
        number[0] += 1
        server = PowerDNS("4.9", DIRECTORY / f"load{number[0]}" / "p", name=f"g4-load-{number[0]}")
        shutil.copyfile(big, server.home / "big")
        begin = time.monotonic()
        server.pdnsutil("load-zone", "example", server.home / "big")
        took = time.monotonic() - begin
        shutil.rmtree(server.db.parent)
        return took

    ours, theirs = in_turns(max(2, rounds // 2), save, load)
    report("G4", "first save of 1M records, served / pdnsutil load-zone", ours, theirs, 0.4)


def goal_small_save(rounds):
    with Mount("g7") as mount, PowerDNS("4.9", mount.db, name="g7-pdns") as server:
        numbers = iter(range(2026010101, 2027010101))

        ask = asker(server.port)

        def served(last):
            while bytes([203, 0, 113, last]) not in ask("www.small.test"):
                pass

        def save():
            number = next(numbers)
            begin = time.monotonic()
            mount.write("small.test", SMALL.replace("SERIAL", str(number)).replace("WWW", str(number % 200)))
            served(number % 200)
            return (time.monotonic() - begin) * 1000

        def patch():
            number = next(numbers)
            rrset = {"name": "www.small.test.", "type": "A", "ttl": 3600, "changetype": "REPLACE",
                     "records": [{"content": f"203.0.113.{number % 200}", "disabled": False}]}
            begin = time.monotonic()
            server.api("PATCH", "zones/small.test.", {"rrsets": [rrset]})
            served(number % 200)
            return (time.monotonic() - begin) * 1000

        ours, theirs = in_turns(20 * rounds, save, patch)
        report("G7", "12-record zone, save until served / API PATCH", ours, theirs, 1, "ms")


def goal_many_saves(rounds):
    texts = {f"z{i}.test": SMALL.replace("SERIAL", "2026010101").replace("WWW", str(i)) for i in range(100)}

    def save(number=[0]):
        number[0] += 1
        with Mount(f"g8-{number[0]}") as mount:
            begin = time.monotonic()
            for zone, text in texts.items():
                mount.write(zone, text)
            return (time.monotonic() - begin) * 10

    def load(number=[0]):
        number[0] += 1
        server = PowerDNS("4.9", DIRECTORY / f"g8-load{number[0]}" / "p", name=f"g8-pdns-{number[0]}")
        words = []
        for zone, text in texts.items():
            (server.home / zone).write_text(text)
            words += [zone, server.home / zone]
        begin = time.monotonic()
        server.pdnsutil("load-zone", *words)
        return (time.monotonic() - begin) * 10

    ours, theirs = in_turns(rounds, save, load)
    report("G8", "100 small zones, each / pdnsutil in one process", ours, theirs, 1, "ms")


def cold(path):
    """Reads a file whose pages the kernel does not hold. (drop_caches would take those of the database too.)"""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return whole(["cat", path])[0]


def goal_cat(rounds):
    big = big_zone()
    point = DIRECTORY / "memfile-mount"
    point.mkdir(exist_ok=True)
    yardstick = subprocess.Popen([compiled("memfile", "-I/usr/include/fuse3", "-lfuse3"), big, point])
    try:
        wait_for(lambda: (point / "file").stat().st_size)
        with Mount("g9") as mount:
            shutil.copyfile(big, mount.path("example"))
            ours, theirs = in_turns(rounds, lambda: cold(mount.path("example")), lambda: cold(point / "file"))
        report("G9", "cat of 1M records / FUSE memory file", ours, theirs, 1.5)
    finally:
        subprocess.run(["fusermount3", "-u", point], check=False)
        yardstick.wait()


def goal_print(rounds):
    server = PowerDNS("4.9", DIRECTORY / "g10" / "p", name="g10-pdns")
    shutil.copyfile(big_zone(), server.home / "big")
    server.pdnsutil("load-zone", "example", server.home / "big")
    ours, theirs = in_turns(rounds, lambda: whole([zonefs(), "cat", "-o", f"db={server.db}", "example"])[0],
                            lambda: whole(server.inside("pdnsutil", "list-zone", "example"))[0])
    report("G10", "canonical print of 1M records / list-zone", ours, theirs, 0.5)


def listing(rounds, count, long):
    names = DIRECTORY / f"names{count}"
    if not names.exists():
        names.write_text(run_command([sys.executable, HERE / "genzones.py", "names", "--zones", count, "-q"]).stdout)
    db = DIRECTORY / f"list{count}" / "p"
    if not db.exists():
        db.parent.mkdir()
        run_command([sys.executable, HERE / "mkzones.py", db, count, names, *(["soaonly"] if count > 200000 else [])], seconds=600)
    memory = DIRECTORY / f"tmpfs{count}"
    memory.mkdir()
    run_command(["mount", "-t", "tmpfs", "-o", "nr_inodes=2m", "tmpfs", memory])
    try:
        for name in names.read_text().split():
            with open(memory / f"{name}.zone", "wb") as file:
                if long:
                    file.write(b"; " + b"x" * 509 + b"\n")
        with Mount(f"list{count}", db=db) as mount:
            wait_for(lambda: sum(1 for _ in os.scandir(mount.mnt)) >= count, "the whole list", 600)
            before = resident(mount)
            flags = "-lU" if long else "-f"
            ours, theirs = in_turns(rounds, lambda: whole(["env", "LC_ALL=C", "ls", flags, mount.mnt])[0],
                                    lambda: whole(["env", "LC_ALL=C", "ls", flags, memory])[0])
            after = resident(mount)
        goal, bound = ("G17", 1.5) if long else ("G16", 2)
        report(goal, f"ls {flags} of {count} zones / tmpfs (daemon {before:.0f} -> {after:.0f} MB)", ours, theirs, bound)
    finally:
        run_command(["umount", memory])
        memory.rmdir()


def resident(mount):
    """Anonymous megabytes of the daemon."""
    for line in pathlib.Path(f"/proc/{mount.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


GOALS = {
    "G1": goal_check, "G3": goal_small_check, "G4": goal_first_save, "G7": goal_small_save, "G8": goal_many_saves,
    "G9": goal_cat, "G10": goal_print,
    "G16": lambda rounds: [listing(rounds, count, False) for count in (100000, 1000000)],
    "G17": lambda rounds: listing(rounds, 100000, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="rounds", type=int, default=5)
    parser.add_argument("goals", nargs="*", metavar="GOAL")
    arguments = parser.parse_args()
    chosen = ["G1" if g == "G2" else g for g in arguments.goals] or list(GOALS)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, median of {arguments.rounds} rounds: ours / theirs = ratio")
    try:
        for goal in chosen:
            GOALS[goal](arguments.rounds)
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)


if __name__ == "__main__":
    main()
