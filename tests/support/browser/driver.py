"""A real browser, driven through ``tests/browser/driver.js``."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER: Final = Path(__file__).parents[3] / "tests" / "browser" / "driver.js"
END_SECONDS: Final = 10

Call = list[Any]
"""The name of a method of playwright's, and its arguments."""


class NoBrowserError(RuntimeError):
    """This machine has no browser; the text says what to do."""


class DriverError(AssertionError):
    """The browser could not do what was asked; the text is playwright's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place on a page, as playwright's locators are: looked for anew each time it is used."""

    page: Page
    calls: tuple[Call, ...] = ()

    def at(self, name: str, *args: Any) -> Place:
        return Place(self.page, (*self.calls, [name, *args]))

    def do(self, name: str, *args: Any) -> Any:
        return self.page.ask([*self.calls, [name, *args]])

    def role(self, role: str, name: str | None = None, *, exact: bool = False) -> Place:
        """By its role and its name, as a screen reader tells them."""
        return self.at("getByRole", role, {"exact": exact} | ({"name": name} if name else {}))

    def label(self, text: str) -> Place:
        return self.at("getByLabel", text)

    def text(self, text: str, *, exact: bool = False) -> Place:
        return self.at("getByText", text, {"exact": exact})

    def css(self, selector: str) -> Place:
        return self.at("locator", selector)

    @property
    def first(self) -> Place:
        return self.at("first")

    def click(self) -> None:
        self.do("click")

    def fill(self, text: str) -> None:
        self.do("fill", text)

    def press(self, key: str) -> None:
        self.do("press", key)

    def wait(self, state: str = "visible") -> Place:
        """Wait until it is ``visible``, ``hidden``, ``attached`` or ``detached``."""
        self.do("waitFor", {"state": state})
        return self

    def shown(self) -> str:
        return str(self.do("innerText"))

    def all_shown(self) -> list[str]:
        return list(self.do("allInnerTexts"))

    def count(self) -> int:
        return int(self.do("count"))


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a page sent; ``key`` makes it one with its repetitions.

    Times are milliseconds of the browser's driver.
    """

    method: str
    url: str
    sent: float
    key: str | None = None
    ended: float | None = None
    status: int | None = None
    failure: str | None = None


@dataclass(slots=True)
class Page:
    """A tab of its own, with storage of its own."""

    driver: Driver
    number: int

    def ask(self, calls: list[Call]) -> Any:
        return self.driver.ask(calls, page=self.number)

    @property
    def whole(self) -> Place:
        return Place(self)

    @property
    def url(self) -> str:
        return str(self.ask([["url"]]))

    def go(self, url: str) -> None:
        self.ask([["goto", url]])

    def evaluate(self, script: str) -> Any:
        return self.ask([["evaluate", script]])

    def press(self, key: str) -> None:
        self.ask([["keyboard"], ["press", key]])

    def answer(self, pattern: str, *, times: int = 1, **response: Any) -> None:
        """Answer the next requests to this pattern of addresses instead of the API."""
        self.ask([["answer", pattern, times, response]])

    def hide(self) -> None:
        """Do as if the person looked at another tab."""
        self.ask([["hide", True]])

    def show(self) -> None:
        self.ask([["hide", False]])

    def wait_for_request(self, part: str) -> None:
        """Wait until it has sent a request whose address has this part."""
        self.ask([["sent", part]])

    def resize(self, width: int, height: int) -> None:
        self.ask([["setViewportSize", {"width": width, "height": height}]])

    def prefer(self, scheme: str) -> None:
        """Do as if the person preferred ``light`` or ``dark`` pages."""
        self.ask([["emulateMedia", {"colorScheme": scheme}]])

    def picture(self, path: Path) -> None:
        """Write a picture of what can be seen without scrolling."""
        self.ask([["screenshot", {"path": str(path)}]])

    def axe(self, rules: list[str] | None = None) -> list[dict[str, Any]]:
        """What rules of accessibility it breaks as it is now, of all or of these."""
        return list(self.ask([["axe", rules]]))

    def requests(self) -> list[Request]:
        """All that it has sent so far."""
        return [Request(**each) for each in self.ask([["seen"]])["requests"]]

    def errors(self) -> list[str]:
        """What it complained of: faults of its scripts and breaches of its policy.

        An answer of 400 or more is no error of the page.
        """
        told = self.ask([["seen"]])["errors"]
        return [each for each in told if not each.startswith("Failed to load resource")]


@dataclass(slots=True)
class Driver:
    """The process that drives the browser."""

    requests: IO[str]
    answers: IO[str]
    version: str = ""
    _pages: list[Page] = field(default_factory=list)

    def ask(self, calls: list[Call], *, page: int | None = None) -> Any:
        self.requests.write(json.dumps({"page": page, "calls": calls}) + "\n")
        self.requests.flush()
        answer = self.read()
        if "error" in answer:
            raise DriverError(answer["error"])
        return answer.get("value")

    def read(self) -> dict[str, Any]:
        line = self.answers.readline()
        if not line:
            raise DriverError("The browser's driver has ended; its last words are above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @contextmanager
    def page(self, **options: Any) -> Iterator[Page]:
        """A page for the time of the block; ``options`` are those of a browser's context."""
        found = Page(self, self.ask([["open", options]]))
        try:
            yield found
        finally:
            found.ask([["close"]])


@contextmanager
def browsing() -> Iterator[Driver]:
    """A browser for the time of the block.

    Raises:
        NoBrowserError: there is none on this machine.
    """
    command = [shutil.which("node") or "node", str(DRIVER)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            driver = Driver(process.stdin, process.stdout)
            told = driver.read()
            if "missing" in told:
                raise NoBrowserError(told["missing"])
            driver.version = told["version"]
            yield driver
        finally:
            process.stdin.close()  # at which it closes the browser and ends
            process.wait(END_SECONDS)
