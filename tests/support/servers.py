"""Name servers that read zones as files: NSD, BIND and Knot, each in the foreground on a free port.

They are given a directory of zone files and the zones' names. reload(zone) makes one read a file again and
returns when it has said so.
"""

import pathlib
import shutil

from . import dns
from .parts import program
from .process import DIRECTORY, Process, free_port, run_command


def unconfined():
    """Debian's AppArmor profile lets named read only its own directories; here it reads the test's."""
    try:
        enforced = pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        return []
    confine = shutil.which("aa-exec")
    return [confine, "-p", "unconfined", "--"] if enforced and confine else []


class NameServer(Process):
    def __init__(self, name, zones_directory, zones):
        super().__init__(name)
        self.port = free_port()
        self.zones_directory = pathlib.Path(zones_directory)
        self.zones = list(zones)
        self.home = DIRECTORY / name
        self.home.mkdir(exist_ok=True)

    def file(self, zone):
        return self.zones_directory / f"{zone}.zone"

    def command(self):
        raise NotImplementedError

    def start(self):
        self.spawn(self.command())
        self.until(lambda: dns.answers(self.port), "its first answer")
        return self

    def dig(self, owner, rrtype, dnssec=False):
        return dns.dig(self.port, owner, rrtype, dnssec)

    def ask(self, questions, dnssec=False):
        return dns.ask(self.port, questions, dnssec)

    def axfr(self, zone, **options):
        return dns.axfr(self.port, zone, **options)

    def reload(self, zone):
        raise NotImplementedError


class NSD(NameServer):
    def __init__(self, zones_directory, zones):
        super().__init__("nsd", zones_directory, zones)
        self.conf = self.home / "nsd.conf"
        zones_part = "".join(f'zone:\n  name: "{z}"\n  zonefile: "{self.file(z)}"\n  provide-xfr: 127.0.0.1 NOKEY\n'
                             for z in self.zones)
        self.conf.write_text(f"""\
server:
  ip-address: 127.0.0.1@{self.port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: ""
  database: ""
  pidfile: "{self.home}/nsd.pid"
  xfrdfile: "{self.home}/xfrd.state"
  zonelistfile: "{self.home}/zone.list"
  xfrdir: "{self.home}"
  cookie-secret-file: ""
  verbosity: 2
remote-control:
  control-enable: yes
  control-interface: "{self.home}/control.sock"
{zones_part}""")

    def command(self):
        return [program("nsd"), "-d", "-c", self.conf]

    def reload(self, zone):
        run_command([program("nsd-control"), "-c", self.conf, "reload", zone])


class BIND(NameServer):
    def __init__(self, zones_directory, zones):
        super().__init__("named", zones_directory, zones)
        self.control_port = free_port()
        secret = "em9uZWZzem9uZWZzem9uZWZzem9uZWZzem9uZWZzMDA="
        key = f'key "rndc" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        zones_part = "".join(f'zone "{z}" {{ type primary; file "{self.file(z)}"; }};\n' for z in self.zones)
        # 9.18 wants to be the only one on a machine; 9.20 knows no such option.
        lock_file = "lock-file none;" if " 9.18." in run_command([program("named"), "-v"]).stdout else ""
        self.conf = self.home / "named.conf"
        self.conf.write_text(key + f"""\
options {{
  directory "{self.home}";
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file "{self.home}/named.pid";
  session-keyfile "{self.home}/session.key";
  {lock_file}
  recursion no;
  dnssec-validation no;
  allow-transfer {{ 127.0.0.1; }};
  notify no;
}};
controls {{ inet 127.0.0.1 port {self.control_port} allow {{ 127.0.0.1; }} keys {{ "rndc"; }}; }};
{zones_part}""")
        self.rndc_conf = self.home / "rndc.conf"
        self.rndc_conf.write_text(key + f'options {{ default-key "rndc"; default-server 127.0.0.1; '
                                        f'default-port {self.control_port}; }};\n')

    def command(self):
        return [*unconfined(), program("named"), "-g", "-n", "1", "-c", self.conf]

    def reload(self, zone):
        run_command([program("rndc"), "-c", self.rndc_conf, "reload", zone])


class Knot(NameServer):
    def __init__(self, zones_directory, zones):
        super().__init__("knotd", zones_directory, zones)
        zones_part = "".join(f'  - domain: "{z}"\n    file: "{self.file(z)}"\n' for z in self.zones)
        self.conf = self.home / "knot.conf"
        self.conf.write_text(f"""\
server:
  listen: 127.0.0.1@{self.port}
  rundir: "{self.home}"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "{self.home}"
acl:
  - id: local
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: "{self.home}"
    acl: local
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
{zones_part}""")

    def command(self):
        return [program("knotd"), "-c", self.conf]

    def reload(self, zone):
        run_command([program("knotc"), "-b", "-c", self.conf, "-s", self.home / "knot.sock", "zone-reload", zone])


ALL = (NSD, BIND, Knot)
