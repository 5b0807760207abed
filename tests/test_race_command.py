"""``python -m fastadam race``: what it prints and writes, and what it refuses."""

import json
import re
import sys

import pytest

from fastadam.commands.parser import main, parser
from fastadam.viz import METHODS, SURFACES


def test_page_of_all_surfaces_is_the_default(capsys, monkeypatch, tmp_path):
    pytest.importorskip("plotly")
    monkeypatch.chdir(tmp_path)
    main(["race", "--steps", "3"])
    output = capsys.readouterr()
    assert (tmp_path / "race.html").stat().st_size > 1e6
    for name in (*SURFACES, *METHODS, f"written: {(tmp_path / 'race.html').as_uri()}"):
        assert name in output.out
    assert all(surface.shows in output.err for surface in SURFACES.values())


def test_picture_of_one_is_the_default(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    main(["race", "--steps", "3", "--output", str(tmp_path / "race.svg"), "--json"])
    (found,) = json.loads(capsys.readouterr().out)["races"]
    assert found["function"] == "beale"
    assert [each["name"] for each in found["optimizers"]] == ["SGD", "momentum", "RMSProp", "Adam"]


def test_options_reach_the_race(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "new" / "race.png"
    words = "race --function noisy-bowl --optimizer sgd ADAM adamw --lr 0.01 Adam=0.5 --start 1 -2 --steps 7 --seed 5 --json"
    main([*words.split(), "--no-bias-correction", "--output", str(file)])
    found = json.loads(capsys.readouterr().out)
    assert found["output"] == str(file)
    assert file.exists()
    assert (found["seed"], found["bias_correction"]) == (5, False)
    (result,) = found["races"]
    assert result["start"] == [1, -2]
    assert result["steps"] == 7
    assert {each["name"]: each["lr"] for each in result["optimizers"]} == {"SGD": 0.01, "Adam": 0.5, "AdamW": 0.01}
    assert all(len(each["end"]) == 2 and each["loss"] > 0 for each in result["optimizers"])


def test_text_of_one_surface(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    words = "race --function rosenbrock --optimizer SGD Adam --lr SGD=1 --steps 30 --output"
    main([*words.split(), str(tmp_path / "race.png")])
    output = capsys.readouterr().out
    assert "rosenbrock after 30 steps from (-1.2, 1.0):" in output
    assert re.search(r"SGD +1 +diverged +diverged +diverged\n", output)
    assert re.search(r"Adam +0.1 +-?\d", output)


def test_help_lists_what_there_is(capsys):
    with pytest.raises(SystemExit):
        main(["race", "--help"])
    output = capsys.readouterr().out
    assert f"surfaces:\n  {' '.join(SURFACES)}\n" in output
    assert f"optimizers:\n  {' '.join(METHODS)}\n" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--function hill", "argument --function: found 'hill'; expected one of rosenbrock, beale, .*, noisy-bowl"),
        ("--optimizer Adam Adan", "argument --optimizer: found 'Adan'; expected one of SGD, .*, AdamW"),
        ("--lr 0", "argument --lr: found '0'; expected a number above 0, or a name and one, such as Adam=0.1"),
        ("--lr Adam=fast", "argument --lr: found 'Adam=fast'; expected a number above 0"),
        ("--lr Adan=1", "argument --lr: found 'Adan'; expected one of SGD"),
        ("--start 1", "argument --start: expected 2 arguments"),
        ("--start 1 inf", "argument --start: found 'inf'; expected a finite number"),
        ("--steps 0", "argument --steps: found '0'; expected an integer from 1 to 2000"),
        ("--steps 2001", "argument --steps: found '2001'; expected an integer from 1 to 2000"),
        ("--steps 1.5", "argument --steps: found '1.5'; expected an integer"),
        ("--seed -1", "argument --seed: (found '-1'; expected an integer of at least 0|expected one argument)"),
    ],
)
def test_wrong_words_are_refused(capsys, words, message):
    with pytest.raises(SystemExit) as left:
        main(["race", *words.split()])
    assert left.value.code == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--start 1 2", "--start needs one surface; name it with --function"),
        ("--lr 1 2", r"--lr has \[1.0, 2.0\]; expected one for all, and others as NAME=LR"),
        (
            "--function bowl --output race.pdf",
            "output is 'race.pdf'; expected a name that ends in .html, .gif, .mp4, .svg, .png",
        ),
        ("--function bowl --optimizer SGD --lr Adam=1", "lr has 'Adam', which does not take part; expected names among SGD"),
        ("--function saddle --start 1e300 0 --steps 1", r"start is \(1e\+300, 0.0\), where the function is inf"),
    ],
)
def test_what_does_not_go_together_is_refused(words, message):
    with pytest.raises(SystemExit, match=f"fastadam race: error: {message}"):
        main(["race", *words.split()])


def test_parser_does_not_import_what_draws(run_python):
    program = "import sys, fastadam.commands.parser as m; m.parser('fastadam')\n"
    program += "print([name for name in sys.modules if name.startswith('fastadam.viz')])"
    assert run_python(program) == "[]"
    assert parser("fastadam").parse_args(["race"]).output == "race.html"


def test_what_is_missing_is_said_before_anything_is_computed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(SystemExit, match=r"plotly is missing; install it with: pip install 'fastadam\[viz\]'"):
        main(["race"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("opens", [False, True])
def test_the_file_is_opened_on_request(monkeypatch, tmp_path, opens):
    pytest.importorskip("matplotlib")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    file = tmp_path / "race.svg"
    main(["race", "--function", "bowl", "--steps", "3", "--output", str(file), *["--open"] * opens])
    assert opened == [file.as_uri()] * opens
