#!/usr/bin/python3
"""No torn read: writers in several ways, threads and processes save beside readers by read and by mmap, and every
read is one whole version. What close acknowledged is what stat and read show right after it."""
# runner: timeout=420 tsan

import errno
import mmap
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

from support.mount import Mount
from support.process import PATIENCE, run_command
from support.tap import equal, note, point, run

# Saves in all; fewer where a sanitizer makes each one slow.
SAVES = {"asan": 1500, "tsan": 800}.get(os.environ.get("ZONEFS_VARIANT"), 10_000)


def text(zone, version):
    """A version that shows in every line, and in the size."""
    count = 20 + version % 7 * 90
    lines = [f"; version {version}, {count} records", "$TTL 300", f"@\tSOA\tns hostmaster {version} 3600 600 86400 300", "\tNS\tns", "ns\tA\t192.0.2.53"]
    lines += [f'r{number}\tTXT\t"{version}"' for number in range(count)]
    return "\n".join([*lines, f"; end of {version}", ""])


def fault(data):
    """What is wrong with bytes that were read, or None."""
    if not data:
        return "empty"
    found = data.decode(errors="replace")
    head = re.match(r"; version (\d+), (\d+) records\n", found)
    if not head:
        return f"begins with {found[:60]!r}"
    version, count = int(head[1]), int(head[2])
    want = text("", version)
    # The serial may have been raised; everything else must be as one writer wrote it.
    if re.sub(r"hostmaster \d+ ", "", found, count=1) != re.sub(r"hostmaster \d+ ", "", want, count=1):
        return f"version {version} of {count} records, but not as written: {len(found)} bytes, wanted {len(want)}"
    return None


def in_place(path, data):
    with open(path, "w", encoding="utf-8") as file:
        file.write(data)


def in_pieces(path, data):
    """Small writes, as an editor's or a pipe's."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o644)
    try:
        for at in range(0, len(data), 4096):
            os.write(descriptor, data[at:at + 4096].encode())
    finally:
        os.close(descriptor)


def by_rename(path, data):
    temporary = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    temporary.write_text(data)
    os.rename(temporary, path)


def by_rename_away(path, data):
    """As vim and emacs do: the old file becomes a backup, the new one is created."""
    backup = path.parent / f"{path.name}~"
    os.rename(path, backup)
    in_place(path, data)
    os.unlink(backup)


STYLES = {"place": in_place, "pieces": in_pieces, "rename": by_rename, "away": by_rename_away}


# Workers: this program again, so that they are processes of their own.

def writer(path, style, first, last):
    """Saves versions one after the other, alone on its zone: what was closed is what is read."""
    for version in range(first, last):
        data = text("", version)
        STYLES[style](path, data)
        found = path.read_bytes()
        if found != data.encode() or path.stat().st_size != len(found):
            sys.exit(f"{path.name} {version}: right after close {path.stat().st_size} bytes by stat, {len(found)} read, {len(data)} written: {fault(found)}")


def rival(path, style, first, last):
    """Saves beside others on the same zone: a refusal for a conflict is right, anything else is not."""
    saved = 0
    for _ in range(first, last):
        version = int(time.time() * 1000) % 2_000_000_000
        try:
            STYLES[style](path, text("", version))
            saved += 1
        except OSError as error:
            if error.errno not in (errno.ESTALE, errno.EBADMSG):
                sys.exit(f"{path.name}: {error}")
    print(saved)


def reader(stop, mapped, paths):
    """Reads whole files until told to stop; the number of reads and what was wrong."""
    count, wrong = 0, []
    while not os.path.exists(stop):
        path = random.choice(paths)
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if mapped:
                    with mmap.mmap(file.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ) as mapping:
                        data = mapping[:]
                else:
                    data = file.read()
        except FileNotFoundError:
            continue  # between rename away and create
        except OSError as error:
            if error.errno == errno.ESTALE:  # a superseded version could not be opened; the next one can
                continue
            wrong.append(f"{path}: {error}")
            continue
        except ValueError as error:
            wrong.append(f"{path}: {error}: {size} bytes")
            continue
        count += 1
        trouble = fault(data) or (f"{len(data)} bytes, but fstat said {size}" if len(data) != size else None)
        if trouble:
            wrong.append(f"{path}: {'mmap' if mapped else 'read'}: {trouble}")
            if len(wrong) > 20:
                break
    print(count)
    print("\n".join(wrong))


def worker(*words):
    return subprocess.Popen([sys.executable, "-B", __file__, "--worker", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process, seconds=600):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"{err}{out}"
    return out


def storm(mount, saves, label):
    """Writers of every style on zones of their own, two rivals on one zone, readers on all."""
    paths = {style: mount.path(f"{style}.example") for style in STYLES}
    contested = mount.path("contested.example")
    for path in (*paths.values(), contested):
        in_place(path, text("", 1))
    stop = mount.home / "stop"
    stop.unlink(missing_ok=True)
    each = saves // (len(STYLES) + 2)
    begun = time.monotonic()
    readers = [worker("reader", stop, mapped, *paths.values(), contested) for mapped in (0, 1)]
    writers = [worker("writer", path, style, 2, 2 + each) for style, path in paths.items()]
    rivals = [worker("rival", contested, style, 2, 2 + each) for style in ("place", "rename")]
    for process, name in zip(writers, paths):
        with point(f"{label}: {name}: each save is what is read right after it"):
            finished(process)
    with point(f"{label}: two rivals on one zone"):
        saved = [int(finished(process)) for process in rivals]
        assert sum(saved) > 0, "every save was refused"
    stop.touch()
    for process, how in zip(readers, ("read", "mmap")):
        with point(f"{label}: by {how}, every read is one whole version"):
            count, _, wrong = finished(process, PATIENCE).partition("\n")
            assert int(count) > 0
            equal(wrong.strip(), "", f"wrong among {count} reads")
            note(f"{count} reads by {how}")
    note(f"{each * (len(STYLES) + 2)} saves in {time.monotonic() - begun:.1f} s")


def beside_readers():
    """saves beside readers"""
    with Mount("storm", guard="off") as mount:
        storm(mount, SAVES, "visible writers")


def another_pid_namespace():
    """the same with the daemon in another PID name space"""
    if os.geteuid() != 0:
        return
    with Mount("apart", guard="off", wrapper=["unshare", "--pid", "--fork", "--kill-child"]) as mount:
        storm(mount, SAVES // 5, "invisible writers")
        mount.unmount()


def threads():
    """many threads of one process, each on zones of its own"""
    with Mount("threads", guard="off") as mount:
        trouble = []

        def work(number):
            path = mount.path(f"thread{number}.example")
            try:
                for version in range(1, 2 + SAVES // 100):
                    data = text("", version)
                    list(STYLES.values())[(number + version) % 3](path, data)
                    if path.read_text() != data:
                        trouble.append(f"thread {number}, version {version}: {fault(path.read_bytes())}")
            except OSError as error:
                trouble.append(f"thread {number}: {error}")

        pool = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()
        equal(trouble, [])
        run_command(["ls", "-l", mount.mnt])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        kind, *rest = sys.argv[2:]
        if kind == "reader":
            reader(rest[0], int(rest[1]), rest[2:])
        else:
            {"writer": writer, "rival": rival}[kind](pathlib.Path(rest[0]), rest[1], int(rest[2]), int(rest[3]))
        sys.exit(0)
    run(beside_readers, another_pid_namespace, threads)
