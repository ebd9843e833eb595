#!/usr/bin/python3
"""The .zonefs directory and what guards the zones: status, events, refused texts, policies, the mass-change guard,
vacated names, scratch files, locks and times."""
# runner: timeout=300

import errno
import fcntl
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys

from support import zones
from support.mount import Mount
from support.process import DIRECTORY, run_command, wait_for
from support.tap import equal, point, run

ZONE = "one.example"


def text(serial=100, address="192.0.2.1", more="", zone=ZONE):
    return zones.small(zone, serial=serial, address=address, more=more)


def refused(action, *codes):
    """The action fails with one of these errors."""
    try:
        action()
    except OSError as error:
        assert error.errno in codes, f"{errno.errorcode[error.errno]}, wanted {[errno.errorcode[c] for c in codes]}"
        return
    raise AssertionError("it was not refused")


def hidden_directory():
    """.zonefs is there by name and never listed"""
    with Mount("hidden") as mount:
        mount.write(ZONE, text())
        with point("not listed, but entered by name"):
            equal(sorted(os.listdir(mount.mnt)), [f"{ZONE}.zone"])
            assert {"status", "status.json", "events"} <= set(os.listdir(mount.mnt / ".zonefs"))
        with point("cannot be made, removed or renamed"):
            refused(lambda: os.mkdir(mount.mnt / ".zonefs"), errno.EEXIST)
            refused(lambda: os.rmdir(mount.mnt / ".zonefs"), errno.EPERM, errno.EACCES, errno.EBUSY, errno.ENOTEMPTY)
            refused(lambda: os.rename(mount.mnt / ".zonefs", mount.mnt / "x"), errno.EPERM, errno.EACCES, errno.EBUSY)
        with point("rsync --delete and rm -rf leave it"):
            (DIRECTORY / "empty").mkdir()
            run_command(["rsync", "-a", "--delete", f"{DIRECTORY}/empty/", f"{mount.mnt}/"])
            assert mount.control("status").exists()
        with point("a control file that is not there"):
            refused(lambda: mount.control("nonsense").read_text(), errno.ENOENT)
            refused(lambda: mount.control("nonsense").write_text("x"), errno.ENOENT, errno.EPERM, errno.EACCES)


def status():
    """status for a person, status.json for a program"""
    with Mount("status", bucket=f"file://{DIRECTORY}/status-bucket") as mount:
        mount.write(ZONE, text())
        with point("status.json is JSON, of the size that stat says"):
            raw = mount.control("status.json").read_bytes()
            json.loads(raw)
        with point("a refused text is told of"):
            refused(lambda: mount.write(ZONE, text(address="192.0.2.300")), errno.EINVAL)
            assert ZONE in mount.control("status").read_text(), mount.control("status").read_text()
        with point("zones/ZONE/warnings"):
            mount.write("warned.example", zones.small("warned.example", more="sub\tNS\tns.sub\n"))
            said = mount.control("zones/warned.example/warnings").read_text()
            assert re.search(r"^warned\.example\.zone:\d+:\d+: warning: ", said, re.M), said


def policies():
    """the serial policy of a zone is a file"""
    with Mount("policies") as mount:
        mount.write(ZONE, text())
        policy = mount.control(f"zones/{ZONE}/serial")
        with point("auto keeps a counter's style"):
            mount.write(ZONE, text(address="192.0.2.2"))
            equal(mount.serial(ZONE), 101)
        with point("keep leaves it to the writer"):
            policy.write_text("keep\n")
            equal(policy.read_text().strip(), "keep")
            mount.write(ZONE, text(101, address="192.0.2.3"))
            equal(mount.serial(ZONE), 101)
        with point("date"):
            policy.write_text("date\n")
            mount.write(ZONE, text(101, address="192.0.2.4"))
            assert re.fullmatch(r"20\d{8}", str(mount.serial(ZONE))), mount.serial(ZONE)
        with point("nonsense is refused"):
            refused(lambda: policy.write_text("nonsense\n"), errno.EINVAL)
        with point("it survives a restart"):
            mount.restart()
            equal(policy.read_text().strip(), "date")


class Events:
    """`tail -f` on the event stream."""

    def __init__(self, mount):
        self.file = os.open(mount.control("events"), os.O_RDONLY)
        os.set_blocking(self.file, False)
        self.drain()
        self.reader = subprocess.Popen([sys.executable, "-c", "import sys\nfor line in open(sys.argv[1], 'rb', buffering=0): "
                                        "sys.stdout.buffer.write(line); sys.stdout.buffer.flush()", str(mount.control("events"))],
                                       stdout=subprocess.PIPE)

    def drain(self):
        """What is there now; the end of the stream must say EAGAIN."""
        lines = b""
        while True:
            try:
                data = os.read(self.file, 65536)
            except BlockingIOError:
                return [json.loads(line) for line in lines.split(b"\n") if line]
            assert data, "the stream ended"
            lines += data

    def wait(self, zone, kind=None):
        """The next event of a zone, from the blocking reader."""
        while True:
            ready, _, _ = select.select([self.reader.stdout], [], [], 60)
            assert ready, f"no event of {zone}"
            line = self.reader.stdout.readline()
            assert line, "the stream ended"
            event = json.loads(line)
            if event.get("zone", "").rstrip(".") == zone and kind in (None, event["event"]):
                return event

    def close(self):
        self.reader.kill()
        self.reader.wait()
        self.reader.stdout.close()
        os.close(self.file)


