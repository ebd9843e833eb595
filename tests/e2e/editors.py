#!/usr/bin/python3
"""Editors in a terminal: two saves without leaving the editor, with the serial raised in between and nobody
warned; then a bad one, which the editor hears of and which loses nothing."""
# runner: timeout=420

import os
import re
import shutil
import stat
from dataclasses import dataclass

from support import zones
from support.mount import Mount
from support.process import run_command, wait_for
from support.tap import Skip, equal, point, run
from support.terminal import Terminal

GOOD = ("192.0.2.111", "192.0.2.112", "192.0.2.113")
BAD = "192.0.2.300"

# What an editor says when it finds that a file was changed behind its back.
WARNED = re.compile(r"has been changed since|changed on disk|modified more recently|Someone else|File changed|was modified by|"
                    r"changed since|has changed|newer than|really edit|recent edits", re.I)


@dataclass
class Editor:
    """An editor by its keys. `replace` is typed with old and new put in, `save` saves, `leave` quits without saving."""
    name: str
    command: list
    replace: str
    save: str
    leave: str
    # What it shows when a save fails; None: it is quiet, or does not stay.
    complaint: str | None
    # The serial after two good saves, a bad one and a good one. emacs knows zone files and raises it at each save.
    last_serial: int = 103


VIM_KEYS = {"replace": ":%s/{old}/{new}/\r", "save": ":w\r", "leave": ":q!\r"}
EMACS_LIKE = {"replace": "\x1b<\x1b%{old}\r{new}\r!", "save": "\x18\x13"}

EDITORS = [
    Editor("vim", ["vim.basic", "-N", "-u", "NONE"], **VIM_KEYS, complaint=r"E667|E512|E514"),
    Editor("vim, backupcopy=yes", ["vim.basic", "-N", "-u", "NONE", "--cmd", "set backupcopy=yes"], **VIM_KEYS, complaint=r"E667|E512|E514"),
    Editor("vim, backupcopy=no, backup", ["vim.basic", "-N", "-u", "NONE", "--cmd", "set backupcopy=no backup"], **VIM_KEYS, complaint=r"E667|E512|E514"),
    Editor("vim.tiny", ["vim.tiny", "-N", "-u", "NONE"], **VIM_KEYS, complaint=r"E667|E512|E514"),
    Editor("nvi", ["nvi"], **VIM_KEYS, complaint=r"Error|Bad message|Invalid"),
    Editor("busybox vi", ["busybox", "vi"], **VIM_KEYS, complaint=None),
    Editor("nano", ["nano"], replace="\x1c{old}\r{new}\ra", save="\x0f\r", leave="\x18n", complaint=r"Error writing"),
    Editor("nano -B", ["nano", "-B"], replace="\x1c{old}\r{new}\ra", save="\x0f\r", leave="\x18n", complaint=r"Error writing"),
    Editor("emacs", ["emacs", "-nw", "-Q"], **EMACS_LIKE, leave="\x18\x03nyes\r", complaint=r"Bad message|Invalid argument|Write error|Opening output", last_serial=104),
    Editor("mg", ["mg"], **EMACS_LIKE, leave="\x18\x03y", complaint=None),
    Editor("jed", ["jed"], **EMACS_LIKE, leave="\x18\x03ny", complaint=r"Error|fsync|clos"),
]

# Names that an editor may have beside the file while it is open, or leave on purpose.
OWN_NAMES = re.compile(r"^(\.{z}\.sw.|\.?#{z}#?|{z}~|{z}\..*~?|4913)$".replace("{z}", r"[a-z0-9]+\.example\.zone"))


def text(zone, serial, address):
    return zones.small(zone, serial=serial, address=address)


def leftovers(mount, zone):
    return [name for name in os.listdir(mount.mnt) if name != f"{zone}.zone"]


