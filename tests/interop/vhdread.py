#!/usr/bin/env python3
"""Content of a chain by the letter of the specification: vhdread.py LEAF [PARENT ...] >raw.

Shares nothing with the engine; exact sector bits, any block size.
"""
import struct
import sys


class Image:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        footer = self.data[-512:]
        assert footer[:8] == b"conectix" and footer == self.data[:512], path
        (self.size,) = struct.unpack(">Q", footer[48:56])
        header = self.data[512:1536]
        (table,) = struct.unpack(">Q", header[16:24])
        entries, self.block = struct.unpack(">II", header[28:36])
        self.table = struct.unpack(">%dI" % entries, self.data[table : table + 4 * entries])
        self.bitmap = (self.block // 4096 + 511) // 512 * 512

    def sector(self, number):
        per_block = self.block // 512
        if number * 512 >= self.size:
            return None
        entry, index = self.table[number // per_block], number % per_block
        if entry == 0xFFFFFFFF:
            return None
        start = entry * 512
        if not self.data[start + index // 8] & 0x80 >> index % 8:
            return None
        start += self.bitmap + index * 512
        return self.data[start : start + 512]


def main():
    chain = [Image(path) for path in sys.argv[1:]]
    for number in range(chain[0].size // 512):
        for image in chain:
            found = image.sector(number)
            if found is not None:
                break
        sys.stdout.buffer.write(found or bytes(512))


main()