def events():
    """events come as JSON lines, and a read at the end waits for the next"""
    with Mount("events") as mount:
        mount.write(ZONE, text())
        stream = Events(mount)
        try:
            with point("a save"):
                mount.write(ZONE, text(address="192.0.2.2"))
                assert re.match(r"\d{4}-\d\d-\d\dT", stream.wait(ZONE)["time"])
            with point("a refused save"):
                refused(lambda: mount.write("bad.example", "nonsense\n"), errno.EINVAL)
                stream.wait("bad.example")
            with point("at the end a reader that does not wait gets EAGAIN"):
                assert stream.drain()
                equal(stream.drain(), [])
        finally:
            stream.close()
        with point("a reader that waits does not hold the unmount"):
            waiting = subprocess.Popen(["cat", str(mount.control("events"))], stdout=subprocess.DEVNULL)
            wait_for(lambda: os.readlink(f"/proc/{waiting.pid}/fd/3").endswith("events"), "cat to read")
            mount.stop()
            equal(waiting.wait(60) in (0, 1), True)
            mount.start()
        with point("an interrupted reader ends"):
            waiting = subprocess.Popen(["cat", str(mount.control("events"))], stdout=subprocess.DEVNULL)
            wait_for(lambda: os.readlink(f"/proc/{waiting.pid}/fd/3").endswith("events"), "cat to read")
            waiting.send_signal(signal.SIGINT)
            waiting.wait(60)


def refused_texts():
    """refused texts are kept with their findings, four older ones too, and one mended is saved"""
    with Mount("refused") as mount:
        mount.write(ZONE, text())
        with point("every finding is named, with line, column and a caret"):
            bad = text(more="a A 192.0.2.300\nb AAAA nonsense\nc MX mail\nd NOSUCHTYPE x\n")
            refused(lambda: mount.write(ZONE, bad), errno.EINVAL)
            found = mount.findings(ZONE)
            for line in range(7, 11):
                assert re.search(rf"^{re.escape(ZONE)}\.zone:{line}:\d+: error: .", found, re.M), found
            assert "^" in found
            equal(mount.control(f"rejected/{ZONE}.zone").read_text(), bad)
            assert mount.control(f"rejected/{ZONE}.zone.error").stat().st_size == len(mount.control(f"rejected/{ZONE}.zone.error").read_bytes())
        with point("the newest and four older ones"):
            for number in range(301, 308):
                refused(lambda n=number: mount.write(ZONE, text(address=f"192.0.2.{n}")), errno.EINVAL)
            equal(sorted(os.listdir(mount.control("rejected"))),
                  sorted([f"{ZONE}.zone", f"{ZONE}.zone.error", *(f"{ZONE}.zone.{n}{e}" for n in range(1, 5) for e in ("", ".error"))]))
            equal(mount.control(f"rejected/{ZONE}.zone").read_text(), text(address="192.0.2.307"))
            equal(mount.control(f"rejected/{ZONE}.zone.4").read_text(), text(address="192.0.2.303"))
        with point("they survive a restart"):
            mount.restart()
            equal(mount.control(f"rejected/{ZONE}.zone").read_text(), text(address="192.0.2.307"))
            equal(mount.read(ZONE), text())
        with point("mended and copied back, the zone is saved and they are gone"):
            mended = mount.control(f"rejected/{ZONE}.zone").read_text().replace("192.0.2.307", "192.0.2.30")
            (DIRECTORY / "mended").write_text(mended)
            run_command(["cp", DIRECTORY / "mended", mount.path(ZONE)])
            equal(mount.read(ZONE), text(101, "192.0.2.30"))
            equal(os.listdir(mount.control("rejected")), [])
        with point("errors by operation: EINVAL from close, EBADMSG from fsync and rename"):
            refused(lambda: mount.write(ZONE, "nonsense\n"), errno.EINVAL)
            descriptor = os.open(mount.path(ZONE), os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, b"nonsense\n")
            refused(lambda: os.fsync(descriptor), errno.EBADMSG)
            os.close(descriptor)  # already told
            (mount.mnt / "new").write_text("nonsense\n")
            refused(lambda: os.rename(mount.mnt / "new", mount.path(ZONE)), errno.EBADMSG)
            equal((mount.mnt / "new").read_text(), "nonsense\n")
            os.unlink(mount.mnt / "new")
            refused(lambda: os.truncate(mount.path(ZONE), 40), errno.EINVAL)
            equal(mount.read(ZONE), text(101, "192.0.2.30"))
        with point("a text killed half-way is kept as interrupted, and not saved"):
            script = "import os,sys,time; f=open(sys.argv[1],'w'); f.write(sys.argv[2]); f.flush(); print('written', flush=True); time.sleep(600)"
            half = text(200, "192.0.2.99")
            writer = subprocess.Popen([sys.executable, "-c", script, str(mount.path(ZONE)), half], stdout=subprocess.PIPE)
            writer.stdout.readline()
            writer.kill()
            writer.wait()
            wait_for(lambda: mount.control(f"rejected/{ZONE}.zone").read_text() == half, "the text among the refused")
            assert "interrupted" in mount.findings(ZONE), mount.findings(ZONE)
            equal(mount.read(ZONE), text(101, "192.0.2.30"))


