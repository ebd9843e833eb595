#!/usr/bin/python3
"""What the file system promises beyond what single programs need: editor-behaviour 7, by number."""
# runner: asan tsan

import errno
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import threading

from support import zones
from support.mount import Mount
from support.process import run_command, wait_for
from support.tap import Skip, equal, point, run

ZONE = "rules.example"


def text(address="192.0.2.1", serial=100, more=""):
    return zones.small(ZONE, serial=serial, address=address, more=more)


BAD = text("192.0.2.300")


def fails(code, function, *arguments):
    """The call fails with exactly this errno."""
    try:
        function(*arguments)
    except OSError as error:
        equal(errno.errorcode[error.errno], errno.errorcode[code])
    else:
        raise AssertionError(f"it did not fail with {errno.errorcode[code]}")


def python(script, *arguments):
    """Another process that runs a script; talk to it by its standard input and output."""
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def commit_points():
    """a save is made where it can be heard, once"""
    with Mount("points") as mount:
        mount.write(ZONE, text())
        path = mount.path(ZONE)

        with point("a draft is nobody else's, and what was opened stays"):
            with open(path, encoding="utf-8") as before:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text("192.0.2.2"))
                    file.flush()
                    equal(path.read_text(), text())
                equal(before.read(), text())
                equal(path.read_text(), text("192.0.2.2", 101))

        with point("fsync saves, and the close after it is none"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text("192.0.2.3", 101))
                file.flush()
                os.fsync(file.fileno())
                equal(path.read_text(), text("192.0.2.3", 102))
            equal(path.read_text(), text("192.0.2.3", 102))

        with point("a refused fsync has told; the close succeeds"):
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, BAD.encode())
            fails(errno.EBADMSG, os.fsync, descriptor)
            os.close(descriptor)
            equal(path.read_text(), text("192.0.2.3", 102))

        with point("two writers in one process each save their own"):
            one, two = (os.open(path, os.O_WRONLY | os.O_TRUNC) for _ in range(2))
            os.write(one, text("192.0.2.4", 102).encode())
            os.write(two, text("192.0.2.5", 103).encode())
            os.close(one)
            equal(path.read_text(), text("192.0.2.4", 103))
            os.close(two)
            equal(path.read_text(), text("192.0.2.5", 104))

        with point("a descriptor that children share saves with its last close"):
            script = f'{{ cat "$0"; cat "$1"; }} > {path}'
            head, tail = mount.home / "head", mount.home / "tail"
            whole = text("192.0.2.6", 104)
            head.write_text(whole[:40])
            tail.write_text(whole[40:])
            run_command(["bash", "-c", script, head, tail])
            equal(path.read_text(), text("192.0.2.6", 105))

        with point("a writer killed half-way changes nothing, and his text is kept"):
            writer = python("import os, sys; f = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC); os.write(f, b'; half'); print('wrote', flush=True); sys.stdin.read()", path)
            equal(writer.stdout.readline(), "wrote\n")
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdin.close()
            writer.stdout.close()
            wait_for(lambda: mount.control(f"rejected/{ZONE}.zone").read_text() == "; half", "the half text")
            equal(path.read_text(), text("192.0.2.6", 105))

        with point("reopened by descriptor"):
            descriptor = os.open(path, os.O_RDONLY)
            with open(f"/proc/self/fd/{descriptor}", "w", encoding="utf-8") as file:
                file.write(text("192.0.2.7", 105))
            os.close(descriptor)
            equal(path.read_text(), text("192.0.2.7", 106))

        with point("truncate by path is judged at once"):
            fails(errno.EINVAL, os.truncate, path, 0)
            fails(errno.EINVAL, os.truncate, path, len(text()) - 4)
            os.truncate(path, len(text("192.0.2.7", 106)))
            equal(path.read_text(), text("192.0.2.7", 106))

        with point("bytes that are there already are nothing"):
            before = path.stat()
            mount.write(ZONE, text("192.0.2.7", 106))
            mount.write(ZONE, text("192.0.2.7", 100))
            after = path.stat()
            equal((after.st_mtime_ns, after.st_size, after.st_ino), (before.st_mtime_ns, before.st_size, before.st_ino))


