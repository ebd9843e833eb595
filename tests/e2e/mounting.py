#!/usr/bin/python3
"""Every way to mount and to end, by root and by an ordinary user, and what is said when it cannot be."""

import contextlib
import errno
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

from support import zones
from support.mount import Mount, mounted, zonefs
from support.process import DIRECTORY, PATIENCE, run_command, wait_for
from support.tap import Skip, equal, point, run

ZONE = "one.example"
EX_USAGE = 64


def with_program_in_path():
    """An environment in which mount(8) finds the program under test as `zonefs`."""
    place = DIRECTORY / "bin"
    place.mkdir(exist_ok=True)
    if not (place / "zonefs").exists():
        (place / "zonefs").symlink_to(zonefs())
    return {**os.environ, "PATH": f"{place}:{os.environ['PATH']}:/usr/sbin:/sbin"}


def by_mount8(words, environment):
    """mount(8), which newer util-linux lets find programs in the system's directories alone."""
    said = run_command(["mount", *words], check=False, env=environment)
    if "zonefs: not found" in said.stderr:
        raise Skip("mount(8) looks for an installed zonefs here; e2e/examples mounts one")
    assert said.returncode == 0, said.stderr


def table(point_):
    """Source and type of a mount."""
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        for line in lines:
            source, where, kind = line.split()[:3]
            if where == str(point_):
                return source, kind
    return None


@contextlib.contextmanager
def place(name):
    """A mount point and a database of its own; whatever is mounted there at the end is unmounted."""
    home = DIRECTORY / name
    mnt = home / "mnt"
    mnt.mkdir(parents=True)
    (home / "db").mkdir()
    try:
        yield mnt, f"db={home}/db/pdns.lmdb,instance={name}"
    finally:
        if mounted(mnt):
            run_command(["fusermount3", "-u", mnt], check=False)
            wait_for(lambda: not mounted(mnt), "the unmount")


def works(mnt):
    """The mount takes a zone and shows it."""
    path = mnt / f"{ZONE}.zone"
    path.write_text(zones.small(ZONE))
    equal(path.read_text(), zones.small(ZONE))
    equal([n for n in os.listdir(mnt) if n.endswith(".zone")], [path.name])


def ways_to_mount():
    """every way to mount ends up at the same"""
    if os.geteuid() != 0:
        raise Skip("mount(8) needs root")
    environment = with_program_in_path()
    with point("zonefs MNT, in the background"), place("bare") as (mnt, options):
        run_command([zonefs(), mnt, "-o", options])
        equal(table(mnt), ("zonefs", "fuse.zonefs"))
        works(mnt)
    with point("zonefs SOURCE MNT -o …: the source is a label"), place("label") as (mnt, options):
        run_command([zonefs(), "my-zones", mnt, "-o", options])
        equal(table(mnt), ("my-zones", "fuse.zonefs"))
        works(mnt)
    with point("options as --key=value"), place("long") as (mnt, options):
        run_command([zonefs(), mnt, *(f"--{option}" for option in options.split(","))])
        works(mnt)
    with point("mount -t fuse.zonefs zonefs MNT -o …"), place("typed") as (mnt, options):
        by_mount8(["-t", "fuse.zonefs", "zonefs", mnt, "-o", options], environment)
        equal(table(mnt)[1], "fuse.zonefs")
        works(mnt)
        run_command(["umount", mnt])
        wait_for(lambda: not mounted(mnt), "the unmount")
    with point("a line of fstab, and mount MNT"), place("fstab") as (mnt, options):
        fstab = DIRECTORY / "fstab-file"
        fstab.write_text(f"zonefs {mnt} fuse.zonefs {options},nofail 0 0\n")
        by_mount8(["-T", fstab, mnt], environment)
        works(mnt)
    with point("read-only"), place("readonly") as (mnt, options):
        run_command([zonefs(), mnt, "-o", options])
        works(mnt)
        run_command(["fusermount3", "-u", mnt])
        wait_for(lambda: not mounted(mnt), "the unmount")
        wait_for(lambda: run_command([zonefs(), mnt, "-o", options + ",ro"]), "the mount")
        equal((mnt / f"{ZONE}.zone").read_text(), zones.small(ZONE))
        try:
            (mnt / f"{ZONE}.zone").write_text("x")
        except OSError:
            pass
        else:
            raise AssertionError("a read-only mount was written")