def guard():
    """a save or a burst of deletions that takes away too much is refused, and can be allowed once"""
    with Mount("guard") as mount:
        many = text(more="".join(f"h{n}\tA\t192.0.2.9\n" for n in range(60)))
        mount.write(ZONE, many)
        with point("more than half of the records"):
            refused(lambda: mount.write(ZONE, text(101)), errno.EINVAL)
            equal(mount.read(ZONE), many)
            assert "allow" in mount.findings(ZONE), mount.findings(ZONE)
        with point("changed values are no deletions"):
            mount.write(ZONE, many.replace("192.0.2.9\n", "192.0.2.8\n"))
        with point("allowed once"):
            mount.control("allow").write_text("once\n")
            mount.write(ZONE, text(110))
            mount.write(ZONE, many.replace("hostmaster 100", "hostmaster 120"))
            refused(lambda: mount.write(ZONE, text(130)), errno.EINVAL)
        for number in range(30):
            mount.write(f"z{number}.example", zones.small(f"z{number}.example"))
        with point("more than 30 % of the zones"):
            gone = 0
            try:
                for number in range(30):
                    os.unlink(mount.path(f"z{number}.example"))
                    gone += 1
            except OSError as error:
                equal(error.errno, errno.EPERM)
            assert 9 <= gone <= 11, f"{gone} of 31 zones could be removed"
        with point("and allowed once"):
            mount.control("allow").write_text("once\n")
            os.unlink(mount.path("z29.example"))
            refused(lambda: os.unlink(mount.path("z28.example")), errno.EPERM)


def names():
    """vacated names, other spellings, scratch, zone to zone"""
    with Mount("names", grace="2s") as mount:
        mount.write(ZONE, text())
        with point("renamed away and back: nothing happened"):
            before = mount.path(ZONE).stat()
            os.rename(mount.path(ZONE), mount.mnt / "backup~")
            assert not mount.path(ZONE).exists()
            equal((mount.mnt / "backup~").read_text(), text())
            assert (mount.mnt / "backup~").stat().st_ino != before.st_ino
            os.rename(mount.mnt / "backup~", mount.path(ZONE))
            equal((mount.read(ZONE), mount.path(ZONE).stat().st_ino), (text(), before.st_ino))
        with point("removed and made anew within the grace: an update"):
            os.unlink(mount.path(ZONE))
            mount.write(ZONE, text(address="192.0.2.2"))
            equal((mount.read(ZONE), mount.path(ZONE).stat().st_ino), (text(101, "192.0.2.2"), before.st_ino))
        with point("removed: buried after the grace"):
            os.unlink(mount.path(ZONE))
            wait_for(lambda: not mount.control(f"zones/{ZONE}").exists(), "the burial")
            mount.write(ZONE, text())
            equal(mount.read(ZONE), text())
        with point("names compare without case"):
            equal((mount.mnt / "ONE.Example.zone").read_text(), text())
            refused(lambda: os.open(mount.mnt / "ONE.example.zone", os.O_CREAT | os.O_EXCL | os.O_WRONLY), errno.EEXIST)
        with point("zone to zone: EXDEV, so mv copies and the text is judged at its new place"):
            refused(lambda: os.rename(mount.path(ZONE), mount.path("two.example")), errno.EXDEV)
            run_command(["mv", mount.path(ZONE), mount.path("two.example")])
            equal(mount.read("two.example"), text())
            mount.write(ZONE, text())
        with point("an empty new file is no zone yet"):
            run_command(["touch", mount.path("new.example")])
            equal(mount.path("new.example").stat().st_size, 0)
            assert not mount.control("zones/new.example").exists()
            mount.write("new.example", zones.small("new.example"))
            assert mount.control("zones/new.example").exists()
        with point("scratch takes anything and survives a restart"):
            (mount.mnt / "notes.txt").write_bytes(bytes(range(256)) * 100)
            os.chmod(mount.mnt / "notes.txt", 0o600)
            os.symlink("user@host.1234", mount.mnt / ".#link")
            os.mkdir(mount.mnt / ".~tmp~")
            (mount.mnt / ".~tmp~" / "x").write_text("x")
            mount.restart()
            equal((mount.mnt / "notes.txt").read_bytes(), bytes(range(256)) * 100)
            equal(stat.S_IMODE((mount.mnt / "notes.txt").stat().st_mode), 0o600)
            equal(os.readlink(mount.mnt / ".#link"), "user@host.1234")
            equal((mount.mnt / ".~tmp~" / "x").read_text(), "x")
        with point(".git is refused"):
            refused(lambda: os.mkdir(mount.mnt / ".git"), errno.EPERM)
        with point("names that are no zones: unsafe bytes, the root zone"):
            for zone, origin in (("0=2F25.2.0.192.in-addr.arpa", "rfc2317"), ("=2E", "root")):
                mount.write(zone, zones.small(zone).replace("\tSOA\tns hostmaster", "\tSOA\tns.example. hostmaster.example."))
                assert zone in mount.zones(), f"{origin}: {mount.zones()}"
                assert "ns.example." in mount.read(zone)


