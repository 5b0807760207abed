"""The commands of ``python -m fastadam``: what they print, and their help. Bench and race also have their own files."""

import argparse
import io
import json
import re

import numpy as np
import pytest

import fastadam
from fastadam import _native
from fastadam.commands import bench, demo
from fastadam.commands.parser import main
from fastadam.commands.text import Progress, duration, printable, table

COMMANDS = ["info", "demo", "bench", "race"]


def test_info(capsys):
    main(["info"])
    output = capsys.readouterr().out
    build = fastadam.build_info()
    for text in (fastadam.__version__, build["compiler"], build["openmp"], f"{fastadam.active_isa()} (active)", *build["isas"]):
        assert text in output


def test_info_as_json(capsys):
    main(["info", "--json"])
    facts = json.loads(capsys.readouterr().out)
    build = fastadam.build_info()
    assert facts.pop("openmp") == (None if build.pop("openmp") == "none" else fastadam.build_info()["openmp"])
    assert facts == build | {
        "available_isas": fastadam.available_isas(),
        "active_isa": fastadam.active_isa(),
        "threads": fastadam.get_num_threads(),
        "prefetch": _native.prefetch_distance(),
        "include": fastadam.get_include(),
    }


def test_demo(run_python):
    program = "import sys, runpy; sys.argv[1:] = ['demo', '--json']; runpy.run_module('fastadam', run_name='__main__')"
    result = run_python(program, check=False)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert found["accuracy"] > 0.98
    assert found["equal_parameters"] is True
    assert {"loss", "parameters", "steps", "seconds_per_step", "seconds_per_step_of_reference"} <= found.keys()
    assert "accuracy" in result.stderr
    assert "####...." in result.stderr


def test_demo_notices_other_parameters(monkeypatch):
    monkeypatch.setattr(demo, "STEPS", demo.REPORTS)
    arguments = argparse.Namespace()
    assert demo.run(arguments)["steps"] == demo.REPORTS
    step = demo.reference_step

    def last_bit_differs(params):
        params[0] = np.nextafter(params[0], np.float32(np.inf))
        return step(params)

    monkeypatch.setattr(demo, "reference_step", last_bit_differs)
    with pytest.raises(SystemExit, match="ended with different parameters"):
        demo.run(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    output = capsys.readouterr().out
    assert f"examples:\n  fastadam {command}" in output
    assert "--json" in output
    assert max(map(len, output.splitlines())) < 80


def test_help_shows_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    output = capsys.readouterr().out
    assert all(f"\n  fastadam {command}" in output for command in COMMANDS)


def test_without_a_command_there_is_help(capsys):
    main([])
    output = capsys.readouterr().out
    assert output.startswith("usage: fastadam ")
    assert all(f"\n  fastadam {command}" in output for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"fastadam {fastadam.__version__}\n"


@pytest.mark.parametrize(
    ("called", "name"),
    [("/usr/bin/fastadam", "fastadam"), ("fastadam.exe", "fastadam"), ("/x/fastadam/__main__.py", "python -m fastadam")],
)
def test_help_repeats_how_it_was_called(capsys, monkeypatch, called, name):
    monkeypatch.setattr("sys.argv", [called])
    main([])
    assert f"usage: {name} [-h]" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], *[[command] for command in COMMANDS]])
def test_help_fits_a_narrow_terminal(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    words = []
    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        output = capsys.readouterr().out
        _, _, rest = output.partition("\n\n")
        assert max(map(len, rest.splitlines())) <= (39 if columns == "40" else 79)
        words.append(rest.split())
    assert words[0] == words[1]


def test_help_of_bench_says_what_the_columns_mean(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    output = capsys.readouterr().out
    assert all(f"\n  {column}  " in output for column in bench.HEAD)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inof"], r"invalid choice: 'inof' .*; did you mean 'info'\?"),
        (["bench", "--thraeds", "1"], r"unrecognized arguments: --thraeds 1; did you mean '--threads'\?"),
        (["info", "--jsno"], r"unrecognized arguments: --jsno; did you mean '--json'\?"),
        (["train"], r"argument command: invalid choice: 'train' \(choose from '?info'?, '?demo'?, '?bench'?, '?race'?\)"),
        (["info", "--yaml"], "unrecognized arguments: --yaml"),
        (["bench", "--threads", "0"], "argument --threads: found '0'; expected an integer from 1 to 65535"),
        (["bench", "--threads", "1", "two"], "argument --threads: found 'two'; expected an integer from 1 to 65535"),
        (["bench", "--seconds", "soon"], "argument --seconds: found 'soon'; expected a number of seconds, at least 0"),
        (["bench", "--seconds=-1"], "argument --seconds: found '-1'; expected"),
        (["bench", "--seconds", "nan"], "argument --seconds: found 'nan'; expected"),
    ],
)
def test_wrong_arguments_are_refused(capsys, arguments, message):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    output = capsys.readouterr()
    assert re.search(message, output.err)
    assert output.out == ""


