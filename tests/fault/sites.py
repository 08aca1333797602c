"""All places of a program where it makes a call that may fail, found in its machine code."""

import collections
import re
import subprocess

CALL = re.compile(r"^\s*([0-9a-f]+):\s.*\bcall\s+[0-9a-f]+ <([A-Za-z0-9_]+)@plt>")
TAIL = re.compile(r"\bjmp\s+[0-9a-f]+ <([A-Za-z0-9_]+)@plt>")
ADDRESS = re.compile(r"^\s*([0-9a-f]+):")

Site = collections.namedtuple("Site", "function call where above")


def output(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def undefined(program):
    """The symbols that others define."""
    lines = output("nm", "-u", "-D", program).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def find(program, calls):
    """{where the call comes back to: the call}, of those in `calls`; and the calls that never come back here."""
    found, tails, pending = {}, [], None
    for line in output("objdump", "-d", "--no-show-raw-insn", program).splitlines():
        at = ADDRESS.match(line)
        if pending and at:
            found[int(at[1], 16)] = pending
            pending = None
        call = CALL.match(line)
        if call and call[2] in calls:
            pending = call[2]
        tail = TAIL.search(line)
        if tail and tail[1] in calls:
            tails.append(tail[1])
    return found, tails


def name(program, places):
    """{place: Site}; of {place: call}, each with the function it is in and its line, and those it is inlined into."""
    asked = "".join(f"{place - 1:#x}\n" for place in places)
    blocks = re.split(r"^0x[0-9a-f]+\n", output("addr2line", "-a", "-f", "-i", "-e", program, text=asked), flags=re.M)
    named = {}
    for place, block in zip(places, blocks[1:]):
        lines = [re.sub(r"^.*/(?=(engine|api|server)/)", "", line.split(" (")[0]) for line in block.splitlines()]
        named[place] = Site(lines[0], places[place], lines[1], tuple(" ".join(pair) for pair in zip(lines[2::2], lines[3::2])))
    return named
