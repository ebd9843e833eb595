"""The rows of a PowerDNS LMDB database, read as bytes. docs/format.md names their parts."""

import dataclasses
import struct

import lmdb

# PowerDNS's own map size, so that neither side is surprised by the other.
MAP_SIZE = 16000 << 20
HEADER = struct.Struct(">QQBBIH")
ENT, NSEC3 = 0, 50


@dataclasses.dataclass(frozen=True)
class Row:
    stamp: int
    txnid: int
    deleted: bool
    payload: bytes


def decode(value):
    """A value with its Lightning Stream header taken off."""
    assert len(value) >= HEADER.size, f"a value of {len(value)} bytes has no header"
    stamp, txnid, version, flags, _, blocks = HEADER.unpack_from(value)
    assert version == 0, f"header version {version}"
    return Row(stamp, txnid, bool(flags & 1), value[HEADER.size + 8 * blocks:])


def raw(path, private=False):
    """{(dbi, key): value} of one env as stored; DBIs that stay here (`_sync…`) only if asked for."""
    found = {}
    with lmdb.open(str(path), subdir=False, readonly=True, max_dbs=128, map_size=MAP_SIZE) as env:
        with env.begin() as txn:
            names = [bytes(name) for name, _ in txn.cursor()]
            for name in names:
                if name.startswith(b"_sync") and not private:
                    continue
                dbi = env.open_db(name, txn=txn, create=False)
                for key, value in txn.cursor(dbi):
                    found[name.decode(), bytes(key)] = bytes(value)
    return found


def both(db, private=False):
    """Rows of main and records env in one: the DBI names do not meet."""
    return {**raw(db, private), **raw(f"{db}-0", private)}


def rows(path):
    """{(dbi, key): Row} of one env."""
    return {place: decode(value) for place, value in raw(path).items()}


def rrs(payload):
    """The records of a records_v5 payload: (rdata, ttl, auth, disabled, has_order_name)."""
    found, at = [], 0
    while at < len(payload):
        (length,) = struct.unpack_from("<H", payload, at)
        rdata = payload[at + 2:at + 2 + length]
        found.append((rdata, *struct.unpack_from("<IBBB", payload, at + 2 + length)))
        at += 2 + length + 7
    return found


def qtype(key):
    """Type in the key of a records_v5 row."""
    return struct.unpack(">H", key[-2:])[0]


def live(found):
    return {place: row.payload for place, row in found.items() if not row.deleted}


def changed(before, after):
    """Places whose live payload differs between two results of rows(), sorted."""
    old, new = live(before), live(after)
    return sorted(place for place in old.keys() | new.keys() if old.get(place) != new.get(place))
