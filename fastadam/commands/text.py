"""How the commands print: progress, numbers, tables and help, in any width and encoding."""

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

PLAIN = {"µ": "u", "±": "+-"}  # for encodings that lack these
BAR = 24  # characters


def printable(text: str, encoding: str | None) -> str:
    """`text` as an encoding can have it: a result is worth more than its micro sign."""
    encoding = encoding or "ascii"
    for sign, plain in PLAIN.items():
        if sign in text and sign.encode(encoding, "replace") == b"?":
            text = text.replace(sign, plain)
    return text.encode(encoding, "replace").decode(encoding)


def progress(line: str) -> None:
    """Show a line at once, on the standard error, apart from the results."""
    print(printable(line, sys.stderr.encoding), file=sys.stderr, flush=True)


class Progress:
    """How much of a longer work is done, as a bar that is gone when it is over; nothing where no terminal shows it."""

    def __init__(self, total: float, stream: TextIO | None = None) -> None:
        self._total, self._stream = total, stream or sys.stderr
        self._shows = self._stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write("")

    def show(self, done: float, what: str = "", before: float = 0.0) -> None:
        """`done` and what was done `before` are parts of the total."""
        share = min((before + done) / self._total, 1.0) if self._total else 1.0
        self._write(f"[{'#' * round(BAR * share):<{BAR}}] {share:4.0%}  {what}")

    def log(self, line: str) -> None:
        """Print a line above the bar."""
        self._write("")
        progress(line)

    def _write(self, line: str) -> None:
        if self._shows:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{printable(line[:width], self._stream.encoding):<{width}}\r")
            self._stream.flush()


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{three_digits(seconds / scale)} {unit}"
    return f"{three_digits(seconds / 1e-6)} µs"


def three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Columns, aligned to the right; in a terminal that is too narrow for them, a block of lines for each row."""
    rows = [head, *body]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= shutil.get_terminal_size((sys.maxsize, 0)).columns:  # a file has any width
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    wide = max(map(len, head))
    blocks = ["\n".join(f"{name:<{wide}}  {cell}" for name, cell in zip(head, row, strict=True) if cell) for row in body]
    return "\n\n".join(blocks)


def wrapped(text: str, width: int) -> str:
    """Lines that fit 80 characters, for a narrower terminal.

    A line that is indented by one or two spaces begins an item, and those below it that are indented further go on with it.
    """
    paragraphs: list[str] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        last = paragraphs[-1] if paragraphs else ""
        if line and last and (indent > 2 or (indent == 0 and last[0] != " ")):
            paragraphs[-1] += " " + line.strip()
        else:
            paragraphs.append(line)
    short = [re.sub(r"(?<=\S) {2,}", "  ", each) for each in paragraphs]
    wrapper = textwrap.TextWrapper(max(width, 20), break_on_hyphens=False)
    lines = []
    for each in short:
        wrapper.subsequent_indent = "    " if each[:1] == " " else ""
        lines.append(wrapper.fill(each))
    return "\n".join(lines)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions where they fit, and wraps them elsewhere."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fits = all(len(line) <= width + 2 for line in text.splitlines())  # argparse leaves two columns free
        return text if fits else wrapped(text, width) + "\n"
