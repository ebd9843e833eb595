#!/usr/bin/python3
"""runner.py VARIANT=BUILDDIR... -- [PATTERN...] - runs test programs and adds up their points.

Programs: tests/lint/*, the unit suites meson knows of (in every build), tests/e2e/*.py and
tests/interop/*.py. They print TAP. Two run at a time, each with a directory of its own (ZONEFS_TEST_DIR,
on a disk and not under /tmp, where vim and emacs behave differently) and the program to test in ZONEFS.
A line `# runner: WORDS` among the first lines of a program tells what it needs:

    timeout=SECONDS   instead of 300
    alone             nothing else may run beside it
    plain-only        not with the ASan build as well
    tsan              with the TSan build too

What a program leaves behind (processes, mounts, sanitizer reports) fails it. A program that failed is run
once more by itself; when it passes then, it counts as passed and is named as unsteady.
"""

import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
PARALLEL = 2
UNIT_TIMEOUT = 120
TIMEOUT = 300
# How much longer a program may take under a sanitizer.
SLOWER = {"plain": 1, "asan": 3, "tsan": 5}

POINT = re.compile(r"^(not )?ok\b(?: +\d+)?(?: *-)? *(.*?)(?: *# *(SKIP)\S* *(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)")


@dataclasses.dataclass
class Program:
    name: str
    command: list
    environment: dict
    timeout: float
    alone: bool = False
    output: str = ""
    seconds: float = 0
    passed: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    unsteady: bool = False


# Finding programs

def words(path):
    """What a program says it needs, in its `# runner:` line."""
    with open(path, encoding="utf-8") as source:
        for _, line in zip(range(40), source):
            if line.startswith("# runner:"):
                return line.split(":", 1)[1].split()
    return []


def introspect(build, what):
    answer = subprocess.run(["meson", "introspect", f"--{what}", str(build)], capture_output=True, check=True, text=True)
    return json.loads(answer.stdout)


def binary(build):
    """The zonefs program of a build."""
    for target in introspect(build, "targets"):
        if target["name"] == "zonefs" and target["type"] == "executable":
            return target["filename"][0]
    return ""


def sanitizer_environment(variant):
    """Sanitizers write their reports into the program's directory, where they are found; see leftovers()."""
    common = "log_path={dir}/sanitizer:exitcode=66:halt_on_error={halt}"
    if variant == "asan":
        return {"ASAN_OPTIONS": common.format(dir="{dir}", halt=1) + ":detect_leaks=1:detect_stack_use_after_return=1",
                "UBSAN_OPTIONS": "log_path={dir}/sanitizer:print_stacktrace=1:halt_on_error=1"}
    if variant == "tsan":
        return {"TSAN_OPTIONS": common.format(dir="{dir}", halt=0) + ":second_deadlock_stack=1"}
    return {}


def prefix(variant):
    """TSan of Debian 12 does not know the address layout of newer kernels' randomisation."""
    return ["setarch", os.uname().machine, "-R"] if variant == "tsan" else []


def threaded(name):
    """Whether a unit suite may start threads. DNS and zone text are pure: TSan has nothing to see there."""
    room, module = name.removeprefix("unit/").split("/", 1)
    text = module in ("pieces", "rdata") or (ROOT / f"fs/text/{module}.c").exists()
    return room != "dns" and not (room == "fs" and text)


