"""Processes, conditions and ports: nothing here waits for time, everything waits for something."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

from .tap import note

# How long anything may take on a loaded machine before it counts as never.
PATIENCE = 60

_directory = os.environ.get("ZONEFS_TEST_DIR")
if _directory is None:  # run by hand, not by tests/runner.py
    _directory = tempfile.mkdtemp(prefix="zonefs-test.", dir=os.environ.get("ZONEFS_TEST_TOP", "/var/tmp"))
    os.environ["ZONEFS_TEST_DIR"] = _directory
    os.chmod(_directory, 0o755)
    note(f"working in {_directory}")

# The directory of this program; it goes when the program ends well.
DIRECTORY = pathlib.Path(_directory)


def wait_for(condition, what="the condition", seconds=PATIENCE):
    """The first true value `condition()` gives. What it raises meanwhile counts as not yet."""
    end = time.monotonic() + seconds
    pause, last = 0.005, None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, AssertionError, ValueError, subprocess.SubprocessError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still waiting for {what}; last: {last!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


_held = []


def free_port():
    """A port of 127.0.0.1 free for UDP and TCP, which no other test program is given meanwhile."""
    while True:
        # Below the range the kernel takes outgoing ports from.
        port = random.randrange(20000, 32000)
        # An abstract socket is a lock that goes with its process and leaves no file.
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0zonefs-test-port-{port}")
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port


def run_command(command, check=True, seconds=PATIENCE, **options):
    """Runs a command to its end; stdout and stderr as text. A failure shows what it said."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if options["stdin"] is None:
        del options["stdin"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="backslashreplace",
                          timeout=seconds, check=False, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Process:
    """A server in the foreground, its output in a log that a failure prints."""

    def __init__(self, name):
        self.name = name
        self.process = None
        self.log_path = DIRECTORY / f"{name}.log"

    def spawn(self, command, **options):
        assert self.process is None, f"{self.name} runs already"
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=DIRECTORY, **options)

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        try:
            return self.log_path.read_text(errors="backslashreplace")
        except OSError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def until(self, condition, what, seconds=PATIENCE):
        """Waits for a condition, but not longer than the process lives."""
        def step():
            if not self.alive():
                raise RuntimeError(f"{self.name} ended with {self.process.poll()} while waiting for {what}:\n{self.log}")
            return condition()
        return wait_for(step, f"{self.name}: {what}", seconds)

    def end(self, with_signal=signal.SIGTERM, seconds=PATIENCE):
        """Ends the process and gives its exit code; None when it was not running."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(with_signal)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s of {signal.Signals(with_signal).name}:\n"
                                 f"{self.log}") from None

    def start(self):
        raise NotImplementedError(self.name)

    def stop(self):
        self.end()

    def __enter__(self):
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            note(f"log of {self.name}:\n{self.log[-20000:]}")
        try:
            self.stop()
        except Exception as trouble:  # the first error is the one to tell
            if error is None:
                raise
            note(f"{self.name}: {trouble}")
        return False