def ways_to_end():
    """every clean end unmounts, exits with 0 and buries what is vacated"""
    for name, end in (("SIGTERM", lambda m: m.stop()), ("fusermount3 -u", lambda m: m.unmount()),
                      ("SIGINT", lambda m: m.end(signal.SIGINT)), ("SIGHUP", lambda m: m.end(signal.SIGHUP))):
        with point(name):
            mount = Mount(f"end-{name.split()[0]}", grace="60s")
            with mount:
                mount.write(ZONE, zones.small(ZONE))
                mount.write("two.example", zones.small("two.example"))
                os.unlink(mount.path("two.example"))
                code = end(mount)
                assert code in (None, 0), f"exit code {code}"
                wait_for(lambda m=mount: not mounted(m.mnt), "the unmount")
                mount.start()
                equal(mount.zones(), [ZONE])
                equal(mount.read(ZONE), zones.small(ZONE))


def refusals():
    """what cannot be is said in a sentence"""
    with place("refusals") as (mnt, options):
        for name, words, sentence, code in (
                ("an unknown option", ["-o", options + ",nonsense=1"], "nonsense", EX_USAGE),
                ("a value that makes no sense", ["-o", options + ",poll=often"], "poll", EX_USAGE),
                ("an unknown --option", [f"--{o}" for o in options.split(",")] + ["--nonsense"], "nonsense", EX_USAGE)):
            with point(name):
                said = run_command([zonefs(), mnt, "-f", *words], check=False)
                equal(said.returncode, code, said.stderr)
                assert sentence in said.stderr, said.stderr
                assert not mounted(mnt)
        with point("no mount point there"):
            said = run_command([zonefs(), mnt / "nowhere", "-f", "-o", options], check=False)
            assert said.returncode != 0 and "nowhere" in said.stderr, said.stderr
        with point("no arguments: usage, exit code 64"):
            said = run_command([zonefs()], check=False)
            equal(said.returncode, EX_USAGE)
            assert "MOUNTPOINT" in said.stderr, said.stderr
    with Mount("first") as first:
        with point("a second daemon on the same database"):
            second = DIRECTORY / "second"
            second.mkdir()
            said = run_command([zonefs(), second, "-f", "-o", f"db={first.db}"], check=False)
            assert said.returncode != 0 and str(first.db) in said.stderr, said.stderr
            first.write(ZONE, zones.small(ZONE))
    with point("the dead mount of a killed daemon does not stand in the way"):
        stale = Mount("stale")
        with stale:
            stale.write(ZONE, zones.small(ZONE))
            stale.end(signal.SIGKILL)
            try:
                os.listdir(stale.mnt)
            except OSError as error:
                equal(error.errno, errno.ENOTCONN)
            stale.spawn([zonefs(), *stale.arguments()])
            stale.until(lambda: stale.read(ZONE) == zones.small(ZONE), "the zone")
            # Where /sys/fs/fuse/connections is not there, the daemon's child has taken the dead one away already.
            with open("/proc/self/mounts", encoding="utf-8") as table:
                equal(sum(f" {stale.mnt} " in line for line in table), 1, "mounts at that place")


def systemd():
    """systemd is told when the mount is there, and when it ends"""
    path = DIRECTORY / "notify.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(PATIENCE)
        mount = Mount("notify", environment={"NOTIFY_SOCKET": str(path)})
        with mount:
            said = b""
            while b"READY=1" not in said:
                said += listener.recv(4096) + b"\n"
            assert mounted(mount.mnt), "READY=1 came before the mount"
            mount.stop()
            while b"STOPPING=1" not in said:
                said += listener.recv(4096) + b"\n"


