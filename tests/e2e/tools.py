#!/usr/bin/python3
"""Every way in which tools write a file: good saves are stored with the serial raised, a bad one is refused and
loses nothing. Patterns: truncate and write, write in place, append, temporary file and rename, unlink and
create, rename away and create, shell redirections."""
# runner: timeout=300

import itertools
import os
import re
import shutil
import stat

from support import zones
from support.mount import Mount
from support.process import DIRECTORY, run_command, wait_for
from support.tap import Skip, equal, point, run

LOUD, QUIET, EITHER = "loud", "quiet", "either"

# Name, script, whether a refusal makes it fail. In the script: $Z the zone's file, $D the mount, $NEW a file
# elsewhere with the new text, $OLD one with the text as it is, $T a directory elsewhere. What the table of
# editor-behaviour calls quiet cannot be told by close.
TOOLS = [
    ("cp", 'cp "$NEW" "$Z"', LOUD),
    ("cp -f", 'cp -f "$NEW" "$Z"', LOUD),
    ("cp -a", 'cp -a "$NEW" "$Z"', LOUD),
    ("cp --remove-destination", 'cp --remove-destination "$NEW" "$Z"', LOUD),
    ("cp --backup", 'cp --backup=simple "$NEW" "$Z"; e=$?; rm -f "$Z~"; exit $e', LOUD),
    ("cat >", 'cat "$NEW" >"$Z"', LOUD),
    ("tee", 'tee "$Z" <"$NEW" >/dev/null', LOUD),
    ("dd", 'dd if="$NEW" of="$Z" bs=100 status=none', LOUD),
    ("dd conv=notrunc and truncate", 'dd if="$NEW" of="$Z" bs=64k conv=notrunc,fsync status=none', LOUD),
    ("install", 'install -m 644 "$NEW" "$Z"', LOUD),
    ("install -C", 'install -C -m 644 "$NEW" "$Z"', LOUD),
    ("mv from elsewhere", 'cp "$NEW" "$T/moved" && mv -f "$T/moved" "$Z"', LOUD),
    ("mv in the directory", 'cp "$NEW" "$D/incoming" && { mv -f "$D/incoming" "$Z"; e=$?; rm -f "$D/incoming"; exit $e; }', LOUD),
    ("mv of a dot file", 'cp "$NEW" "$D/.$N.tmp" && { mv -f "$D/.$N.tmp" "$Z"; e=$?; rm -f "$D/.$N.tmp"; exit $e; }', LOUD),
    ("sed -i", 'sed -i -n -e "1{r $NEW" -e "}" "$Z"', LOUD),
    ("sed -i.bak", 'sed -i.bak -n -e "1{r $NEW" -e "}" "$Z"; e=$?; rm -f "$Z.bak"; exit $e', LOUD),
    ("perl -i", "perl -i -ne 'if ($. == 1) { open F, \"<\", $ENV{NEW}; print <F> }' \"$Z\"", LOUD),
    ("patch", 'diff -u "$OLD" "$NEW" | patch -s "$Z"; e=$?; rm -f "$Z.orig" "$Z.rej"; exit $e', LOUD),
    ("ed", "printf '1,$d\\n0r %s\\nw\\nq\\n' \"$NEW\" | ed -s \"$Z\"", LOUD),
    ("tar x", 'cp "$NEW" "$T/$N" && tar -C "$T" -cf "$T/t.tar" "$N" && tar -C "$D" -xf "$T/t.tar"', LOUD),
    ("tar x --overwrite", 'cp "$NEW" "$T/$N" && tar -C "$T" -cf "$T/t.tar" "$N" && tar -C "$D" --overwrite -xf "$T/t.tar"', LOUD),
    ("rsync -a", 'mkdir -p "$T/r" && cp -p "$NEW" "$T/r/$N" && rsync -a "$T/r/" "$D/"', LOUD),
    ("rsync -c", 'mkdir -p "$T/r" && cp -p "$NEW" "$T/r/$N" && rsync -rc "$T/r/" "$D/"', LOUD),
    ("rsync --inplace", 'mkdir -p "$T/r" && cp -p "$NEW" "$T/r/$N" && rsync -a --inplace "$T/r/" "$D/"', LOUD),
    ("rsync --delay-updates", 'mkdir -p "$T/r" && cp -p "$NEW" "$T/r/$N" && { rsync -a --delay-updates "$T/r/" "$D/"; e=$?; rm -rf "$D/.~tmp~"; exit $e; }', LOUD),
    ("rsync --backup", 'mkdir -p "$T/r" && cp -p "$NEW" "$T/r/$N" && { rsync -a --backup "$T/r/" "$D/"; e=$?; rm -f "$Z~"; exit $e; }', LOUD),
    ("git checkout", 'git -C "$T/git" checkout -q -f "$BRANCH" -- "$N"', QUIET),
    ("dash >", 'text=$(cat "$NEW"; echo .); printf "%s" "${text%.}" >"$Z"', EITHER),
    ("bash >", "exec bash -c 'text=$(cat \"$NEW\"; echo .); printf \"%s\" \"${text%.}\" >\"$Z\"'", EITHER),
    ("{ ...; } >", '{ head -n 3 "$NEW"; tail -n +4 "$NEW"; } >"$Z"', EITHER),
    ("exec 3>", 'exec 3>"$Z"; head -n 3 "$NEW" >&3; tail -n +4 "$NEW" >&3; exec 3>&-', EITHER),
    ("flock and >", 'exec 9<"$Z"; flock 9; cat "$NEW" >"$Z"', LOUD),
    ("busybox cp", 'busybox cp "$NEW" "$Z"', EITHER),
    ("busybox tee", 'busybox tee "$Z" <"$NEW" >/dev/null', EITHER),
    ("busybox sed -i", 'busybox sed -i -n -e "1r $NEW" "$Z"', LOUD),
    ("python write_text", "python3 -c 'import os,pathlib; pathlib.Path(os.environ[\"Z\"]).write_text(open(os.environ[\"NEW\"]).read())'", LOUD),
    ("python os.replace", "python3 -c 'import os; t=os.environ[\"D\"]+\"/tmp1a2b3c4d\"; open(t,\"w\").write(open(os.environ[\"NEW\"]).read()); "
                          "os.replace(t, os.environ[\"Z\"])'; e=$?; rm -f \"$D/tmp1a2b3c4d\"; exit $e", LOUD),
    ("python r+", "python3 -c 'import os; f=open(os.environ[\"Z\"],\"r+\"); f.write(open(os.environ[\"NEW\"]).read()); f.truncate(); f.close()'", LOUD),
    ("python fsync", "python3 -c 'import os; f=open(os.environ[\"Z\"],\"w\"); f.write(open(os.environ[\"NEW\"]).read()); f.flush(); "
                     "os.fsync(f.fileno()); f.close()'", LOUD),
    ("python fileinput", "python3 -c 'import fileinput,os\nfor i, l in enumerate(fileinput.input(os.environ[\"Z\"], inplace=True)):\n"
                         "    i or print(open(os.environ[\"NEW\"]).read(), end=\"\")'", EITHER),
]


