"""Test points in TAP, the Test Anything Protocol.

    def good_save():
        "a good save is served"
        with Mount() as m:
            with point("the new text is read back"):
                equal(m.read("example.com"), text)

    run(good_save)

Each function given to run() is a point named by its docstring; it may make more points inside. A point
fails when anything is raised in it, and the program goes on behind it. Skip("why") skips a point.
"""

import contextlib
import difflib
import os
import sys
import traceback


class Skip(Exception):
    """Raised in a point that cannot run here; says why."""


_count = 0
_failed = 0


def _say(line):
    print(line, flush=True)


def note(text):
    """Lines for the person who reads a failure."""
    for line in str(text).rstrip("\n").split("\n"):
        _say("# " + line)


@contextlib.contextmanager
def point(name):
    """One test point around a block."""
    global _count, _failed
    try:
        yield
    except Skip as reason:
        _count += 1
        _say(f"ok {_count} - {name} # SKIP {reason}")
    except Exception as error:  # a point reports whatever went wrong in it
        _count += 1
        _failed += 1
        _say(f"not ok {_count} - {name}")
        note(_explain(error))
    else:
        _count += 1
        _say(f"ok {_count} - {name}")


def _explain(error):
    if isinstance(error, AssertionError) and error.args:
        frame = traceback.extract_tb(error.__traceback__)
        own = [f for f in frame if os.path.basename(f.filename) != "tap.py"][-1]
        return f"{error}\nat {os.path.basename(own.filename)}:{own.lineno}: {own.line}"
    return "".join(traceback.format_exception(error))


def equal(got, want, what=""):
    """Both are the same, or the difference is shown."""
    if got == want:
        return
    if isinstance(got, bytes) and isinstance(want, bytes):
        got, want = got.decode("utf-8", "backslashreplace"), want.decode("utf-8", "backslashreplace")
    if isinstance(got, str) and isinstance(want, str):
        got, want = got.split("\n"), want.split("\n")
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        lines = difflib.unified_diff(list(map(str, want)), list(map(str, got)), "wanted", "got", lineterm="")
        raise AssertionError((what or "different") + ":\n" + "\n".join(list(lines)[:200]))
    raise AssertionError(f"{what or 'different'}: got {got!r}, wanted {want!r}")


def run(*functions):
    """Run test functions in order, print the plan and exit. An argument names the only ones to run."""
    chosen = [f for f in functions if len(sys.argv) < 2 or f.__name__ in sys.argv[1:]]
    for function in chosen:
        with point((function.__doc__ or function.__name__).strip().split("\n")[0].rstrip(".")):
            function()
    _say(f"1..{_count}")
    sys.stdout.flush()
    sys.exit(1 if _failed else 0)
