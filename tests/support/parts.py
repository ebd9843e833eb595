"""Where the real parts are: the same answers as tests/parts/parts.sh, for python.

A test asks for a part and gets its path, or is skipped with the reason (tests/runner.py turns that into
a failure where CI=true). tests/parts/install.sh puts the parts there.
"""

import os
import pathlib
import shutil
import subprocess

from .tap import Skip

CACHE = pathlib.Path(os.environ.get("ZONEFS_CACHE", "/var/cache/zonefs-tests"))
IN_ROOT = pathlib.Path(__file__).resolve().parent.parent / "parts" / "in-root"

# PowerDNS by its major line: which Debian has it.
PDNS_SUITES = {"4.9": "trixie", "5": "forky"}
PDNS_LINES = tuple(PDNS_SUITES)
LIGHTNINGSTREAM_VERSIONS = ("1.0.0", "0.4.4")


def pdns_root(line):
    """Root directory and full version of the PowerDNS of a line, "4.9" or "5"."""
    root = CACHE / f"pdns-{PDNS_SUITES[line]}"
    try:
        version = (root / "version").read_text().strip()
    except OSError:
        raise Skip(f"no PowerDNS {line} in {CACHE}: run tests/parts/install.sh") from None
    if not version.startswith(line + "."):
        raise Skip(f"{root} has PowerDNS {version}, wanted {line}")
    if os.geteuid() != 0:
        raise Skip("PowerDNS runs in a root of its own, which needs root")
    return root, version


def in_root(root, work, command):
    """The command line that runs `command` inside `root` with the directory `work` at its own path."""
    return [str(IN_ROOT), str(root), str(work), *map(str, command)]


def lightningstream(version):
    """Path of that Lightning Stream: $LIGHTNINGSTREAM, PATH, then the cache."""
    for candidate in (os.environ.get("LIGHTNINGSTREAM"), shutil.which("lightningstream")):
        if candidate and os.access(candidate, os.X_OK):
            said = subprocess.run([candidate, "version"], capture_output=True, text=True, check=False)
            if said.stdout.strip() == f"v{version}":
                return candidate
    unpacked = CACHE / f"lightningstream-{version}"
    if os.access(unpacked, os.X_OK):
        return str(unpacked)
    raise Skip(f"no Lightning Stream {version}: set LIGHTNINGSTREAM or run tests/parts/install.sh")


def program(name):
    """Path of a program from a Debian package."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"no {name} on this machine: run tests/parts/install.sh")
    return path
