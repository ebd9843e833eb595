"""Questions and answers, by dig."""

import dataclasses
import re
import socket
import tempfile

from .parts import program
from .process import DIRECTORY, run_command


@dataclasses.dataclass
class Answer:
    """One reply: status ("NOERROR"), flags ({"aa", …}) and the sections as sorted lists of records, each
    `owner ttl IN type rdata` with single blanks."""
    status: str
    flags: set
    answer: list
    authority: list
    additional: list

    def types(self, section="answer"):
        return [record.split()[3] for record in getattr(self, section)]

    def rdata(self, rrtype):
        """RDATA of the answers of a type."""
        return sorted(r.split(" ", 4)[4] for r in self.answer if r.split()[3] == rrtype)


OPTIONS = ("+norec", "+time=10", "+tries=3", "+noall", "+comments", "+answer", "+authority", "+additional", "+nocookie")


def _answer(said):
    """The Answer in what dig printed about one reply."""
    sections = {"ANSWER": [], "AUTHORITY": [], "ADDITIONAL": []}
    section = None
    for line in said.split("\n"):
        heading = re.match(r";; (\w+) SECTION", line)
        if heading:
            section = heading[1]
        elif line and not line.startswith(";") and section in sections:
            sections[section].append(" ".join(line.split()))
    return Answer(re.search(r"status: (\w+)", said)[1], set(re.search(r"flags: ([\w ]*)", said)[1].split()),
                  *(sorted(sections[name]) for name in ("ANSWER", "AUTHORITY", "ADDITIONAL")))


def ask(port, questions, dnssec=False):
    """Asks the server at 127.0.0.1 many questions, (name, type) each, in one process; answers in order."""
    questions = list(questions)
    with tempfile.NamedTemporaryFile("w", dir=DIRECTORY, suffix=".questions") as batch:
        batch.writelines(f"{owner} {rrtype}\n" for owner, rrtype in questions)
        batch.flush()
        said = run_command([program("dig"), "-p", port, "@127.0.0.1", *OPTIONS, *(["+dnssec"] if dnssec else []),
                            "-f", batch.name]).stdout
    replies = said.split(";; Got answer:")[1:]
    assert len(replies) == len(questions), f"{len(replies)} answers to {len(questions)} questions:\n{said}"
    return [_answer(reply) for reply in replies]


def dig(port, owner, rrtype, dnssec=False):
    """Asks one question."""
    return ask(port, [(owner, rrtype)], dnssec)[0]


def axfr(port, zone, *words, drop=("RRSIG",)):
    """A transfer as a sorted list of records, without those whose bytes are random."""
    said = run_command([program("dig"), "-p", port, "@127.0.0.1", "+time=30", "+tries=1", "+noall", "+answer", "+onesoa",
                        "AXFR", zone, *words]).stdout
    records = sorted(" ".join(line.split()) for line in said.split("\n") if line and not line.startswith(";"))
    assert records, f"no transfer of {zone}:\n{said}"
    return [r for r in records if r.split()[3] not in drop]


def answers(port):
    """Whether a name server answers anything at all at this port."""
    query = bytes.fromhex("7a6e00000001000000000000" "00" "0006" "0001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect(("127.0.0.1", port))
        client.send(query)
        return client.recv(512)[:2] == b"zn"