def statfs():
    """df shows the database"""
    with Mount("df") as mount:
        mount.write(ZONE, zones.small(ZONE))
        numbers = os.statvfs(mount.mnt)
        assert numbers.f_blocks > 0 and numbers.f_bfree <= numbers.f_blocks, numbers
        line = run_command(["df", mount.mnt]).stdout.split("\n")[1]
        assert line.startswith("zonefs ") and line.endswith(str(mount.mnt)), line


def ordinary_user():
    """an ordinary user mounts without root, with the database in their own directories"""
    if os.geteuid() != 0:
        raise Skip("root becomes another user here")
    nobody = pwd.getpwnam("nobody")
    home = pathlib.Path(DIRECTORY) / "user"
    (home / "zones").mkdir(parents=True)
    program = home / "zonefs"
    shutil.copy(zonefs(), program)
    program.chmod(0o755)
    for path in (home, home / "zones"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CONFIG_HOME": str(home / "config"), "TMPDIR": str(home)}
    environment = {key: value for key, value in environment.items() if not key.endswith("SAN_OPTIONS")}

    with open_fuse(home) as inside:
        def as_user(*words, check=True):
            return run_command([*inside, "setpriv", "--reuid", nobody.pw_uid, "--regid", nobody.pw_gid, "--clear-groups", *words],
                               check=check, env=environment, cwd=home)

        user_session(as_user, home, program, nobody.pw_uid)


@contextlib.contextmanager
def open_fuse(home):
    """A mount namespace in which everybody may use FUSE, as Debian has it; containers often keep /dev/fuse for
    root. Gives the words that enter it."""
    setup = f'mknod -m 666 "{home}/fuse" c 10 229 && mount --bind "{home}/fuse" /dev/fuse && echo ready && exec sleep infinity'
    with subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", setup], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        try:
            if holder.stdout.readline() != "ready\n":
                raise Skip(f"no /dev/fuse for everybody here: {holder.stderr.read().strip()}")
            yield ["nsenter", "--mount", "--target", str(holder.pid), "--"]
        finally:
            holder.kill()


def runs(program):
    """Whether a process of this very file is there."""
    for process in pathlib.Path("/proc").glob("[0-9]*/exe"):
        try:
            if os.readlink(process) == str(program):
                return True
        except OSError:  # it has ended
            pass
    return False


def user_session(as_user, home, program, uid):
    """What the ordinary user does."""
    as_user(program, home / "zones")
    try:
        with point("a zone is saved and read back"):
            (home / "new.zone").write_text(zones.small(ZONE))
            os.chmod(home / "new.zone", 0o644)
            as_user("cp", home / "new.zone", home / "zones" / f"{ZONE}.zone")
            equal(as_user("cat", home / "zones" / f"{ZONE}.zone").stdout, zones.small(ZONE))
        with point("the database is the user's"):
            equal((home / "data/zonefs/pdns.lmdb").stat().st_uid, uid)
        with point("a bad save is refused"):
            bad = as_user("sh", "-c", f"echo 'oops A 1.2.3.4.5' > {home}/bad; cat {home}/zones/{ZONE}.zone {home}/bad > {home}/both; cp {home}/both {home}/zones/{ZONE}.zone", check=False)
            assert bad.returncode != 0, "it was saved"
            assert f"{ZONE}.zone:" in as_user("cat", home / "zones/.zonefs/rejected" / f"{ZONE}.zone.error").stdout
    finally:
        as_user("fusermount3", "-u", home / "zones")
    wait_for(lambda: as_user("mountpoint", "-q", home / "zones", check=False).returncode != 0, "the unmount")
    wait_for(lambda: not runs(program), "the end of the daemon")


if __name__ == "__main__":
    run(ways_to_mount, ways_to_end, refusals, systemd, statfs, ordinary_user)
