"""An image file by the letter of the specification, and what must be true of it. Shares nothing with the engine."""

import mmap
import os
import struct

SECTOR = 512


class Damaged(Exception):
    pass


def demand(condition, path, what):
    if not condition:
        raise Damaged(f"{os.path.basename(path)}: {what}")


def checksum(raw, at):
    return ~(sum(raw) - sum(raw[at : at + 4])) & 0xFFFFFFFF


class File:
    """One file, checked when it is opened: footers equal, no two blocks in one place, nothing behind the last one. It
    is mapped, for most of it nobody looks at: nobody may write it meanwhile."""

    def __init__(self, path):
        self.path = path
        length = os.path.getsize(path)
        demand(length % SECTOR == 0 and length >= SECTOR, path, f"{length} bytes")
        with open(path, "rb") as file:
            self.data = data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        footer = data[-SECTOR:]
        demand(footer[:8] == b"conectix", path, "no footer at the end")
        demand(struct.unpack(">I", footer[64:68])[0] == checksum(footer, 64), path, "checksum of the footer")
        self.size, self.kind = struct.unpack(">Q", footer[48:56])[0], struct.unpack(">I", footer[60:64])[0]
        self.id, self.saved = footer[68:84], footer[84] == 1
        self.parent = bytes(16)
        if self.kind == 2:
            demand(len(data) == self.size + SECTOR, path, "length of a fixed image")
        else:
            demand(footer == data[:SECTOR], path, "two different footers")
            self.read_header()

    def close(self):
        """Before its file system is unmounted."""
        self.data.close()

    def read_header(self):
        data, path = self.data, self.path
        header = data[SECTOR : 3 * SECTOR]
        demand(header[:8] == b"cxsparse", path, "no header")
        demand(struct.unpack(">I", header[36:40])[0] == checksum(header, 36), path, "checksum of the header")
        (table,) = struct.unpack(">Q", header[16:24])
        entries, self.block = struct.unpack(">II", header[28:36])
        if self.kind == 4:
            self.parent = header[40:56]
        self.table = struct.unpack(f">{entries}I", data[table : table + 4 * entries])
        self.bitmap = (self.block // 4096 + 511) // SECTOR * SECTOR
        end = table + (4 * entries + 511) // SECTOR * SECTOR
        for slot in range(8):
            _, space, length, _, at = struct.unpack(">4sIIIQ", header[576 + 24 * slot : 600 + 24 * slot])
            if length:
                end = max(end, at + space)
        for start in sorted(entry * SECTOR for entry in self.table if entry != 0xFFFFFFFF):
            demand(start >= end, path, f"a block at {start} begins before {end}")
            end = start + self.bitmap + self.block
        demand(end + SECTOR == len(data), path, f"blocks end at {end}, the file at {len(data)}")

    def sector(self, number):
        """Its bytes, or None when the parent is to be asked."""
        if self.kind == 2:
            return self.data[number * SECTOR : (number + 1) * SECTOR]
        if number * SECTOR >= self.size:
            return None
        entry, index = self.table[number * SECTOR // self.block], number % (self.block // SECTOR)
        if entry == 0xFFFFFFFF:
            return None
        start = entry * SECTOR
        if not self.data[start + index // 8] & 0x80 >> index % 8:
            return None
        start += self.bitmap + index * SECTOR
        return self.data[start : start + SECTOR]


def read_chain(files, first, count):
    """Sectors of a chain of files, the leaf first."""
    out = []
    for number in range(first, first + count):
        for file in files:
            found = file.sector(number)
            if found is not None:
                break
        out.append(found or bytes(SECTOR))
    return b"".join(out)