def programs(builds):
    found = []
    mark = {variant: "" if variant == "plain" else variant + "/" for variant in builds}
    for path in sorted((ROOT / "tests/lint").iterdir()):
        if path.is_file() and os.access(path, os.X_OK):
            found.append(Program(f"lint/{path.name}", ["/usr/bin/python3", "-B", str(path)], {}, 60))
    for variant, build in builds.items():
        for test in introspect(build, "tests"):
            environment = {"CK_TAP_LOG_FILE_NAME": "-", "CK_VERBOSITY": "silent", "CK_FORK": "no",
                           **test["env"], **sanitizer_environment(variant)}
            name = test["name"] if test["name"].startswith("unit/") else "unit/" + test["name"]
            if variant == "tsan" and not threaded(name):
                continue
            found.append(Program(mark[variant] + name, prefix(variant) + test["cmd"], environment,
                                 max(UNIT_TIMEOUT, test["timeout"] or 0) * SLOWER[variant]))
    for kind in ("e2e", "interop"):
        for path in sorted((ROOT / "tests" / kind).glob("*.py")):
            needs = words(path)
            timeout = next((float(w.split("=")[1]) for w in needs if w.startswith("timeout=")), TIMEOUT)
            for variant, build in builds.items():
                if variant == "asan" and "plain-only" in needs or variant == "tsan" and "tsan" not in needs:
                    continue
                environment = {"ZONEFS": binary(build), "ZONEFS_BUILD": str(ROOT / build), "ZONEFS_VARIANT": variant, **sanitizer_environment(variant)}
                found.append(Program(f"{mark[variant]}{kind}/{path.stem}",
                                     [*prefix(variant), "/usr/bin/python3", "-B", str(path)], environment,
                                     timeout * SLOWER[variant], alone="alone" in needs))
    return found


def wanted(program, patterns):
    return not patterns or any(fnmatch.fnmatch(program.name, p) or fnmatch.fnmatch(program.name, f"*{p}*")
                               for p in patterns)


# Running one

def processes_of(directory):
    """Living processes that were started for a test directory: it stands in their environment."""
    needle = f"ZONEFS_TEST_DIR={directory}".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if needle not in environ.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] in "ZX":
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as line:
                yield int(entry), line.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue


def mounts_below(directory):
    with open("/proc/self/mounts", encoding="utf-8") as table:
        points = [line.split()[1].encode().decode("unicode_escape") for line in table]
    return [p for p in reversed(points) if p == str(directory) or p.startswith(f"{directory}/")]


def leftovers(directory):
    """Ends and names whatever a program left behind in its directory."""
    found = []
    for pid, line in processes_of(directory):
        found.append(f"a process was left: {line}")
        with_errors_ignored(os.kill, pid, signal.SIGKILL)
    for point in mounts_below(directory):
        found.append(f"a mount was left: {point}")
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    for report in sorted(pathlib.Path(directory).glob("sanitizer.*")):
        found.append(f"a sanitizer spoke:\n{report.read_text(errors='replace')}")
    return found


