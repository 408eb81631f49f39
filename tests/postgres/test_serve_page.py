"""The page of `up --serve` in a real browser: on a phone and a desktop, light and dark."""

import os
from pathlib import Path

import pytest

from tests.postgres.test_serve import serving
from tests.support.browser import Page, browsing, chromium
from tests.support.database import Database
from tests.support.project import Application

WIDTHS, SCHEMES = (320, 1280), ("light", "dark")

# Of every text: how it differs from what is behind it, as WCAG counts it; and whether all of it is
# on the screen.
SEEN = """(() => {
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const paper = numbers(getComputedStyle(document.body).backgroundColor);
  const texts = [...document.querySelectorAll('h1, p, small')].map(element => {
    const opacity = Number(getComputedStyle(element).opacity);
    const ink = numbers(getComputedStyle(element).color).slice(0, 3)
      .map((c, i) => c * opacity + paper[i] * (1 - opacity));
    const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
    const box = element.getBoundingClientRect();
    return {contrast: (a + 0.05) / (b + 0.05), left: box.left, right: box.right};
  });
  const bar = document.querySelector('[role=progressbar]');
  return {
    texts, paper: light(paper), width: innerWidth,
    scrolls: document.documentElement.scrollWidth > innerWidth,
    size: parseFloat(getComputedStyle(document.body).fontSize),
    bar: bar && bar.getBoundingClientRect().width,
  };
})()"""


def looks_right(page: Page, width: int, scheme: str, *, bar: bool) -> None:
    """Everything is on the screen, can be read, and is light or dark as it was asked for."""
    page.look(width, scheme)
    seen = page.value(SEEN)
    assert seen["width"] == width
    assert not seen["scrolls"], "it is wider than the screen"
    assert seen["size"] >= 16, "a phone would have to magnify it"
    assert (seen["paper"] > 0.5) is (scheme == "light")
    for text in seen["texts"]:
        assert text["contrast"] >= 4.5
        assert text["left"] >= 0
        assert text["right"] <= width
    assert bool(seen["bar"]) is bar
    assert not bar or seen["bar"] > 200


def test_the_page_in_a_browser(
    application: Application, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step appears by itself, and so does the failure; it asks nobody else for anything."""
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    monkeypatch.setenv("SUREFOOT_SERVE_FAILED", "stay")
    gate = "select pg_advisory_lock(1); select pg_advisory_unlock(1)"
    application.config('lock_timeout = "10min"\n')
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, "create table secret_table (id int)")
    application.revision("r2", "r1", gate)
    application.revision("r3", "r2", gate.replace("1", "2"), "select 1 / 0")
    pictures = Path(os.environ.get("SUREFOOT_PICTURES") or tmp_path)
    with (
        database.connect() as first,
        database.connect() as second,
        serving(application, database) as started,
        browsing(program) as page,
    ):
        first.execute("select pg_advisory_lock(1)")
        second.execute("select pg_advisory_lock(2)")
        address = f"http://127.0.0.1:{started.port}/orders"
        started.until(lambda: started.get("/").status == 503)
        page.go(address)
        page.until("document.body.innerText.includes('Step 2 of 3')")
        assert page.value("document.title") == "Being updated"
        assert page.named("progressbar") == ["The update"]
        for width in WIDTHS:
            for scheme in SCHEMES:
                looks_right(page, width, scheme, bar=True)
                page.picture(pictures / f"updating-{width}-{scheme}.png")
        narrow = page.value("document.querySelector('.bar').getBoundingClientRect().width")
        assert narrow > 0
        first.execute("select pg_advisory_unlock(1)")
        page.until("document.body.innerText.includes('Step 3 of 3')")
        assert page.value("document.querySelector('.bar').getBoundingClientRect().width") > narrow
        second.execute("select pg_advisory_unlock(2)")
        page.until("document.title == 'The update did not succeed'")
        for width in WIDTHS:
            for scheme in SCHEMES:
                looks_right(page, width, scheme, bar=False)
                page.picture(pictures / f"failed-{width}-{scheme}.png")
        text = page.value("document.documentElement.outerHTML")
        assert "secret_table" not in text
        assert "zero" not in text
        started.end()
    assert set(page.requested) <= {address, address.replace("/orders", "/favicon.ico")}
    assert page.said == []
