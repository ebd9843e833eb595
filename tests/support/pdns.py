"""Real PowerDNS on the files of a mount, or on its own."""

import json
import pathlib
import urllib.request

from . import dns, parts
from .process import DIRECTORY, PATIENCE, Process, free_port, run_command

API_KEY = "zonefs"


class PowerDNS(Process):
    """A PowerDNS of a line ("4.9" or "5"), every cache off, on the LMDB database `db`.

    Started as a context, or used without a server for its tools alone (pdnsutil)."""

    def __init__(self, line, db, name=None, **settings):
        super().__init__(name or f"pdns-{line}")
        self.root, self.version = parts.pdns_root(line)
        self.line = line
        self.db = pathlib.Path(db)
        self.port = free_port()
        self.api_port = free_port()
        self.home = DIRECTORY / self.name
        self.home.mkdir(exist_ok=True)
        self.db.parent.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "launch": "lmdb",
            "lmdb-filename": self.db,
            "lmdb-shards": 1,
            "lmdb-lightning-stream": "yes",
            "cache-ttl": 0, "query-cache-ttl": 0, "negquery-cache-ttl": 0,
            "zone-cache-refresh-interval": 0, "zone-metadata-cache-ttl": 0, "dnssec-key-cache-ttl": 0,
            "local-address": "127.0.0.1", "local-port": self.port,
            "socket-dir": self.home, "write-pid": "no",
            "daemon": "no", "guardian": "no", "loglevel": 5, "log-timestamp": "no",
            "receiver-threads": 1, "distributor-threads": 1,
            "webserver": "yes", "webserver-address": "127.0.0.1", "webserver-port": self.api_port,
            "api": "yes", "api-key": API_KEY,
            "disable-axfr": "no", "allow-axfr-ips": "127.0.0.0/8", "8bit-dns": "yes",
            "expand-alias": "no", "version-string": "anonymous", "security-poll-suffix": "",
            **{key.replace("_", "-"): value for key, value in settings.items()},
        }
        (self.home / "pdns.conf").write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))

    def inside(self, tool, *words):
        """The command line of one of its tools."""
        return parts.in_root(self.root, DIRECTORY, [tool, f"--config-dir={self.home}", *words])

    def start(self):
        self.spawn(self.inside("pdns_server"))
        self.until(lambda: dns.answers(self.port), "its first answer")
        return self

    # Tools

    def pdnsutil(self, *words, check=True, seconds=PATIENCE, **options):
        """Runs pdnsutil; both lines understand the words of 4.9 (`load-zone`, `check-zone`)."""
        return run_command(self.inside("pdnsutil", *words), check=check, seconds=seconds, **options)

    def control(self, *words, check=True):
        return run_command(self.inside("pdns_control", *words), check=check)

    def load(self, zone, text):
        """Makes or replaces a zone from master-file text, as `pdnsutil load-zone` does."""
        path = self.home / f"{zone}.load"
        path.write_text(text)
        return self.pdnsutil("load-zone", zone, path)

    def owner(self, owner, zone):
        """A name as this line's pdnsutil wants it: relative in 4.9, whole since 5."""
        return owner if self.line == "4.9" else f"{owner}.{zone}"

    def add_record(self, zone, owner, rrtype, ttl, rdata):
        return self.pdnsutil("add-record", zone, self.owner(owner, zone), rrtype, ttl, rdata)

    def delete_rrset(self, zone, owner, rrtype):
        return self.pdnsutil("delete-rrset", zone, self.owner(owner, zone), rrtype)

    def list(self, zone):
        """The zone as `pdnsutil list-zone` prints it: sorted records, single blanks."""
        lines = self.pdnsutil("list-zone", zone).stdout.split("\n")
        return sorted(" ".join(l.split()) for l in lines if l.strip() and not l.startswith(("$", ";")))

    def api(self, method, path, body=None):
        """A request to the HTTP API; the answer decoded, None when empty."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.api_port}/api/v1/servers/localhost/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"X-API-Key": API_KEY, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            data = reply.read()
        return json.loads(data) if data else None

    # Questions

    def dig(self, owner, rrtype, dnssec=False):
        return dns.dig(self.port, owner, rrtype, dnssec)

    def ask(self, questions, dnssec=False):
        return dns.ask(self.port, questions, dnssec)

    def axfr(self, zone, **options):
        return dns.axfr(self.port, zone, **options)
