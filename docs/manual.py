#!/usr/bin/python3
"""manual.py NAME SECTION TITLE < page.md > page.7: a page of docs/ as a manual page.

It knows what these pages use: headings, paragraphs, lists, tables, indented examples, `code`,
*emphasis* and **strong**."""

import re
import sys


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def inline(text):
    """One run of text: code and strong are bold, emphasis is italic."""
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^* ][^*]*\*)", text):
        if part.startswith("`") and len(part) > 2:
            out.append("\\fB" + escape(part[1:-1]) + "\\fR")
        elif part.startswith("**"):
            out.append("\\fB" + escape(part[2:-2]) + "\\fR")
        elif part.startswith("*") and len(part) > 2:
            out.append("\\fI" + escape(part[1:-1]) + "\\fR")
        else:
            out.append(escape(part))
    line = "".join(out)
    return "\\&" + line if line[:1] in (".", "'") else line


def table(rows):
    """Rows of a table, the line of dashes left out; an empty heading is none."""
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row[1:-1])]
             for row in map(str.strip, rows)
             if not re.fullmatch(r"[|\s:-]+", row) or not row.strip("| ")]
    cells = [row for row in cells if any(row)]
    columns = max(len(row) for row in cells)
    out = [".na", ".TS", " ".join(["l"] * (columns - 1) + ["lx"]) + "."]
    for row in cells:
        out.append("\t".join("T{\n" + inline(cell) + "\nT}" for cell in row))
    return out + [".TE", ".ad", ".PP"]


def page(lines):
    out, paragraph = [], []

    def end_paragraph():
        if paragraph:
            out.append(inline(" ".join(paragraph)))
            paragraph.clear()

    at = 0
    while at < len(lines):
        line = lines[at]
        heading = re.match(r"(#+) (.*)", line)
        item = re.match(r"[*-] (.*)", line)
        if heading:
            end_paragraph()
            if len(heading[1]) > 1:
                out.append((".SH " if len(heading[1]) == 2 else ".SS ") + inline(heading[2]))
        elif line.startswith("|"):
            end_paragraph()
            rows = []
            while at < len(lines) and lines[at].startswith("|"):
                rows.append(lines[at])
                at += 1
            out += table(rows)
            continue
        elif line.startswith("    ") and not paragraph:
            out += [".PP", ".RS 4", ".nf"]
            while at < len(lines) and (lines[at].startswith("    ") or
                                       (not lines[at] and lines[at + 1:at + 2] and
                                        lines[at + 1].startswith("    "))):
                out.append("\\&" + escape(lines[at][4:]))
                at += 1
            out += [".fi", ".RE", ".PP"]
            continue
        elif item:
            end_paragraph()
            out.append(".IP \\(bu 2")
            paragraph.append(item[1])
        elif not line:
            end_paragraph()
            if lines[at + 1:at + 2] and not re.match(r"[*-] |[#|]|  ", lines[at + 1]):
                out.append(".PP")
        else:
            paragraph.append(line.strip())
        at += 1
    end_paragraph()
    return out


def main():
    name, section, title = sys.argv[1:4]
    lines = sys.stdin.read().split("\n")
    print("'\\\" t")
    print(f'.TH {name.upper()} {section} "" zonefs ""')
    print(".SH NAME")
    print(f"{name} \\- {title}")
    print(".SH DESCRIPTION")
    print("\n".join(page(lines)))


main()