def test_parser_imports_no_command(run_python):
    program = "import sys, fastadam.commands.parser as m; m.parser('fastadam'); print('fastadam.commands.bench' in sys.modules)"
    assert run_python(program) == "False"


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.234e-6, "1.23 µs"), (0.0123456, "12.3 ms"), (0.5, "500 ms"), (2.0, "2.00 s"), (300.0, "300 s")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_table_is_aligned():
    assert table(["a", "long"], [["10", "1"]]) == " a  long\n10     1"


def test_a_table_in_a_narrow_terminal_is_a_block_for_each_row(monkeypatch):
    monkeypatch.setenv("COLUMNS", "7")
    assert table(["a", "long"], [["10", "1"], ["2", ""]]) == "a     10\nlong  1\n\na     2"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", "1.5 µs ± 2"),
        ("cp932", "1.5 us ± 2"),
        ("ascii", "1.5 us +- 2"),
        (None, "1.5 us +- 2"),
        ("cp1252", "1.5 µs ± 2"),
    ],
)
def test_any_encoding_can_have_results(encoding, words):
    assert printable("1.5 µs ± 2", encoding) == words
    assert printable("ж", "ascii") == "?"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_results_are_printed_in_any_encoding(run_python, encoding):
    program = "import sys; sys.argv = ['fastadam', 'bench', '--seconds', '0', '--threads', '1']\n"
    program += "from fastadam.commands import bench; bench.LARGE = 70_001\n"
    program += "from fastadam.commands.parser import main; main(sys.argv[1:])"
    assert "70,001" in run_python(program, PYTHONIOENCODING=encoding)


def test_an_interrupt_ends_quietly(run_python):
    program = """
import sys, types, fastadam.commands.demo
from fastadam.commands.parser import main
def run(options): raise KeyboardInterrupt
fastadam.commands.demo.run = run
main(["demo"])
"""
    result = run_python(program, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "\n")


@pytest.mark.parametrize(
    ("program", "is_command"),
    [
        ("import sys; sys.argv = ['/usr/bin/fastadam', 'info']; import fastadam", True),
        ("import sys, subprocess; sys.exit(subprocess.call([sys.executable, '-P', '-m', 'fastadam', 'info']))", True),
        ("import fastadam", False),
        ("import sys; sys.argv = ['-m']; import fastadam", False),
    ],
)
def test_a_bad_environment_is_an_error_without_a_traceback_for_commands_alone(run_python, program, is_command):
    result = run_python(program, check=False, FASTADAM_ISA="foo")
    assert result.returncode == 1
    assert "FASTADAM_ISA is 'foo'; expected an instruction set" in result.stderr
    assert ("Traceback" not in result.stderr) == is_command
    assert (result.stderr.startswith("fastadam: error: ") and len(result.stderr.splitlines()) == 1) == is_command


class Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self):
        return True


def test_a_bar_shows_in_a_terminal_alone(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with Progress(4, stream) as bar:
            bar.show(1, "µ")
            bar.show(1, before=3)
    first, second, last = terminal.getvalue().split("\r")[1::2]
    assert first == f"[{'#' * 6}{' ' * 18}]  25%  u".ljust(59)
    assert second.startswith(f"[{'#' * 24}] 100%")
    assert last == " " * 59
    assert file.getvalue() == ""
