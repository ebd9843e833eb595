"""Zone texts for tests, and what to ask about them."""

# A throwaway key, public: test data and never anything else.
KEY = """\
Private-key-format: v1.2
Algorithm: 13 (ECDSAP256SHA256)
PrivateKey: Xxv9v5HVnhyf9d7COWS4/NTXVDFwW3QvB0sjqevUs3E=
"""

# Every situation a name can be in: apex, data, alias, wildcard, empty non-terminal, cut (secure, insecure,
# with glue and occluded names), DNAME. Names in SVCB, NAPTR and MINFO are absolute: pdnsutil takes relative ones for that.
FULL = """\
; {zone} - every situation a name can be in
$TTL 3600
@	SOA	ns1 hostmaster {serial} 7200 1800 1209600 300
	NS	ns1
	NS	ns2.other.example.
	MX	10 mail
	TXT	"v=spf1 -all"	; nobody sends
	CAA	0 issue "ca.example.net"
ns1	300 A	192.0.2.1
	AAAA	2001:db8::1
mail	A	192.0.2.25
	A	192.0.2.26

www	CNAME	web
WeB	A	192.0.2.80
far	CNAME	www.other.example.
loop	CNAME	x.wild

*.wild	A	192.0.2.99
*.wild	MX	10 mail

a.b.c.ent	A	192.0.2.44
x.ent	TXT	"x"
_sip._tcp	SRV	1 2 5060 mail

sub	NS	ns.sub
	NS	ns2.other.example.
ns.sub	A	192.0.2.53
	AAAA	2001:db8::53
occ.sub	TXT	"occluded"
secure	NS	ns.secure
	DS	12345 13 2 AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00112233445566778899
ns.secure	A	192.0.2.54
deep.cut	NS	ns2.other.example.

dn	DNAME	target.example.
svc	SVCB	1 svc2.{zone}. alpn="h2,h3" port=8443
naptr	NAPTR	100 50 "s" "SIP+D2U" "" _sip._udp.{zone}.
unk	TYPE65280	\\# 4 0A000001
minfo	MINFO	mail.ent.{zone}. mail.{zone}.
{more}"""

# The second text of a zone: names gone (with empty ones above them), names come, a cut less, values changed.
CHANGES = [
    ("a.b.c.ent	A	192.0.2.44\n", "q.r.new	A	192.0.2.45\n"),
    ("deep.cut	NS	ns2.other.example.\n", "other.cut	NS	ns2.other.example.\n"),
    ("WeB	A	192.0.2.80\n", "WeB	A	192.0.2.81\n"),
    ("unk	TYPE65280	\\# 4 0A000001\n", ""),
    ("	A	192.0.2.26\n", "	A	192.0.2.27\n	A	192.0.2.28\n"),
]

# Names and types to ask for, relative to the zone.
QUESTIONS = [(owner, rrtype) for owner, types in {
    "": "SOA NS MX TXT A ANY", "ns1": "A AAAA TXT", "mail": "A", "www": "A CNAME MX", "web": "A AAAA", "WEB": "A", "far": "A", "loop": "A",
    "nope": "A", "a.nope": "A", "zzz": "MX", "0": "A", "ns1.ns1": "A",
    "wild": "A", "x.wild": "A TXT MX", "y.x.wild": "A", "*.wild": "A",
    "ent": "A", "c.ent": "TXT", "b.c.ent": "A", "a.b.c.ent": "A", "nope.c.ent": "A", "_tcp": "A", "_sip._tcp": "SRV",
    "sub": "NS A DS", "host.sub": "A", "ns.sub": "A AAAA", "occ.sub": "TXT", "secure": "NS DS A", "host.secure": "A", "cut": "A NS",
    "deep.cut": "NS DS", "other.cut": "A DS", "x.deep.cut": "A",
    "dn": "DNAME A", "x.dn": "A", "svc": "SVCB", "naptr": "NAPTR", "unk": "TYPE65280", "minfo": "MINFO",
    "new": "A", "r.new": "A", "q.r.new": "A", "z.new": "A",
}.items() for rrtype in types.split()]


def full(zone, serial=2024010101, more=""):
    return FULL.format(zone=zone, serial=serial, more=more)


def changed(text, serial=2024010102):
    """The second text, with a newer serial."""
    for old, new in CHANGES:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new)
    return text.replace("2024010101", str(serial))


def small(zone, serial=1, address="192.0.2.1", more=""):
    """A zone of a few records; the address tells versions apart."""
    return (f"; {zone}\n$TTL 300\n@\tSOA\tns hostmaster {serial} 3600 600 86400 300\n\tNS\tns\n"
            f"ns\tA\t192.0.2.53\nwww\tA\t{address}\n{more}")


def name(owner, zone):
    return f"{owner}.{zone}." if owner else f"{zone}."