MOMENTS = itertools.count()


def text(zone, serial, address):
    return zones.small(zone, serial=serial, address=address)


def environment(mount, zone, new):
    """What a script of the table finds, with the new text in place."""
    elsewhere = DIRECTORY / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    (DIRECTORY / "new").write_text(new)
    os.chmod(DIRECTORY / "new", 0o644)
    # rsync takes two texts of one size within a second for the same.
    moment = 1_700_000_000 + next(MOMENTS)
    os.utime(DIRECTORY / "new", (moment, moment))
    (DIRECTORY / "old").write_text(mount.read(zone))
    repository(elsewhere / "git", mount, zone, new)
    return {**os.environ, "Z": str(mount.path(zone)), "D": str(mount.mnt), "N": f"{zone}.zone", "T": str(elsewhere),
            "NEW": str(DIRECTORY / "new"), "OLD": str(DIRECTORY / "old"), "BRANCH": "new", "GIT_CONFIG_GLOBAL": "/dev/null"}


def repository(work, mount, zone, new):
    """A repository elsewhere whose work tree is the mount, with the new text on a branch."""
    work.mkdir()
    git = ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    run_command([*git, "init", "-q"])
    blob = run_command([*git, "hash-object", "-w", "--stdin"], input=new).stdout.strip()
    run_command([*git, "update-index", "--add", "--cacheinfo", f"100644,{blob},{zone}.zone"])
    tree = run_command([*git, "write-tree"]).stdout.strip()
    commit = run_command([*git, "commit-tree", "-m", "new", tree]).stdout.strip()
    run_command([*git, "update-ref", "refs/heads/new", commit])
    run_command([*git, "config", "core.worktree", mount.mnt])


def names(mount):
    return sorted(os.listdir(mount.mnt))