def with_errors_ignored(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass


def execute(program, base):
    """Runs a program once and takes its points."""
    program.passed, program.failed, program.skipped = [], [], []
    # Short, as the path of a socket in it may have 107 bytes.
    directory = tempfile.mkdtemp(prefix=program.name.rsplit("/", 1)[1][:12] + ".", dir=base)
    os.chmod(directory, 0o755)
    environment = {**os.environ, "ZONEFS_TEST_DIR": directory, "TMPDIR": directory, "HOME": directory,
                   "PYTHONDONTWRITEBYTECODE": "1",
                   **{key: value.replace("{dir}", directory) for key, value in program.environment.items()}}
    begun = time.monotonic()
    with open(f"{base}/{os.path.basename(directory)}.out", "w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(program.command, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(program.timeout)
        except subprocess.TimeoutExpired:
            status = None
            with_errors_ignored(os.kill, process.pid, signal.SIGABRT)
            with_errors_ignored(os.killpg, process.pid, signal.SIGKILL)
        left = leftovers(directory)
        process.wait()
        output.seek(0)
        program.output = output.read()
    program.seconds = time.monotonic() - begun
    take_points(program, status)
    for trouble in left:
        program.failed.append(trouble.split("\n")[0])
        program.output += f"\nrunner: {trouble}\n"
    shutil.rmtree(directory, ignore_errors=True)
    return program


def take_points(program, status):
    plan, count = None, 0
    for line in program.output.split("\n"):
        match = PLAN.match(line)
        if match:
            plan = int(match[1])
            continue
        match = POINT.match(line)
        if not match:
            continue
        count += 1
        negative, name, skip, reason = match.groups()
        if skip:
            program.skipped.append((name, reason or "no reason given"))
        elif negative:
            program.failed.append(name)
        else:
            program.passed.append(name)
    if status is None:
        trouble(program, f"ran into its limit of {program.timeout:.0f} s")
    elif status == 77 and not count:
        program.skipped.append(("all of it", program.output.strip().split("\n")[-1]))
    elif status < 0:
        trouble(program, f"was ended by {signal.Signals(-status).name}")
    elif status and not program.failed:
        trouble(program, f"ended with exit code {status}")
    elif plan is not None and plan != count:
        trouble(program, f"planned {plan} points and made {count}")
    elif not count:
        program.passed.append("ends with exit code 0")


def trouble(program, what):
    program.failed.append(what)
    program.output += f"\nrunner: the program {what}\n"


# Adding up

def allowed_skips():
    rules = []
    for line in (ROOT / "tests/skips").read_text().split("\n"):
        line = line.split("#")[0].strip()
        if line:
            rules.append([part.strip() for part in line.split(":", 1)])
    return rules


def judge_skips(program, rules):
    """In CI a skip is a failure unless a rule allows it."""
    if not CI:
        return
    kept = []
    for name, reason in program.skipped:
        if any(fnmatch.fnmatch(program.name, rule[0]) and fnmatch.fnmatch(name, rule[1]) for rule in rules):
            kept.append((name, reason))
        else:
            program.failed.append(f"{name}: skipped: {reason}")
    program.skipped = kept


printing = threading.Lock()


def tell(program, logs):
    with printing:
        verdict = "FAIL" if program.failed else "ok"
        extra = f", {len(program.skipped)} skipped" if program.skipped else ""
        print(f"{verdict:4} {len(program.passed):5} points {program.seconds:7.1f} s  {program.name}{extra}")
        (logs / (program.name.replace("/", "-") + ".log")).write_text(program.output)
        if program.failed:
            print("".join(f"     | {line}\n" for line in program.output.rstrip("\n").split("\n")), end="")
        for name, reason in program.skipped:
            print(f"     skipped: {name}: {reason}")
        sys.stdout.flush()


def main():
    split = sys.argv.index("--")
    builds = dict(argument.split("=", 1) for argument in sys.argv[1:split])
    chosen = [p for p in programs(builds) if wanted(p, sys.argv[split + 1:])]
    logs = ROOT / next(iter(builds.values())) / "test-logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    top = pathlib.Path(os.environ.get("ZONEFS_TEST_TOP", "/var/tmp"))
    base = tempfile.mkdtemp(prefix="zonefs.", dir=top)
    os.chmod(base, 0o755)
    rules = allowed_skips()

    def once(program):
        execute(program, base)
        judge_skips(program, rules)
        tell(program, logs)

    begun = time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            # The long ones first, so that the end does not wait for one of them alone.
            beside = [p for p in chosen if not p.alone]
            list(pool.map(once, sorted(beside, key=lambda p: -p.timeout)))
        for program in chosen:
            if program.alone:
                once(program)
        for program in chosen:
            if program.failed:
                first = program.failed
                print(f"again, by itself: {program.name}")
                once(program)
                program.unsteady = not program.failed and bool(first)
    finally:
        shutil.rmtree(base, ignore_errors=True)

    for program in chosen:
        for name in program.failed:
            print(f"failed: {program.name}: {name}")
        if program.unsteady:
            print(f"unsteady: {program.name}")
    print(f"{len(chosen)} programs in {time.monotonic() - begun:.0f} s")
    print(f"{sum(len(p.passed) for p in chosen)} passed, {sum(len(p.failed) for p in chosen)} failed, "
          f"{sum(len(p.skipped) for p in chosen)} skipped")
    return 1 if any(p.failed for p in chosen) or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
