#!/usr/bin/python3
"""The examples run as they stand: quickstart.sh, twice and undone, and two-nodes.sh.

quickstart.sh changes /etc, /usr/local and /var/lib, so this program looks at a copy of them: it runs in a
mount namespace of its own with overlays there."""
# runner: plain-only

import os
import pathlib
import subprocess
import sys

from support.mount import mounted, zonefs
from support.process import DIRECTORY, run_command, wait_for
from support.tap import Skip, equal, point, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "examples/quickstart.sh"
EXAMPLE = (ROOT / "examples/example.com.zone").read_text()
ZONES = DIRECTORY / "zones"
DATA = pathlib.Path("/var/lib/zonefs")
MADE = [DATA, pathlib.Path("/etc/zonefs"), pathlib.Path("/etc/filesystems"), pathlib.Path("/usr/local/bin/zonefs")]


def enter_copy():
    """Goes on in a namespace where what quickstart.sh writes is a throwaway copy."""
    if os.geteuid() != 0 or os.environ.get("IN_COPY"):
        return
    os.environ["IN_COPY"] = "1"
    setup = f'set -e; mount -t tmpfs none "{DIRECTORY}"; mkdir "{ZONES}"\n'
    for number, place in enumerate(("/etc", "/usr/local", "/var/lib")):
        setup += (f'mkdir "{DIRECTORY}/{number}" "{DIRECTORY}/{number}.w"; mount -t overlay -o '
                  f'"lowerdir={place},upperdir={DIRECTORY}/{number},workdir={DIRECTORY}/{number}.w" overlay {place}\n')
    # A zonefs that this machine has already is not in the copy.
    setup += f'rm -rf {" ".join(map(str, MADE))}; exec "$@"'
    probe = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", setup, "sh", "true"], check=False, capture_output=True)
    if probe.returncode == 0:
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-c", setup, "sh", sys.executable, "-B", *sys.argv])


def there():
    return [str(path) for path in MADE if path.exists()]


def clean_slate():
    if os.geteuid() != 0:
        raise Skip("quickstart.sh runs as root")
    if not os.path.ismount("/usr/local"):
        raise Skip("no overlay file system here, and this test does not touch the real /usr/local")
    if there():
        raise Skip(f"this machine has {', '.join(there())} already")


def quickstart(*words):
    return run_command([QUICKSTART, *words], seconds=600).stdout


def start_and_undo():
    """quickstart.sh mounts, shows the example, does no harm twice and takes everything away again"""
    clean_slate()
    with point("quickstart.sh builds, mounts and says what to try"):
        said = quickstart(ZONES)
        assert mounted(ZONES), said
        equal((ZONES / "example.com.zone").read_text(), EXAMPLE)
        for word in ("ls ", "vi ", ".zonefs/status", "--undo"):
            assert word in said, said
    with point("the example is without a finding"):
        said = run_command([zonefs(), "check", "--strict", ROOT / "examples/example.com.zone"], check=False)
        equal((said.returncode, said.stdout + said.stderr), (0, ""))
    with point("/etc/filesystems names the type first"):
        lines = pathlib.Path("/etc/filesystems").read_text().split("\n")
        equal([line for line in lines if line and not line.startswith("#")], ["fuse.zonefs", "*"])
    with point("what it says to try is true: a bad line is refused, and the reason is there"):
        equal(run_command(["sed", "-i", "s/192.0.2.80/oops/", ZONES / "example.com.zone"], check=False).returncode != 0, True)
        equal((ZONES / "example.com.zone").read_text(), EXAMPLE)
        assert "example.com.zone:" in (ZONES / ".zonefs/rejected/example.com.zone.error").read_text()
    with point("twice does no harm"):
        quickstart(ZONES)
        equal((ZONES / "example.com.zone").read_text(), EXAMPLE)
    with point("`mount zonefs DIR`, word for word"):
        run_command(["umount", ZONES])
        wait_for(lambda: not mounted(ZONES), "the unmount")
        wait_for(lambda: run_command(["mount", "zonefs", ZONES]), "the mount")
        equal((ZONES / "example.com.zone").read_text(), EXAMPLE)
    with point("--undo takes everything away"):
        quickstart("--undo")
        assert not mounted(ZONES)
        equal(there(), [])


def undo_keeps_zones():
    """quickstart.sh --undo keeps zones that are not the example"""
    clean_slate()
    quickstart(ZONES)
    (ZONES / "mine.example.zone").write_text(EXAMPLE.replace("example.com", "mine.example"))
    said = quickstart("--undo")
    assert "kept /var/lib/zonefs" in said, said
    assert not mounted(ZONES)
    equal(there(), [str(DATA)])
    run_command(["rm", "-r", DATA])


def two_nodes():
    """two-nodes.sh shows a zone, an edit and a deletion on both mounts"""
    said = run_command([ROOT / "examples/two-nodes.sh"], seconds=240,
                       env={**os.environ, "PATH": f"{os.path.dirname(zonefs())}:{os.environ['PATH']}"}).stdout
    assert said.rstrip().endswith("The zone is gone on both."), said


if __name__ == "__main__":
    enter_copy()
    run(start_and_undo, undo_keeps_zones, two_nodes)