def tool_works(mount, number, script, refusal):
    """Two good saves with the serial raised in between, one bad save, one good one after it."""
    zone = f"t{number}.example"
    mount.write(zone, text(zone, 100, "192.0.2.1"))
    before = mount.path(zone).stat()
    listed = names(mount)

    def save(new):
        return run_command(["sh", "-c", script], check=False, env=environment(mount, zone, new), cwd=DIRECTORY)

    for step in (1, 2):
        # As an editor would: on top of the text as it was first, with its old serial.
        said = save(text(zone, 100, f"192.0.2.{step + 1}"))
        equal(said.returncode, 0, f"exit code: {said.stdout}{said.stderr}")
        want = text(zone, 100 + step, f"192.0.2.{step + 1}")
        equal(mount.read(zone), want, f"save {step}")
        after = mount.path(zone).stat()
        equal((after.st_size, after.st_ino, stat.S_IMODE(after.st_mode), after.st_uid),
              (len(want), before.st_ino, stat.S_IMODE(before.st_mode), before.st_uid), "size, inode, mode and owner")
        equal(names(mount), listed, "names in the directory")
    said = save(text(zone, 100, "192.0.2.300"))
    if refusal == LOUD:
        assert said.returncode != 0, "a bad save was not told"
    elif refusal == QUIET:
        equal(said.returncode, 0, "exit code")
    equal(mount.read(zone), want, "after a bad save")
    equal(names(mount), listed, "names in the directory")
    assert re.search(rf"{zone}\.zone:\d+:\d+: error: ", mount.findings(zone)), mount.findings(zone)
    equal(mount.control(f"rejected/{zone}.zone").read_text(), text(zone, 100, "192.0.2.300"), "the refused text")
    said = save(text(zone, 102, "192.0.2.9"))
    equal(said.returncode, 0, f"exit code: {said.stderr}")
    equal(mount.read(zone), text(zone, 103, "192.0.2.9"), "the save after the bad one")
    assert not mount.control(f"rejected/{zone}.zone").exists(), "the refused text is still there"


def all_tools():
    """tools save and are refused"""
    with Mount("tools") as mount:
        for number, (name, script, refusal) in enumerate(TOOLS):
            with point(name):
                word = script.split()[0]
                if word in ("busybox", "ed", "rsync", "perl", "patch", "git") and not shutil.which(word):
                    raise Skip(f"no {word} on this machine")
                tool_works(mount, number, script, refusal)


def appends():
    """appended lines are stored, bad ones refused while they are written"""
    for shell in ("dash", "bash"):
        with Mount(f"append-{shell}") as mount:
            zone = "append.example"
            mount.write(zone, text(zone, 100, "192.0.2.1"))

            def script(line, shell=shell, mount=mount, zone=zone):
                return run_command([shell, "-c", line], check=False, env={**os.environ, "Z": str(mount.path(zone))})

            with point(f"{shell}: >> a record"):
                equal(script('echo "new A 192.0.2.7" >>"$Z"').returncode, 0)
                equal(mount.read(zone), text(zone, 101, "192.0.2.1") + "new A 192.0.2.7\n")
            with point(f"{shell}: >> a bad record is told by write"):
                good = mount.read(zone)
                said = script('echo "bad A 192.0.2.300" >>"$Z"')
                assert said.returncode != 0, "it was not told"
                equal(mount.read(zone), good)
            with point(f"{shell}: tee -a"):
                script('echo "more A 192.0.2.8" | tee -a "$Z" >/dev/null')
                equal(mount.read(zone), text(zone, 102, "192.0.2.1") + "new A 192.0.2.7\nmore A 192.0.2.8\n")
            with point(f"{shell}: four processes append fifty records each, none is lost"):
                script('for p in 1 2 3 4; do (for n in $(seq 50); do echo "p$p-$n A 192.0.2.9" >>"$Z"; done) & done; wait')
                have = set(re.findall(r"^p\d-\d+", mount.read(zone), re.M))
                equal(len(have), 200)


