"""Whether a VHD file is in order, by another reading of the format than the engine's."""

import struct

from daemon import Failure

SECTOR = 512
NO_BLOCK = 0xFFFFFFFF


def checksum(data, at):
    return ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF


def good_footer(data):
    return data[:8] == b"conectix" and struct.unpack_from(">I", data, 64)[0] == checksum(data, 64)


def check(path):
    """Both footers are valid and alike, blocks lie apart, and the file ends behind the last of them."""
    data = path.read_bytes()
    tail = data[-SECTOR:]
    if not good_footer(tail):
        raise Failure(f"{path.name}: no footer at its end")
    if struct.unpack_from(">I", tail, 60)[0] == 2:
        return
    if data[:SECTOR] != tail:
        raise Failure(f"{path.name}: its two footers differ")
    header = data[SECTOR : 3 * SECTOR]
    if header[:8] != b"cxsparse" or struct.unpack_from(">I", header, 36)[0] != checksum(header, 36):
        raise Failure(f"{path.name}: its header is damaged")
    table, _, entries, block_size = struct.unpack_from(">QIII", header, 16)
    whole = SECTOR + block_size
    end = table + (entries * 4 + SECTOR - 1) // SECTOR * SECTOR
    blocks = sorted(entry for entry in struct.unpack_from(f">{entries}I", data, table) if entry != NO_BLOCK)
    for entry in blocks:
        # Texts of locators may lie between the table and the first block.
        if entry * SECTOR < end:
            raise Failure(f"{path.name}: the block at sector {entry} lies on something else")
        end = entry * SECTOR + whole
    if end + SECTOR > len(data):
        raise Failure(f"{path.name}: a block passes the end")


def set_saved_state(path):
    """In both footers."""
    data = bytearray(path.read_bytes())
    footer = data[-SECTOR:]
    footer[84] = 1
    struct.pack_into(">I", footer, 64, checksum(footer, 64))
    data[:SECTOR] = data[-SECTOR:] = footer
    path.write_bytes(data)
