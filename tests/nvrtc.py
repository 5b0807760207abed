"""NVRTC, NVIDIA's run-time compiler, from its PyPI wheels and without CuPy, a driver or a GPU."""

import ctypes
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

# What CuPy 14 adds to a caller's options, in its order; the architecture comes last.
CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")


@dataclass
class Compiled:
    ptx: str
    log: str


class Compiler:
    """One version of the library."""

    def __init__(self, path):
        self._library = library = ctypes.CDLL(str(path))
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self.version = (major.value, minor.value)
        count = ctypes.c_int()
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        architectures = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", architectures)
        self.architectures = list(architectures)
        library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def _call(self, name, *arguments):
        if status := getattr(self._library, name)(*arguments):
            raise RuntimeError(f"{name}: {self._library.nvrtcGetErrorString(status).decode()}")

    def _text(self, program, what):
        size = ctypes.c_size_t()
        self._call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"nvrtcGet{what}", program, buffer)
        return buffer.raw

    def compile(self, source, options, architecture, assemble=True):
        """PTX and, if it is assembled too, the assembler's report; with the options that CuPy would use."""
        program = ctypes.c_void_p()
        self._call("nvrtcCreateProgram", ctypes.byref(program), source.encode(), b"step.cu", 0, None, None)
        try:
            options = (*options, *CUPY_OPTIONS, "--ptxas-options=-v", f"-arch={'sm' if assemble else 'compute'}_{architecture}")
            encoded = (ctypes.c_char_p * len(options))(*map(str.encode, options))
            try:
                self._call("nvrtcCompileProgram", program, len(options), encoded)
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n{self._text(program, 'ProgramLog').decode()}") from None
            ptx, log = (self._text(program, what).rstrip(b"\0").decode() for what in ("PTX", "ProgramLog"))
            return Compiled(ptx, log)
        finally:
            self._call("nvrtcDestroyProgram", ctypes.byref(program))


@functools.cache
def compilers():
    """A compiler for each major version whose wheel is installed."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in spec.submodule_search_locations] if spec else []
    libraries = {path.name: path for folder in folders for path in sorted(folder.glob("*/lib/libnvrtc.so.*"))}
    return {compiler.version[0]: compiler for compiler in map(Compiler, libraries.values())}
