"""The compiled modules as a loader sees them: nothing is writable that need not be, and one function is exported."""

import platform
import re
import struct
import sysconfig
from pathlib import Path

import pytest

import fastadam
from fastadam import _native

if platform.system() != "Linux" or struct.calcsize("P") != 8:
    pytest.skip("reads ELF files of 64-bit Linux", allow_module_level=True)

FOLDER = Path(_native.__file__).parent
MODULES = [path.name for path in FOLDER.glob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}")]

# Of the ELF format.
PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 2, 0x6474E551, 0x6474E552
DT_FLAGS, DT_FLAGS_1, DF_BIND_NOW, DF_1_NOW, PF_X, SHT_DYNSYM = 30, 0x6FFFFFFB, 8, 1, 1, 11
GLOBAL, WEAK = 1, 2


class Elf:
    """The segments, dynamic entries and dynamic symbols of a file."""

    def __init__(self, path):
        self._bytes = path.read_bytes()
        segments, sections = struct.unpack_from("<QQ", self._bytes, 32)
        _, segment_size, segment_count, section_size, section_count = struct.unpack_from("<HHHHH", self._bytes, 52)
        found = self._table("<IIQQQQQQ", segments, segment_size, segment_count)
        self.flags = {kind: flags for kind, flags, *_ in found}
        ((at, length),) = ((at, length) for kind, _, at, _, _, length, *_ in found if kind == PT_DYNAMIC)
        self.dynamic = dict(struct.iter_unpack("<QQ", self._bytes[at : at + length]))
        self._sections = self._table("<IIQQQQIIQQ", sections, section_size, section_count)

    def _table(self, layout, start, size, count):
        return [struct.unpack_from(layout, self._bytes, start + i * size) for i in range(count)]

    @property
    def symbols(self):
        """The names of the symbols that are needed, and of those that are exported."""
        ((at, length, names),) = (section[4:7] for section in self._sections if section[1] == SHT_DYNSYM)
        strings = self._sections[names][4]
        needed, exported = set(), set()
        for name, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", self._bytes[at : at + length]):
            if info >> 4 in (GLOBAL, WEAK):
                text = self._bytes[strings + name : self._bytes.index(b"\0", strings + name)].decode()
                (exported if section else needed).add(text)
        return needed, exported


@pytest.fixture(params=MODULES)
def module(request):
    return request.param, Elf(FOLDER / request.param)


def test_both_modules_are_there():
    assert {name.partition(".")[0] for name in MODULES} == {"_native", "cython_optim"}


def test_relocations_are_read_only_and_the_stack_does_not_run(module):
    _, elf = module
    assert PT_GNU_RELRO in elf.flags
    assert elf.dynamic.get(DT_FLAGS, 0) & DF_BIND_NOW or elf.dynamic.get(DT_FLAGS_1, 0) & DF_1_NOW
    assert not elf.flags[PT_GNU_STACK] & PF_X


def test_only_the_function_that_python_looks_for_is_exported(module):
    name, elf = module
    assert elf.symbols[1] == {f"PyInit_{name.partition('.')[0]}"}


@pytest.mark.parametrize("part", ["__stack_chk", r"__v?snprintf_chk"], ids=["stack", "buffers"])
def test_stacks_and_buffers_are_guarded(module, part):
    """By functions of the C library: what a function with an array on its stack ends with, and what formats text."""
    if not fastadam.build_info()["compiler"].startswith(("GNU", "Clang")):
        pytest.skip("only GCC and Clang call these")
    if part != "__stack_chk" and platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc has these")
    assert any(re.match(part, name) for name in module[1].symbols[0])