def session(mount, editor, zone):
    """Everything an editor does in one sitting."""
    mount.write(zone, text(zone, 100, GOOD[0]))
    before = mount.path(zone).stat()
    with Terminal([*editor.command, f"{zone}.zone"], cwd=mount.mnt) as terminal:
        terminal.wait("SOA")
        for step in (1, 2):
            terminal.type(editor.replace.format(old=GOOD[step - 1], new=GOOD[step]))
            terminal.wait(re.escape(GOOD[step]))
            terminal.type(editor.save)
            mount.wait_for_text(zone, text(zone, 100 + step, GOOD[step]))
        after = mount.path(zone).stat()
        equal((after.st_ino, stat.S_IMODE(after.st_mode), after.st_uid), (before.st_ino, stat.S_IMODE(before.st_mode), before.st_uid), "inode, mode, owner")
        assert not WARNED.search(terminal.shown()), f"it warned:\n{terminal.shown()[-1500:]}"
        equal([n for n in leftovers(mount, zone) if not OWN_NAMES.match(n)], [], "names in the directory")
        mark = terminal.mark()
        terminal.type(editor.replace.format(old=GOOD[2], new=BAD))
        terminal.wait(re.escape(BAD), mark)
        terminal.type(editor.save)
        wait_for(lambda: BAD in mount.control(f"rejected/{zone}.zone").read_text(), "the refused text")
        if editor.complaint:
            terminal.wait(editor.complaint, mark)
        wait_for(lambda: mount.read(zone) == text(zone, 102, GOOD[2]), "the good text to be what is read")
        assert re.search(rf"{zone}\.zone:\d+:\d+: error: ", mount.findings(zone)), mount.findings(zone)
        # The editor still has the text: mended, it is saved.
        terminal.type("\r" if editor.command[0].startswith(("vim", "nvi")) else "")
        terminal.type(editor.replace.format(old=BAD, new=GOOD[0]))
        terminal.wait(re.escape(GOOD[0]), mark)
        terminal.type(editor.save)
        mount.wait_for_text(zone, text(zone, editor.last_serial, GOOD[0]))
        wait_for(lambda: not mount.control(f"rejected/{zone}.zone").exists(), "the refused text to go")
        terminal.type(editor.leave)
        terminal.end()
    equal([n for n in leftovers(mount, zone) if n != f"{zone}.zone~"], [], "names left behind")
    equal(mount.read(zone), text(zone, editor.last_serial, GOOD[0]), "in the end")


def each_editor():
    """editors save and are refused"""
    for number, editor in enumerate(EDITORS):
        with point(editor.name):
            if not shutil.which(editor.command[0]):
                raise Skip(f"no {editor.command[0]} on this machine")
            # A mount each, so that what one leaves is not taken for another's.
            with Mount(f"editor{number}") as mount:
                session(mount, editor, f"e{number}.example")


def two_editors():
    """of two who edit the same zone, the second is warned and neither loses text"""
    with Mount("two") as mount:
        zone = "two.example"
        mount.write(zone, text(zone, 100, GOOD[0]))
        vim = ["vim.basic", "-N", "-u", "NONE", "-n", f"{zone}.zone"]
        with Terminal(vim, cwd=mount.mnt) as first, Terminal(vim, cwd=mount.mnt) as second:
            first.wait("SOA")
            second.wait("SOA")
            first.type(f":%s/{GOOD[0]}/{GOOD[1]}/\r:w\r")
            mount.wait_for_text(zone, text(zone, 101, GOOD[1]))
            second.type(f":%s/{GOOD[0]}/{GOOD[2]}/\r:w\r")
            second.wait("WARNING|has been changed|W11|W12")
            second.type("n\r")
            equal(mount.read(zone), text(zone, 101, GOOD[1]))
            for terminal in (first, second):
                terminal.type(":q!\r")
                terminal.end()


def emacs_batch():
    """emacs --batch saves, and a refused save is an error"""
    if not shutil.which("emacs"):
        raise Skip("no emacs on this machine")
    with Mount("batch") as mount:
        zone = "batch.example"
        mount.write(zone, text(zone, 100, GOOD[0]))

        def batch(old, new):
            return run_command(["emacs", "-Q", "--batch", mount.path(zone), "--eval",
                                f'(progn (goto-char (point-min)) (search-forward "{old}") (replace-match "{new}") (save-buffer))'], check=False)

        equal(batch(GOOD[0], GOOD[1]).returncode, 0)
        equal(mount.read(zone), text(zone, 101, GOOD[1]))
        assert batch(GOOD[1], BAD).returncode != 0, "it was not told"
        equal(mount.read(zone), text(zone, 101, GOOD[1]))


if __name__ == "__main__":
    run(each_editor, two_editors, emacs_batch)