def times():
    """times and sizes are true"""
    with Mount("times") as mount:
        mount.write(ZONE, text())
        with point("mtime moves with every save, also two within a tick"):
            last = mount.path(ZONE).stat().st_mtime_ns
            for number in range(2, 30):
                mount.write(ZONE, text(100 + number, f"192.0.2.{number}"))
                now = mount.path(ZONE).stat().st_mtime_ns
                assert now > last, f"{now} after {last}"
                last = now
        with point("utimens is kept, over a restart too, until the next save"):
            os.utime(mount.path(ZONE), ns=(1_600_000_000_123456789, 1_600_000_000_123456789))
            equal(mount.path(ZONE).stat().st_mtime_ns, 1_600_000_000_123456789)
            mount.restart()
            equal(mount.path(ZONE).stat().st_mtime_ns, 1_600_000_000_123456789)
            mount.write(ZONE, text(200, "192.0.2.200"))
            assert mount.path(ZONE).stat().st_mtime_ns > 1_700_000_000_000000000
        with point("mtime and size are the same after a restart"):
            before = mount.path(ZONE).stat()
            mount.restart()
            after = mount.path(ZONE).stat()
            equal((after.st_mtime_ns, after.st_size, after.st_ino), (before.st_mtime_ns, before.st_size, before.st_ino))
        with point("chmod and chown to what it is are no errors"):
            os.chmod(mount.path(ZONE), 0o600)
            os.chown(mount.path(ZONE), os.getuid(), os.getgid())
            equal(mount.path(ZONE).stat().st_nlink, 1)


def readers():
    """a reader keeps what it opened, over a draft, a refusal and a commit"""
    with Mount("readers") as mount:
        mount.write(ZONE, text())
        with open(mount.path(ZONE), encoding="utf-8") as held:
            first = held.read(10)
            with open(mount.path(ZONE), "w", encoding="utf-8") as draft:
                draft.write("nonsense")
                draft.flush()
                equal(mount.read(ZONE), text(), "another reader during a draft")
                draft.write("\n")
                try:
                    draft.close()
                except OSError:
                    pass
            equal(mount.read(ZONE), text(), "after a refusal")
            mount.write(ZONE, text(address="192.0.2.222"))
            equal(first + held.read(), text(), "the handle opened before")
        equal(mount.read(ZONE), text(101, "192.0.2.222"))


def locks():
    """flock is per zone: of two who lock, append and unlock, neither loses a line"""
    with Mount("locks") as mount:
        mount.write(ZONE, text())
        script = ("import fcntl,sys\nfor n in range(25):\n"
                  " f=open(sys.argv[1],'r+'); fcntl.flock(f, fcntl.LOCK_EX); t=f.read(); f.seek(0); f.write(t+f'{sys.argv[2]}{n} A 192.0.2.1\\n'); f.close()")
        workers = [subprocess.Popen([sys.executable, "-c", script, str(mount.path(ZONE)), name]) for name in "pqr"]
        for worker in workers:
            equal(worker.wait(120), 0)
        equal(len(re.findall(r"^[pqr]\d+ ", mount.read(ZONE), re.M)), 75)
        with open(mount.path(ZONE), encoding="utf-8") as one, open(mount.path(ZONE), "r+", encoding="utf-8") as other:
            fcntl.flock(one, fcntl.LOCK_EX)
            refused(lambda: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB), errno.EAGAIN)


if __name__ == "__main__":
    run(hidden_directory, status, policies, events, refused_texts, guard, names, times, readers, locks)
