#!/usr/bin/python3
"""zonefs check: files, directories, standard input, and what the exit code says."""

import os
import sys

from support.mount import zonefs
from support.process import DIRECTORY, run_command
from support.tap import equal, point, run

GOOD = "$TTL 3600\n@ SOA ns1.example.net. host 1 2 3 4 5\n@ NS ns1.example.net.\n"
BAD = GOOD + "www A 192.0.2.999\n"
ODD = GOOD + "www 0 A 192.0.2.1\n"


def check(*words, code, out="", err="", **options):
    """Runs it in DIRECTORY; compares the exit code, all of stdout, a part of stderr."""
    done = run_command([zonefs(), "check", *words], check=False, cwd=DIRECTORY, **options)
    equal(done.returncode, code)
    equal(done.stdout, out)
    assert err in done.stderr, done.stderr
    if not err:
        equal(done.stderr, "")


def write(name, content):
    path = DIRECTORY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())


def bad(file):
    return f"{file}:4:7: error: invalid IPv4 address\n  www A 192.0.2.999\n        ^\n"


def odd(file, severity):
    return f"{file}:4:5: {severity}: the TTL is 0: nobody may keep the answer\n  www 0 A 192.0.2.1\n      ^\n"


def files():
    """files say themselves which zone they are"""
    write("good.example.zone", GOOD)
    write("bad.example.zone", BAD)
    write("odd.example.zone", ODD)
    with point("a good one is silent"):
        check("good.example.zone", code=0)
    with point("an error is 1"):
        check("good.example.zone", "bad.example.zone", code=1, out=bad("bad.example.zone"))
    with point("a warning is 0, and 1 with --strict"):
        check("odd.example.zone", code=0, out=odd("odd.example.zone", "warning"))
        check("--strict", "odd.example.zone", code=1, out=odd("odd.example.zone", "error"))
    with point("the root zone, escapes, upper case, a path"):
        write("deep/=2E.zone", "$TTL 3600\n@ SOA a host.example. 1 2 3 4 5\n@ NS a\na A 192.0.2.1\n")
        write("deep/0=2F25.2.0.192.in-addr.arpa.zone", GOOD + "1 PTR a.example.\n")
        write("deep/UPPER.example.zone", GOOD + "www.upper.example. A 192.0.2.1\n")
        check("deep/=2E.zone", "deep/0=2F25.2.0.192.in-addr.arpa.zone", DIRECTORY / "deep/UPPER.example.zone", code=0)
    with point("a record of another zone"):
        write("other.example.zone", GOOD + "www.good.example. A 192.0.2.1\n")
        check("other.example.zone", code=1, out="other.example.zone:4:1: error: www.good.example lies outside of the zone "
              "other.example\n  www.good.example. A 192.0.2.1\n  ^\n")


def names():
    """other names need --origin"""
    write("db.good", GOOD + "www.good.example. A 192.0.2.1\n")
    with point("without it: a sentence, and 64"):
        check("db.good", code=64, err="db.good: the name does not tell the zone, as example.com.zone would: say --origin NAME")
    with point("with it, with and without dot"):
        check("--origin", "good.example", "db.good", code=0)
        check("--origin=good.example.", "db.good", code=0)
    with point("no name"):
        check("--origin", "a..b", "db.good", code=64, err="--origin a..b: a label is empty")
    with point("standard input"):
        check("--origin", "good.example", "-", code=1, out=bad("<stdin>"), input=BAD)
        check("-", code=64, err="say --origin NAME", input=GOOD)


def directories():
    """directories are walked in order; what is no zone is passed over"""
    for name, content in (("tree/b.example.zone", BAD), ("tree/a/c.example.zone", BAD), ("tree/a.example.zone", BAD),
                          ("tree/.hidden.zone", BAD), ("tree/README", BAD), ("tree/x.example.zone~", BAD),
                          ("tree/.git/y.example.zone", BAD)):
        write(name, content)
    with point("below and in order"):
        check("tree", code=1, out=bad("tree/a/c.example.zone") + bad("tree/a.example.zone") + bad("tree/b.example.zone"))
    with point("no --origin for them"):
        check("--origin", "good.example", "tree", code=64, err="tree is a directory: --origin is for files")
    with point("several thousand zones in one process"):
        (DIRECTORY / "many").mkdir()
        for i in range(5000):
            write(f"many/z{i}.example.zone", GOOD)
        write("many/z777.example.zone", BAD)
        check("many", code=1, out=bad("many/z777.example.zone"))


def unreadable():
    """what cannot be read is 66, and the rest is checked"""
    with point("no such file"):
        check("nowhere.zone", "bad.example.zone", code=66, out=bad("bad.example.zone"), err="nowhere.zone: No such file or directory")
    with point("a loop of links"):
        os.symlink("loop.example.zone", DIRECTORY / "loop.example.zone")
        check("loop.example.zone", code=66, err="loop.example.zone: Too many levels")


def usage():
    """usage"""
    with point("nothing to check"):
        check(code=64, err="usage: zonefs check")
    with point("no such option"):
        check("--nonsense", "x", code=64, err="usage: zonefs check")
    with point("--help"):
        check("--help", code=0, out="usage: zonefs check [--origin NAME] [--strict] FILE|DIR...\n")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    run(files, names, directories, unreadable, usage)
