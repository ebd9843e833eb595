"""A mount of the program under test."""

import json
import os
import pathlib
import re
import signal
import subprocess

from .process import DIRECTORY, PATIENCE, Process, run_command, wait_for
from .tap import Skip


def zonefs():
    """Path of the program: $ZONEFS, else that of build/ in the tree."""
    path = os.environ.get("ZONEFS")
    if path:
        return path
    root = pathlib.Path(__file__).resolve().parents[2]
    for candidate in (root / "build/zonefs", root / "build/fs/zonefs"):
        if candidate.exists():
            return str(candidate)
    raise AssertionError("no zonefs program: build it, or set ZONEFS")


def command(*words, check=True, **options):
    """Runs a subcommand: command("check", file)."""
    return run_command([zonefs(), *words], check=check, **options)


def mounted(point):
    """Whether something is mounted at exactly this place."""
    with open("/proc/self/mounts", encoding="utf-8") as table:
        return any(line.split()[1].encode().decode("unicode_escape") == str(point) for line in table)


class Mount(Process):
    """`zonefs -f MNT -o …` in a directory of its own.

        with Mount(bucket=bucket) as m:
            m.write("example.com", text)

    The name makes places: NAME/mnt, NAME/db/pdns.lmdb. Options are those of -o; an underscore stands for
    the hyphen (lock_wait="2s"), True for a word alone (ro=True). Leaving the block unmounts by SIGTERM and
    wants exit code 0 and no mount left.
    """

    def __init__(self, name="a", db=None, source=None, environment=None, wrapper=(), **options):
        super().__init__(f"zonefs-{name}")
        self.home = DIRECTORY / name
        self.mnt = self.home / "mnt"
        self.db = pathlib.Path(db) if db else self.home / "db" / "pdns.lmdb"
        self.source = source
        self.environment = environment or {}
        self.wrapper = list(wrapper)
        self.options = {"instance": name.replace(".", "-"), **options}

    def arguments(self):
        words = [f"db={self.db}"]
        for key, value in self.options.items():
            key = key.replace("_", "-") if key != "allow_other" else key
            if value is None or value is False:
                continue
            words.append(key if value is True else f"{key}={value}")
        return [*([self.source] if self.source else []), str(self.mnt), "-f", "-o", ",".join(words)]

    def start(self):
        if not os.path.exists("/dev/fuse"):
            raise Skip("no /dev/fuse here")
        self.mnt.mkdir(parents=True, exist_ok=True)
        self.db.parent.mkdir(parents=True, exist_ok=True)
        bucket = str(self.options.get("bucket", ""))
        if bucket.startswith("file://"):
            pathlib.Path(bucket.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        self.spawn([*self.wrapper, zonefs(), *self.arguments()], env={**os.environ, **self.environment})
        self.until(lambda: mounted(self.mnt) and (self.control("status")).stat(), "the mount")
        return self

    def stop(self):
        """Unmounts as SIGTERM does, and holds the program to a clean end."""
        try:
            code = self.end(signal.SIGTERM)
        except AssertionError:
            self.clear()
            raise
        if mounted(self.mnt):
            self.clear()
            raise AssertionError(f"{self.name} left its mount behind")
        if code not in (0, None):
            raise AssertionError(f"{self.name} ended with exit code {code}:\n{self.log[-8000:]}")

    def unmount(self):
        """Unmounts as a person does."""
        run_command(["fusermount3", "-u", str(self.mnt)])
        process, self.process = self.process, None
        code = process.wait(PATIENCE)
        if code:
            raise AssertionError(f"{self.name} ended with exit code {code}:\n{self.log[-8000:]}")

    def kill(self):
        """The daemon dies at once; the dead mount is taken away."""
        self.end(signal.SIGKILL)
        self.clear()

    def clear(self):
        for _ in range(10):
            if not mounted(self.mnt):
                return
            subprocess.run(["umount", "-l", str(self.mnt)], check=False, capture_output=True)

    def restart(self):
        self.stop()
        return self.start()

    # What is in the mount

    def path(self, zone=""):
        """Path of a zone's file, `example.com`, or of any other file when the name has a slash or dot-zone."""
        if not zone:
            return self.mnt
        return self.mnt / (zone if zone.endswith(".zone") or "/" in zone else f"{zone}.zone")

    def control(self, name):
        return self.mnt / ".zonefs" / name

    def read(self, zone):
        return self.path(zone).read_text()

    def write(self, zone, text):
        """Saves in place, as `cp` does; a refusal raises OSError."""
        with open(self.path(zone), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def zones(self):
        return sorted(n.removesuffix(".zone") for n in os.listdir(self.mnt) if n.endswith(".zone"))

    def status(self):
        return json.loads(self.control("status.json").read_text())

    def findings(self, zone):
        """Why the last save of a zone was refused."""
        return self.control(f"rejected/{zone}.zone.error").read_text()

    def serial(self, zone):
        """The SOA serial that the text shows."""
        soa = self.read(zone).split("SOA", 1)[1]
        return int(re.search(r"\b\d{1,10}\b", re.sub(r";.*", "", soa)).group())

    def wait_for_text(self, zone, text, seconds=PATIENCE):
        wait_for(lambda: self.read(zone) == text, f"the text of {zone} on {self.name}", seconds)
