"""``python -m tests.docs.look``: every page of the site in a headless Chromium, as people see it.

Builds the site, opens each page as wide as a desktop and as a telephone, and lists errors on the
console, images that are missing, and what is wider than the window. Exits with 1 if there is any.
"""

import argparse
import functools
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.progress import track

from tests.docs.pages import DOCS

WIDTHS = (1280, 375)
HEIGHT = 900
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FOUND = "what-was-found"
FRAME = """<!doctype html><title>look</title><body style="margin:0">
<iframe style="border:0;width:%dpx;height:%dpx"></iframe><pre id="%s">not loaded</pre>
<script>
const found = [], frame = document.querySelector("iframe"), told = document.querySelector("pre");
frame.onload = () => {
  const page = frame.contentDocument, width = frame.contentWindow.innerWidth;
  const known = page.querySelector("article");
  if (!known) found.push("no article: the page is not there");
  for (const image of page.images)
    if (!image.naturalWidth) found.push("no image " + image.getAttribute("src"));
  const wide = x => x.getBoundingClientRect().left + x.scrollWidth > width + 1;
  const scrolls = x => frame.contentWindow.getComputedStyle(x).overflowX != "visible";
  // what scrolls in a box of its own is no wider than that
  if (page.documentElement.scrollWidth > width)
    for (const part of known.querySelectorAll("*"))
      if (wide(part) && ![...part.children].some(wide) && !scrolls(part))
        found.push("too wide: " + part.tagName + " " + part.textContent.trim().slice(0, 60));
  told.textContent = JSON.stringify(found);
};
frame.src = %s;
</script>"""
"""A page that shows another in a frame of some width, and writes what is wrong with it."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; give its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def look(browser: str, address: str, folder: Path, page: str, width: int) -> list[str]:
    """Return what is wrong with a page at a width."""
    (folder / "look.html").write_text(FRAME % (width, HEIGHT, FOUND, json.dumps(page)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"]
    logged = ["--enable-logging=stderr", "--dump-dom", f"{address}/look.html"]
    done = subprocess.run(
        [browser, *options, *logged], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(rf'<pre id="{FOUND}">(.*?)</pre>', done.stdout, re.DOTALL)
    errors = re.findall(r':CONSOLE.*?\] "(.*?)", source', done.stderr)
    told = html.unescape(found[1]) if found else "no answer"
    return [*errors, *(json.loads(told) if told.startswith("[") else [told])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at all pages, and print what is wrong; 1 if anything is, 2 without a browser."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as torch.html; all by default")
    wanted = parser.parse_args(arguments).pages
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        print(f"needs one of {', '.join(CHROMIUM)}; found none", file=sys.stderr)
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "html"
        build = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(DOCS), str(folder)]
        subprocess.run(build, check=True)
        pages = wanted or [x.relative_to(folder).as_posix() for x in sorted(folder.rglob("*.html"))]
        with served(folder) as address:
            for page in track(pages, "pages", transient=True):
                for width in WIDTHS:
                    for problem in look(browser, address, folder, page, width):
                        wrong += 1
                        print(f"{page} at {width}: {problem}")
    print(f"{len(pages)} pages at {len(WIDTHS)} widths: {wrong or 'nothing'} wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