def nothing_happens():
    """saving what is there changes nothing"""
    with Mount("same") as mount:
        zone = "same.example"
        mount.write(zone, text(zone, 100, "192.0.2.1"))
        before = mount.path(zone).stat()
        for name, script in (("cp", 'cp "$NEW" "$Z"'), ("mv", 'cp "$NEW" "$D/x" && mv "$D/x" "$Z"'), ("touch -c and cp", 'cp "$NEW" "$Z"')):
            with point(name):
                equal(run_command(["sh", "-c", script], env=environment(mount, zone, text(zone, 100, "192.0.2.1"))).returncode, 0)
                after = mount.path(zone).stat()
                equal((after.st_mtime_ns, after.st_size, after.st_ino), (before.st_mtime_ns, before.st_size, before.st_ino))
        with point("an older serial and nothing else"):
            mount.write(zone, text(zone, 99, "192.0.2.1"))
            equal(mount.read(zone), text(zone, 100, "192.0.2.1"))
        with point("only a comment: stored, serial kept"):
            mount.write(zone, "; hello\n" + text(zone, 100, "192.0.2.1"))
            equal(mount.read(zone), "; hello\n" + text(zone, 100, "192.0.2.1"))
        with point("emptied, truncated, cut off: refused"):
            good = mount.read(zone)
            for script in (': >"$Z"', 'truncate -s 0 "$Z"', 'cp /dev/null "$Z"', 'truncate -s 40 "$Z"', 'head -c 60 "$NEW" >"$Z"'):
                run_command(["sh", "-c", script], check=False, env=environment(mount, zone, good))
                equal(mount.read(zone), good, script)


def directories():
    """rsync, tar and git bring whole directories, and take zones away"""
    source = DIRECTORY / "source"
    source.mkdir()
    for number in range(8):
        (source / f"d{number}.example.zone").write_text(text(f"d{number}.example", 100, f"192.0.2.{number}"))
    with Mount("directories") as mount:
        with point("rsync -a, and nothing the second time"):
            run_command(["rsync", "-a", f"{source}/", f"{mount.mnt}/"])
            equal(names(mount), sorted(os.listdir(source)))
            said = run_command(["rsync", "-a", "-i", f"{source}/", f"{mount.mnt}/"]).stdout
            equal([line for line in said.split("\n") if line.startswith(("<f", ">f"))], [])
        with point("rsync -a after an edit here that raised no serial there, and nothing the second time"):
            (source / "d1.example.zone").write_text(text("d1.example", 100, "192.0.2.77"))
            run_command(["rsync", "-a", f"{source}/", f"{mount.mnt}/"])
            equal(mount.read("d1.example"), text("d1.example", 101, "192.0.2.77"))
            said = run_command(["rsync", "-a", "-i", f"{source}/", f"{mount.mnt}/"]).stdout
            equal([line for line in said.split("\n") if line.startswith(("<f", ">f"))], [])
        with point("rsync -a --delete takes a zone away"):
            (source / "d7.example.zone").unlink()
            run_command(["rsync", "-a", "--delete", f"{source}/", f"{mount.mnt}/"])
            wait_for(lambda: "d7.example" not in mount.zones(), "the zone to go")
            equal(len(mount.zones()), 7)
        with point("a git work tree: checkout of another branch and back"):
            repository_path = DIRECTORY / "repository"
            git = ["git", f"--git-dir={repository_path}", f"--work-tree={mount.mnt}", "-c", "user.name=t", "-c", "user.email=t@example.com"]
            run_command([*git, "-c", "init.defaultBranch=main", "init", "-q"])
            run_command([*git, "add", "-A"], cwd=mount.mnt)
            run_command([*git, "commit", "-q", "-m", "one"], cwd=mount.mnt)
            run_command([*git, "checkout", "-q", "-b", "other"], cwd=mount.mnt)
            for number in range(3):
                mount.write(f"d{number}.example", text(f"d{number}.example", 200, "192.0.2.200"))
            run_command([*git, "commit", "-q", "-a", "-m", "two"], cwd=mount.mnt)
            run_command([*git, "checkout", "-q", "main"], cwd=mount.mnt)
            # An older serial with other records is a change like any other.
            for number in (0, 2):
                equal(mount.read(f"d{number}.example"), text(f"d{number}.example", 201, f"192.0.2.{number}"))
            equal(len(mount.zones()), 7)
        with point("tar there and back"):
            run_command(["tar", "-C", mount.mnt, "-cf", DIRECTORY / "all.tar", "."])
            run_command(["tar", "-C", mount.mnt, "-xf", DIRECTORY / "all.tar"])
            equal(len(mount.zones()), 7)
        with point("find, grep -r and du see the zones and not .zonefs"):
            equal(len(run_command(["find", mount.mnt, "-type", "f"]).stdout.split()), 7)
            equal(len(run_command(["grep", "-rl", "SOA", mount.mnt]).stdout.split()), 7)
            assert ".zonefs" not in run_command(["ls", "-a", mount.mnt]).stdout


if __name__ == "__main__":
    run(all_tools, appends, nothing_happens, directories)
