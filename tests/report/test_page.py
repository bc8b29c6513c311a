"""The page in a real browser, Debian's Chromium without a window: on a phone, by keyboard, in the dark."""

import shutil

import pytest

from lit_gan.cli.report import report
from tests.report.test_report import a_run

api = pytest.importorskip("playwright.sync_api", reason="playwright is not there")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return report(str(a_run(tmp_path_factory.mktemp("runs") / "version_0"))).as_uri()


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser, address):
    """Open the page in a window of its own; a message of the console, an error or a request fails the test."""
    opened, wrong = [], []

    def opens(**window):
        context = browser.new_context(**window)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("data:", "file:")) or wrong.append(request.url))
        page.goto(address)
        return page

    yield opens
    for context in opened:
        context.close()
    assert wrong == []


def shown(page):
    """Return the step of the one picture that is visible."""
    (picture,) = [image for image in page.locator("section.pictures img").all() if image.is_visible()]
    assert picture.evaluate("image => image.naturalWidth") == 8, "it is a picture"
    return int(picture.get_attribute("data-step"))


def test_the_slider_goes_through_the_pictures_by_keyboard(show):
    page = show()
    assert shown(page) == 30
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "range":
            break
    page.keyboard.press("ArrowLeft")
    assert shown(page) == 20
    page.keyboard.press("Home")
    assert shown(page) == 10
    slider = page.get_by_role("slider", name="Generator updates")
    assert slider.get_attribute("aria-valuetext") == "10 generator updates"
    assert page.locator("output").inner_text() == "10 generator updates"


def test_the_slider_goes_by_mouse_and_the_details_open(show):
    page = show()
    page.get_by_role("slider").click()  # in its middle
    assert shown(page) == 20
    assert not page.get_by_text("spread < 0.1").nth(1).is_visible()
    page.get_by_text("All verdicts").click()
    assert page.get_by_text("spread < 0.1").nth(1).is_visible()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_a_phone_and_a_screen(show, width):
    page = show(viewport={"width": width, "height": 700})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in page.locator("svg").all():
        assert chart.bounding_box()["width"] > 250


def luminance(colour):
    """Return the relative luminance of WCAG 2 of ``rgb(r, g, b)``."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_and_lines_stand_out_in_light_and_dark(show, scheme):
    page = show(color_scheme=scheme)
    paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    looks = {
        **dict.fromkeys(("body", "figcaption", "summary", ".c0", ".key.level"), ("color", 4.5)),
        "svg text": ("fill", 4.5),
        "polyline": ("stroke", 3),
    }
    for selector, (property_, least) in looks.items():
        colour = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{property_}")
        low, high = sorted((paper, luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= least, (selector, colour)


def test_it_reads_without_scripts(show):
    page = show(java_script_enabled=False)
    assert page.get_by_role("img", name="samples after 30 generator updates").is_visible()
    assert not page.get_by_role("slider").is_visible()
