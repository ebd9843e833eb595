#!/usr/bin/python3
"""NSD, BIND and Knot read zones from the mount, reload while they are saved, and never see half a zone."""
# runner: timeout=300

import functools
import threading

from support import servers, zones
from support.mount import Mount
from support.process import run_command, wait_for
from support.tap import equal, point, run

RECORDS = 400


def text(zone, version):
    """A zone in which every record tells the version; longer with every one, so that sizes move too."""
    lines = [f"; version {version} {'.' * version}", "$TTL 300", f"@\tSOA\tns hostmaster {version} 3600 600 86400 300", "\tNS\tns", "ns\tA\t192.0.2.53"]
    lines += [f'v{n}\tTXT\t"{version}"' for n in range(RECORDS)]
    return "\n".join(lines) + "\n"


def serial(answer):
    return int(answer.answer[0].split()[6]) if answer.answer else None


def whole(records, zone):
    """The one version that a transfer shows."""
    versions = {record.split('"')[1] for record in records if record.split()[3] == "TXT"}
    assert len(versions) == 1, f"{zone}: versions {sorted(versions)} in one transfer"
    version = int(versions.pop())
    equal(len([r for r in records if r.split()[3] == "TXT"]), RECORDS, f"{zone}: records of version {version}")
    soa = next(r for r in records if r.split()[3] == "SOA")
    equal(int(soa.split()[6]), version, f"{zone}: serial")
    return version


def reloads(server_class):
    """reads zones from the mount, reloads after each save, and shows only whole ones during saves"""
    label = server_class.__name__
    names = ["one.example", "two.example"]
    with Mount(f"{label}-mount") as mount:
        for zone in names:
            mount.write(zone, text(zone, 1))
        with server_class(mount.mnt, names) as server:
            with point(f"{label}: serves what the files say"):
                for zone in names:
                    wait_for(lambda z=zone: serial(server.dig(z, "SOA")) == 1, "version 1")
                    equal(whole(server.axfr(zone), zone), 1)
            with point(f"{label}: reloads after each save, in place and by rename"):
                for version in range(2, 10):
                    if version % 2:
                        mount.write("one.example", text("one.example", version))
                    else:
                        new = mount.mnt / ".one.example.zone.new"
                        new.write_text(text("one.example", version))
                        run_command(["mv", new, mount.path("one.example")])
                    server.reload("one.example")
                    wait_for(lambda v=version: serial(server.dig("one.example", "SOA")) == v, f"version {version}")
                    equal(whole(wait_for(lambda: server.axfr("one.example"), "a transfer"), "one.example"), version)
            with point(f"{label}: reloads during saves, and never shows half a zone"):
                during_saves(mount, server)
            with point(f"{label}: keeps its zone when a save is refused"):
                good = mount.read("one.example")
                shown = server.axfr("one.example")
                try:
                    mount.write("one.example", good + "broken A 192.0.2.300\n")
                except OSError:
                    pass
                server.reload("one.example")
                equal(wait_for(lambda: server.axfr("one.example"), "a transfer"), shown)


def during_saves(mount, server):
    """One thread saves as fast as it can while this one reloads."""
    last = 150
    trouble = []

    def save():
        try:
            for version in range(2, last + 1):
                mount.write("two.example", text("two.example", version))
        except OSError as error:
            trouble.append(error)

    writer = threading.Thread(target=save)
    writer.start()
    seen = 0
    while writer.is_alive():
        server.reload("two.example")
        # A server that reloads may break off a transfer: then it is asked again.
        now = whole(wait_for(lambda: server.axfr("two.example"), "a transfer"), "two.example")
        assert now >= seen, f"version {now} came after {seen}"
        seen = now
    writer.join()
    assert not trouble, trouble
    server.reload("two.example")
    wait_for(lambda: serial(server.dig("two.example", "SOA")) == last, "the last version")
    for word in ("syntax error", "bad zone", "failed to load", "failed, "):
        assert word not in server.log, f"{server.name} says {word!r}:\n{server.log}"


def each(function):
    """The function for each name server."""
    bound = []
    for server_class in servers.ALL:
        one = functools.partial(function, server_class)
        one.__doc__ = f"{server_class.__name__} {function.__doc__}"
        one.__name__ = f"{function.__name__}-{server_class.__name__}"
        bound.append(one)
    return bound


if __name__ == "__main__":
    run(*each(reloads))
