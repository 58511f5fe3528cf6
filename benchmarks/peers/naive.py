"""The job as a script does it: trigger, look every five seconds, read page by page, write.

With requests, the standard library's JSON and gzip, and for digi.me PyJWT and cryptography. With
``threads`` it reads so many accounts, offsets or files at a time, and checks nothing.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL_SECONDS = 5
TIMEOUT_SECONDS = 30
ENVELOPE_KEY, ENVELOPE_HEAD, HASH_BYTES = 256, 272, 64

Job = dict[str, Any]
Records = list[Any]


class Client:
    """A session with the job's token, and how it does several things: in threads or in turn."""

    def __init__(self, job: Job) -> None:
        """Take the job."""
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {job['token']}"
        self.threads = job["threads"]
        pool = ThreadPoolExecutor(self.threads)
        self.each: Callable[..., Iterator[Any]] = pool.map if self.threads > 1 else map

    def answer(self, method: str, url: str, **options: Any) -> requests.Response:
        """An answer that must be good."""
        answer = self._session.request(method, url, timeout=TIMEOUT_SECONDS, **options)
        answer.raise_for_status()
        return answer

    def get(self, url: str, query: dict[str, Any]) -> Any:
        """The JSON at an address."""
        return self.ask("GET", url, params=query)

    def ask(self, method: str, url: str, **options: Any) -> Any:
        """The JSON of an answer."""
        return self.answer(method, url, **options).json()


def banno(job: Job, client: Client) -> Iterator[Records]:
    """The transactions of each account by offset; in threads, of several accounts at a time.

    Of a single account, the threads ask for as many offsets at a time.
    """
    urls = accounts_of(job, client)
    if len(urls) == 1:
        yield from pages(urls[0], job, client=client, ahead=client.threads)
    elif client.threads == 1:
        for url in urls:
            yield from pages(url, job, client=client)
    else:
        for found in client.each(lambda url: [*pages(url, job, client=client)], urls):
            yield from found


def pages(url: str, job: Job, *, client: Client, ahead: int = 1) -> Iterator[Records]:
    """An account's transactions, up to the page that is not full."""
    limit, each = job["limit"], client.each if ahead > 1 else map
    for start in count(0, limit * ahead):
        wave = range(start, start + limit * ahead, limit)
        queries = [{"offset": offset, "limit": limit} for offset in wave]
        for page in each(partial(client.get, url), queries):
            yield page["transactions"]
            if len(page["transactions"]) < limit:
                return


def accounts_of(job: Job, client: Client) -> list[str]:
    """The addresses of the accounts' transactions, once they have been refreshed."""
    user = f"{job['base']}/a/consumer/api/v0/users/{job['user']}"
    task = client.ask("PUT", f"{user}/fetch")["taskId"]
    while client.ask("GET", f"{user}/tasks/{task}")["events"][-1]["type"] != "TaskEnded":
        time.sleep(POLL_SECONDS)
    accounts = client.ask("GET", f"{user}/accounts")["accounts"]
    return [f"{user}/accounts/{account['id']}/transactions" for account in accounts]


def endgrate(job: Job, client: Client) -> Iterator[Records]:
    """The records of a transfer, page after page as they are linked."""
    query = {"endgrate_type": job["type"], "transfer_id": transfer_of(job, client)}
    page = client.ask("GET", f"{job['base']}/api/pull/data", params=query)
    while True:
        yield page["transfer_data"]
        if "next" not in page["meta"]:
            return
        page = client.ask("GET", page["meta"]["next"]["link"])


def transfer_of(job: Job, client: Client) -> str:
    """The id of a new transfer, once it has completed."""
    api = f"{job['base']}/api"
    wanted = {"session_id": job["session"], "endgrate_type": job["type"]}
    transfer: str = client.ask("POST", f"{api}/pull/transfer", json=wanted)["transfer_id"]
    query = {"transfer_id": transfer}
    while not client.ask("GET", f"{api}/statistics", params=query)["completed"]:
        time.sleep(POLL_SECONDS)
    return transfer


def digime(job: Job, client: Client) -> Iterator[Records]:
    """The files of the library, each read, opened and unpacked as a whole."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - the others do without

    key = load_pem_private_key(job["key"].encode(), None)

    def file(url: str) -> Records:
        return [{"url": url, "content": json.loads(opened(client.answer("GET", url), key=key))}]

    yield from client.each(file, files_of(job, client))


def files_of(job: Job, client: Client) -> list[str]:
    """The addresses of a library's files, once it has been refreshed."""
    import jwt  # noqa: PLC0415 - the others do without

    api = f"{job['base']}/v1.6/permission-access"
    claims = {
        **job["claims"],
        "access_token": job["token"],
        "nonce": secrets.token_hex(16),
        "timestamp": time.time_ns() // 1_000_000,
    }
    signed = jwt.encode(claims, job["key"], "PS512")
    headers = {"Authorization": f"Bearer {signed}", "Accept": "application/json"}
    session = client.ask("POST", f"{api}/trigger", headers=headers)["session"]["key"]
    listing = client.ask("GET", f"{api}/query/{session}")
    while listing["status"]["state"] not in {"completed", "partial"}:
        time.sleep(POLL_SECONDS)
        listing = client.ask("GET", f"{api}/query/{session}")
    return [f"{api}/query/{session}/{row['name']}" for row in listing["fileList"]]


def opened(answer: requests.Response, *, key: Any) -> bytes:
    """Open an envelope: key, vector, then the payload's hash and the payload, sealed."""
    import brotli  # type: ignore[import-untyped] # noqa: PLC0415 - the others do without
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1  # noqa: PLC0415

    sealed, told = answer.content, answer.headers["x-metadata"]
    secret = key.decrypt(sealed[:ENVELOPE_KEY], OAEP(MGF1(SHA1()), SHA1(), None))  # noqa: S303 - the provider's
    vector = sealed[ENVELOPE_KEY:ENVELOPE_HEAD]
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).decryptor()
    plain = decryptor.update(sealed[ENVELOPE_HEAD:]) + decryptor.finalize()
    payload = plain[HASH_BYTES : -plain[-1]]
    told = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    unpack = {"brotli": brotli.decompress, "gzip": gzip.decompress, None: bytes}
    content: bytes = unpack[told.get("compression")](payload)
    return content


PROVIDERS = {"banno": banno, "endgrate": endgrate, "digime": digime}


def work(job: Job) -> int:
    """Write all records as gzipped JSON Lines; how many there are."""
    written = 0
    with gzip.open(Path(job["folder"], "records.jsonl.gz"), "wt") as file:
        for records in PROVIDERS[job["provider"]](job, Client(job)):
            for record in records:
                file.write(json.dumps(record) + "\n")
            written += len(records)
    return written


if __name__ == "__main__":
    measure.run(work)