def appends():
    """appends go behind the text as it is then"""
    with Mount("append") as mount:
        mount.write(ZONE, text())
        script = ('import sys\nfor n in range(25):\n    with open(sys.argv[1], "a") as f: f.write(f"w{sys.argv[2]}-{n} TXT x\\n")\n')
        workers = [python(script, mount.path(ZONE), number) for number in range(4)]
        for worker in workers:
            worker.communicate()
            equal(worker.returncode, 0)
        equal(sorted(line for line in mount.read(ZONE).split("\n") if re.match(r"w\d+-", line)), sorted(f"w{w}-{n} TXT x" for w in range(4) for n in range(25)))
        with point("a line that cannot be right fails in write, and loses nothing"):
            before = mount.read(ZONE)
            descriptor = os.open(mount.path(ZONE), os.O_WRONLY | os.O_APPEND)
            fails(errno.EINVAL, os.write, descriptor, b"oops A 192.0.2.300\n")
            fails(errno.EINVAL, os.write, descriptor, b"more A 192.0.2.1\n")
            fails(errno.EINVAL, os.close, descriptor)
            equal(mount.read(ZONE), before)
            assert "oops A" in mount.control(f"rejected/{ZONE}.zone").read_text()


def names():
    """names that are zones, and names that are not"""
    with Mount("names", grace="1s") as mount:
        mount.write(ZONE, text())
        path = mount.path(ZONE)

        with point("a new name is empty, listed and not served until a text is saved in it"):
            new = mount.path("new.example")
            new.touch()
            equal(sorted(os.listdir(mount.mnt)), ["new.example.zone", f"{ZONE}.zone"])
            equal(new.read_bytes(), b"")
            inode = new.stat().st_ino
            fails(errno.EINVAL, mount.write, "new.example", "nothing\n")
            mount.write("new.example", zones.small("new.example"))
            equal(new.stat().st_ino, inode)

        with point("case and needless escapes name the same file"):
            equal((mount.mnt / "RULES.example.zone").read_text(), text())
            fails(errno.EEXIST, os.open, mount.mnt / "Rules.Example.zone", os.O_WRONLY | os.O_CREAT | os.O_EXCL)

        with point("st_ino is the zone's, whatever happens to its text"):
            inode = path.stat().st_ino
            os.rename(path, mount.mnt / "backup~")
            assert (mount.mnt / "backup~").stat().st_ino != inode
            equal((mount.mnt / "backup~").read_text(), text())
            mount.write(ZONE, text("192.0.2.2"))
            equal(path.stat().st_ino, inode)
            (mount.mnt / "temporary").write_text(text("192.0.2.3", 101))
            os.rename(mount.mnt / "temporary", path)
            equal(path.stat().st_ino, inode)
            equal(path.read_text(), text("192.0.2.3", 102))
            os.unlink(mount.mnt / "backup~")

        with point("a refused re-creation brings the committed zone back"):
            os.unlink(path)
            fails(errno.ENOENT, os.stat, path)
            fails(errno.EINVAL, mount.write, ZONE, BAD)
            equal(path.read_text(), text("192.0.2.3", 102))

        with point("renames that are refused"):
            fails(errno.EXDEV, os.rename, path, mount.path("other.example"))
            (mount.mnt / "bad").write_text(BAD)
            fails(errno.EBADMSG, os.rename, mount.mnt / "bad", path)
            equal((mount.mnt / "bad").read_text(), BAD)
            fails(errno.EPERM, os.mkdir, mount.mnt / ".git")
            fails(errno.EEXIST, os.mkdir, mount.mnt / ".zonefs")
            fails(errno.EPERM, os.link, path, mount.mnt / "link")
            os.unlink(mount.mnt / "bad")

        with point("what does not come back is buried"):
            os.unlink(mount.path("new.example"))
            wait_for(lambda: not mount.control("zones/new.example").exists(), "the burial")
            os.unlink(path)
            directory = os.open(mount.mnt, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
            equal(os.listdir(mount.mnt), [])


def scratch():
    """scratch files are kept as they are, over a restart too"""
    mount = Mount("scratch", quota="1M")
    with mount:
        (mount.mnt / ".a.swp").write_bytes(bytes(range(256)))
        os.chmod(mount.mnt / ".a.swp", 0o600)
        os.utime(mount.mnt / ".a.swp", (1, 1_600_000_000))
        os.symlink("user@host.1", mount.mnt / ".#a")
        (mount.mnt / "dir").mkdir()
        (mount.mnt / "dir" / "inner.zone").write_text("not judged\n")
        fails(errno.EPERM, os.mkdir, mount.mnt / "dir" / "deeper")
        fails(errno.ENOTEMPTY, os.rmdir, mount.mnt / "dir")
        with open(mount.mnt / "big", "wb") as file:
            fails(errno.ENOSPC, os.pwrite, file.fileno(), b"x", 1 << 21)
        os.unlink(mount.mnt / "big")
        with open(mount.mnt / "open", "w+", encoding="utf-8") as file:
            os.unlink(mount.mnt / "open")
            file.write("still there")
            file.seek(0)
            equal(file.read(), "still there")
    with mount:
        equal(sorted(os.listdir(mount.mnt)), [".#a", ".a.swp", "dir"])
        equal((mount.mnt / ".a.swp").read_bytes(), bytes(range(256)))
        found = (mount.mnt / ".a.swp").stat()
        equal((stat.S_IMODE(found.st_mode), int(found.st_mtime)), (0o600, 1_600_000_000))
        equal(os.readlink(mount.mnt / ".#a"), "user@host.1")
        equal((mount.mnt / "dir" / "inner.zone").read_text(), "not judged\n")


def locks():
    """locks are the zone's, whatever node a writer has"""
    with Mount("locks") as mount:
        mount.write(ZONE, text())
        with open(mount.path(ZONE), "r+", encoding="utf-8") as one, open(mount.path(ZONE), "r+", encoding="utf-8") as two:
            fcntl.flock(one, fcntl.LOCK_EX)
            fails(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder = open(mount.path(ZONE), "r+", encoding="utf-8")
        fcntl.lockf(holder, fcntl.LOCK_EX)
        script = ("import fcntl, sys\nf = open(sys.argv[1], 'r+')\nprint('asks', flush=True)\nfcntl.lockf(f, fcntl.LOCK_EX)\n"
                  "print(f.read().split('hostmaster ')[1].split()[0], flush=True)\n")
        waiter = python(script, mount.path(ZONE))
        equal(waiter.stdout.readline(), "asks\n")
        holder.write(text("192.0.2.2"))
        holder.close()
        equal(waiter.stdout.readline(), "101\n", "who had to wait sees what was saved before")
        waiter.communicate()


def events():
    """the event stream waits for the next event, and ends with the mount"""
    with Mount("events") as mount:
        lines, ended = [], threading.Event()

        def listen():
            try:
                with open(mount.control("events"), encoding="utf-8") as stream:
                    for line in stream:
                        lines.append(line)
                    ended.set()
            except OSError:  # its close: by then the mount is gone
                pass

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        mount.write(ZONE, text())
        wait_for(lambda: any(f'"zone":"{ZONE}"' in line for line in lines), "the event of the save")
        descriptor = os.open(mount.control("events"), os.O_RDONLY | os.O_NONBLOCK)
        try:
            while os.read(descriptor, 65536):
                pass
        except BlockingIOError:
            pass
        else:
            raise AssertionError("a reader who will not wait got an end")
        os.close(descriptor)
    thread.join(60)
    assert ended.is_set(), "the stream did not end"


def owners():
    """who may do what; owners are kept when asked"""
    if os.geteuid() != 0:
        raise Skip("root becomes another user here")
    with Mount("owners", owners="keep") as mount:
        mount.home.chmod(0o755)
        mount.write(ZONE, text())
        path = mount.path(ZONE)

        def nobody(script):
            return run_command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script], check=False)

        assert nobody(f"echo >> {path}").returncode != 0
        assert nobody(f"touch {mount.mnt}/x").returncode != 0
        assert nobody(f"rm -f {path}").returncode != 0
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o640)
        said = nobody(f"printf 'mine TXT x\\n' >> {path} && chmod 600 {path} && touch {path}")
        equal(said.returncode, 0, said.stderr)
        found = path.stat()
        equal((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (65534, 65534, 0o600))
        mount.restart()
        found = path.stat()
        equal((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (65534, 65534, 0o600))
    with Mount("ignored") as mount:
        mount.write(ZONE, text())
        os.chown(mount.path(ZONE), 65534, 65534)
        os.chmod(mount.path(ZONE), 0o600)
        equal(mount.path(ZONE).stat().st_uid, 0)


if __name__ == "__main__":
    run(commit_points, appends, names, scratch, locks, events, owners)
