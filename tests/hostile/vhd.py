"""Image files made byte by byte, as a tool with bad intentions would: what they say is up to the caller."""

import struct

SECTOR = 512
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
NOWHERE = (1 << 64) - 1
NO_BLOCK = 0xFFFFFFFF


def seal(raw, at):
    """With its checksum, which stands at `at`."""
    raw = bytearray(raw)
    raw[at : at + 4] = bytes(4)
    raw[at : at + 4] = struct.pack(">I", ~sum(raw) & 0xFFFFFFFF)
    return bytes(raw)


def footer(ident, size, kind):
    sectors = size // SECTOR
    geometry = struct.pack(">HBB", max(1, min(sectors // 68, 65535)), 4, 17)
    raw = struct.pack(
        ">8sIIQI4sI4sQQ4sI", b"conectix", 2, 0x10000, NOWHERE if kind == FIXED else SECTOR, 0, b"win ", 0xA0000,
        b"Wi2k", size, size, geometry, kind,
    )
    return seal((raw + bytes(4) + ident).ljust(SECTOR, b"\0"), 64)


def header(entries, block, parent=bytes(16), name="", locators=(), table=1536):
    """`locators`: pairs of code and where the text lies, with its length."""
    raw = struct.pack(">8sQQIII", b"cxsparse", NOWHERE, table, 0x10000, entries, block) + bytes(4)
    raw += parent + bytes(8) + name.encode("utf-16-be", "surrogatepass")[:512].ljust(512, b"\0")
    for code, at, length in locators:
        space = (length + SECTOR - 1) // SECTOR * SECTOR
        raw += struct.pack(">4sIIIQ", code, space, length, 0, at)
    return seal(raw.ljust(2 * SECTOR, b"\0"), 36)


def growing(path, ident, size=1 << 20, parent=None, name="", locators=(), block=1 << 21):
    """A file without blocks; with a parent's id, a differencing one that names it by `locators`: (code, text)."""
    entries = (size + block - 1) // block
    at = 1536 + (entries * 4 + SECTOR - 1) // SECTOR * SECTOR
    slots, texts = [], b""
    for code, text in locators:
        slots.append((code, at + len(texts), len(text)))
        texts += text.ljust((len(text) + SECTOR - 1) // SECTOR * SECTOR, b"\0")
    foot = footer(ident, size, DIFFERENCING if parent else DYNAMIC)
    table = struct.pack(">I", NO_BLOCK) * entries
    with open(path, "wb") as file:
        file.write(foot + header(entries, block, parent or bytes(16), name, slots))
        file.write(table.ljust(at - 1536, b"\xff") + texts + foot)


def fixed(path, ident, content):
    with open(path, "wb") as file:
        file.write(content + footer(ident, len(content), FIXED))


def mac(url):
    return b"MacX", url if isinstance(url, bytes) else url.encode()


def relative(path):
    return b"W2ru", path if isinstance(path, bytes) else path.encode("utf-16-le", "surrogatepass")


def absolute(path):
    return b"W2ku", path if isinstance(path, bytes) else path.encode("utf-16-le", "surrogatepass")
