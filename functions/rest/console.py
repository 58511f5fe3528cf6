"""The console: a page to see and do what the API can. Its files need no token, what it asks does.

It is built by nothing: a browser loads the modules as they stand here. Their addresses have the
version of all of them together, so that a browser keeps them for good and never mixes two versions.
"""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import asdict, replace

from functions.aws.boundary import setting
from functions.core.contract import Console, Variable
from functions.core.errors import NotFound
from functions.rest.call import Call, Reply
from functions.rest.pages import HTML
from functions.rest.route import LOCATION, Answer, Parameter, Route, Tag

FOLDER: Final = Path(__file__).parent / "page" / "console"
"""Our own files. The asset has the libraries beside them, see ``infra.packaging``."""

PAGE: Final = "index.html"
CONTENT_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
LIBRARIES: Final = {
    "preact": "preact.js",
    "preact/hooks": "preact-hooks.js",
    "htm": "htm.js",
    "oauth4webapi": "oauth4webapi.js",
}
"""By the names under which our modules import them."""

HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ConsoleOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the console must know of its stage.

    ``client_id`` is the public client by which it signs a person in at ``issuer``, for ``scope``
    and, where it is not null, ``audience``. Null: the person pastes a token instead.
    """

    stage: str
    issuer: str | None
    client_id: str | None
    scope: str
    audience: str | None


@Route(
    "GET /v1/console",
    Tag.DESCRIPTION,
    (
        Answer("The page.", str, content_type="text/html"),
        Answer(
            "The address had a slash at its end, which does not belong there.",
            headers=(replace(LOCATION, example="../console"),),
            status=308,
        ),
    ),
    open=True,
    any_query=True,
)
def read_console(call: Call) -> Reply:
    """Open the console, a page to see and do what the API can.

    It takes any query parameter: an issuer sends a browser back here with its own.
    """
    console = _console()
    if call.path.endswith("/"):  # as for the page to try the calls
        return Reply(status=308, location="/v1/console")
    page, policy = _page(), _policy(console)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return Reply(text=page, content_type=HTML, headers=HEADERS | headers)


@Route(
    "GET /v1/console/config.json",
    Tag.DESCRIPTION,
    (Answer("What the console must know.", ConsoleOut),),
    open=True,
)
def read_console_config(_call: Call) -> Reply:
    """Read how the console signs a person in."""
    console = _console()
    told = asdict(console)
    del told["connect"]
    return Reply(ConsoleOut(**told), headers={"Cache-Control": "no-cache"})


@Route(
    "GET /v1/console/<file>",
    Tag.DESCRIPTION,
    (Answer("The file.", str, content_type="text/*"),),
    query=(Parameter("v", "The version that the page names.", "0f3a5c7e9b1d2f40"),),
    open=True,
)
def read_console_file(_call: Call, file: str, *, v: str | None) -> Reply:
    """Get a file of the console.

    There is only the newest version. With its name in the address a browser can keep it for good;
    without one it has to ask each time, and with another it finds nothing.
    """
    _console()
    # While a stage is updated, a page of one version may ask a function of the other. What that
    # gave would be kept for good under the wrong name.
    if file not in _files() or v not in {None, _version()}:
        raise NotFound
    kept = "public, max-age=31536000, immutable" if v else "no-cache"
    return Reply(
        text=_files()[file],
        content_type=CONTENT_TYPES[Path(file).suffix],
        headers=HEADERS | {"Cache-Control": kept},
    )


def find_console() -> Console | None:
    """The stage's console; None where it has none."""
    return msgspec.json.decode(setting(Variable.CONSOLE), type=Console | None)


def _console() -> Console:
    """The stage's console.

    Raises:
        NotFound: it has none.
    """
    console = find_console()
    if console is None:
        raise NotFound
    return console


@cache
def _files() -> dict[str, str]:
    """What a browser may load, by name."""
    files = sorted(FOLDER.iterdir())
    return {file.name: file.read_text() for file in files if file.suffix in CONTENT_TYPES}


@cache
def _version() -> str:
    """A digest of all files and the page."""
    told = [(FOLDER / PAGE).read_text(), *(text for pair in _files().items() for text in pair)]
    return sha256("\0".join(told).encode()).hexdigest()[:16]


@cache
def _imports() -> str:
    """The import map: each module by the name under which another imports it."""
    own = {f"./console/{name}": name for name in _files() if name.endswith(".js")}
    at = {
        specifier: f"./console/{name}?v={_version()}"
        for specifier, name in (LIBRARIES | own).items()
    }
    return msgspec.json.encode({"imports": at}).decode()


@cache
def _page() -> str:
    text = (FOLDER / PAGE).read_text().replace("$version", _version())
    return text.replace(">{}<", f">{_imports()}<")


def _policy(console: Console) -> str:
    """All is from here but the import map, and what is asked goes here or to the issuer."""
    imports = base64.b64encode(sha256(_imports().encode()).digest()).decode()
    issuer = urlsplit(console.issuer or "")
    others = (f"{issuer.scheme}://{issuer.netloc}", *console.connect) if console.client_id else ()
    asked = " ".join(("'self'", *others))
    return (
        f"default-src 'none'; base-uri 'none'; connect-src {asked}; form-action 'none';"
        " frame-ancestors 'none'; img-src 'self' data:; require-trusted-types-for 'script';"
        f" script-src 'self' 'sha256-{imports}'; style-src 'self'"
    )
