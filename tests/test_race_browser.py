"""The page of the race in a browser, where there is one: it runs, keys work, and it shows the values of the race."""

import shutil

import pytest

from fastadam.viz import race

pytest.importorskip("plotly")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def result():
    return race("bowl", steps=30, optimizers=["SGD", "Adam"], lr={"SGD": 0.01, "Adam": 0.3})


@pytest.fixture(scope="module")
def opened(result, tmp_path_factory):
    """Opens the page with a preference, and fails at the end if it had an error or asked for anything but itself."""
    file = tmp_path_factory.mktemp("page") / "race.html"
    result.save(file)
    wrong = []

    def note(request):
        if request.url != file.as_uri() and not request.url.startswith(("data:", "blob:")):
            wrong.append(request.url)

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)

        def open_page(**preferences):
            page = browser.new_page(**preferences)
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", note)
            page.goto(file.as_uri())
            page.wait_for_selector("#plots svg")
            return page

        yield open_page
        browser.close()
    assert wrong == []


def test_keys(opened):
    page = opened(reduced_motion="no-preference")
    assert page.inner_text("#play") == "Pause"  # it plays
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Play"
    steps = {"Home": 0, "ArrowRight": 1, "Shift+ArrowRight": 11, "ArrowLeft": 10, "End": 30, "Shift+ArrowLeft": 20}
    for key, step in steps.items():
        page.keyboard.press(key)
        assert page.inner_text("#count") == f"step {step} of 30"
        assert page.input_value("#step") == str(step)
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.type")
        )
    assert {"surface", "play", "step", "speed", "bias", "checkbox", "Learning rate of Adam", "Look inside Adam"} <= reached


def test_motion_is_left_to_those_who_want_it(opened):
    page = opened(reduced_motion="reduce")
    assert page.inner_text("#play") == "Play"
    assert page.inner_text("#count") == "step 30 of 30"


@pytest.mark.parametrize("bias_correction", [True, False])
def test_values_are_those_of_the_race(opened, result, bias_correction):
    page = opened(reduced_motion="reduce")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.set_checked("#bias", bias_correction)
    path = result.trajectory("Adam", 1.0, bias_correction)
    for row, values in zip(page.query_selector_all("#values tbody tr"), path.inside.values(), strict=True):
        shown = [float(cell.inner_text().replace("−", "-")) for cell in row.query_selector_all("td")]  # noqa: RUF001
        assert shown == pytest.approx(values[2], rel=0.06)  # two digits at least
    assert float(page.inner_text("#methods tr:nth-child(2) .loss")) == pytest.approx(path.values[3], rel=0.01)
    line = page.evaluate("document.getElementById('paths').data[2]")
    assert line["x"] == pytest.approx(path.positions[:4, 0], abs=5.1e-3)


def test_choices(opened, result):
    page = opened(reduced_motion="reduce", color_scheme="dark", viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.getElementById('paths').data.length") == 4
    page.uncheck("#methods tr:nth-child(1) input[type=checkbox]")
    assert page.evaluate("document.getElementById('paths').data.length") == 2
    page.check("#methods tr:nth-child(1) input[type=radio]")
    assert page.inner_text("#inside") == "Inside SGD, step 30"
    page.select_option("#methods tr:nth-child(2) select", label="0.9")
    expected = result.trajectory("Adam", 3.0).values[-1]
    assert float(page.inner_text("#methods tr:nth-child(2) .loss").replace("−", "-")) == pytest.approx(expected, rel=0.06)  # noqa: RUF001
