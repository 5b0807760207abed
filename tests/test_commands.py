"""The commands of ``python -m fastadam``: what they print, and their help. Bench and race also have their own files."""

import argparse
import json
import re

import numpy as np
import pytest

import fastadam
from fastadam import _native
from fastadam.commands import bench, demo
from fastadam.commands.parser import main
from fastadam.commands.text import duration, table

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
    assert f"examples:\n  python -m fastadam {command}" in output
    assert "--json" in output
    assert max(map(len, output.splitlines())) < 80


def test_help_shows_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    output = capsys.readouterr().out
    assert all(f"python -m fastadam {command}" in output for command in COMMANDS)


def test_help_of_bench_says_what_the_columns_mean(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    output = capsys.readouterr().out
    assert all(f"\n  {column}  " in output for column in bench.HEAD)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
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
    program = "import sys, fastadam.commands.parser as m; m.parser(); print('fastadam.commands.bench' in sys.modules)"
    assert run_python(program) == "False"


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.234e-6, "1.23 µs"), (0.0123456, "12.3 ms"), (0.5, "500 ms"), (2.0, "2.00 s"), (300.0, "300 s")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_table_is_aligned():
    assert table(["a", "long"], [["10", "1"]]) == " a  long\n10     1"
