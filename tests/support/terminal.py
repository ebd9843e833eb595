"""A program in a terminal of its own, for those that want a person at the keys."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

from .process import DIRECTORY, PATIENCE, wait_for

# Cursor movements, colours, character sets, titles and the like.
ESCAPES = re.compile(r"\x1b(\[[0-9;?>=!]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM]|[PX^_].*?\x1b\\)", re.S)


class Terminal:
    """Keys go in with type(), what was shown is in shown(): all of it, escape sequences taken out."""

    def __init__(self, command, cwd=None, rows=24, columns=100, **environment):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # vim and emacs make no backups below TMPDIR, and tests live below theirs.
        apart = DIRECTORY / "tmp"
        apart.mkdir(exist_ok=True)
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd or DIRECTORY,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        env={**os.environ, "TERM": "xterm", "TMPDIR": str(apart), "LC_ALL": "C.UTF-8", **environment})
        os.close(slave)
        self.master = master
        self.output = bytearray()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other end is gone
                return
            if not data:
                return
            self.output += data

    def type(self, keys):
        os.write(self.master, keys.encode())

    def mark(self):
        """A place in what was shown; shown(mark) is what came behind it."""
        return len(self.output)

    def shown(self, mark=0):
        return ESCAPES.sub("", bytes(self.output[mark:]).decode(errors="replace"))

    def wait(self, pattern, mark=0, seconds=PATIENCE):
        """Waits until the screen has shown a pattern."""
        wait_for(lambda: re.search(pattern, self.shown(mark)), f"{pattern!r} on the screen of {self.command[0]}:\n{self.shown(mark)[-1500:]}", seconds)

    def end(self, seconds=PATIENCE):
        """Waits for the program's own end and gives its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.command[0]} did not end; the last it showed:\n{self.shown()[-1500:]}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.reader.join(5)
        os.close(self.master)
        return False
