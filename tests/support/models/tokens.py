"""Two workers and one refresh token, one step at a time, in every order.

A worker is the real ``TokenKeeper``. Each call of it to a port is one step, and the worker is
replayed from what it has been told so far, so that the whole model is a value: it can be copied,
compared and gone on from in different ways. Whatever differs only in the way there is the same
model, and is looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.connectors.http.answers import TokenRefused
from functions.connectors.oauth import GrantRefused, TokenKeeper
from functions.core.errors import FreshetError, PlatformFault, ProviderUnavailable
from functions.core.model import Credentials
from functions.core.ports import ConnectorPorts
from tests.support.fakes.stores import LEASE_SECONDS, Clock, Connections, Item, Tables
from tests.support.scripted_connector import CONNECTION, a_connection, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from functions.core.model import StoredCredentials

START = 1_800_000_000.0
GIVEN_UP = 31.0
"""A worker who sleeps wakes so much later: past its patience with a sibling."""


class Pause(BaseException):
    """The worker has come to a step that it has not been told the outcome of."""

    def __init__(self, step: str, *arguments: Any) -> None:
        self.step, self.arguments = step, arguments


@dataclass(frozen=True)
class Told:
    """The outcome of one step: a value, or an error that it ended in."""

    value: Any = None
    error: type[Exception] | None = None


@dataclass(frozen=True)
class Provider:
    """An authorization server that rotates: ``R<n>`` once for ``R<m>`` and ``A<m>``.

    A spent token revokes the family; with ``grace`` not before its successor has been used.
    """

    grace: bool
    successors: tuple[tuple[str, str], ...] = ()
    revoked: bool = False

    def exchange(self, token: str) -> tuple[Provider, Told]:
        spent = any(before == token for before, _ in self.successors)
        if self.revoked or (spent and not (self.grace and not self._used_after(token))):
            return replace(self, revoked=True), Told(error=GrantRefused)
        new = str(len(self.successors) + 1)
        pair = Credentials(
            access_token=f"A{new}", refresh_token=f"R{new}", expires_at=START + 10**6
        )
        return replace(self, successors=(*self.successors, (token, f"R{new}"))), Told(pair)

    def signed_in(self) -> Provider:
        """The same with another sign-in of the user: ``R<n>`` is new, and nothing is revoked."""
        begun = ("", f"R{len(self.successors) + 1}")
        return replace(self, successors=(*self.successors, begun), revoked=False)

    def accepts(self, access_token: str) -> bool:
        return not self.revoked and access_token != "A0"

    def _used_after(self, token: str) -> bool:
        after = {new for before, new in self.successors if before == token}
        return any(before in after for before, _ in self.successors)


@dataclass(frozen=True)
class Rules:
    """The settings of the model, and its limits of faults.

    So many successors are not taken by their table: they are put aside. So many are taken nowhere.
    So often the user signs in again.
    """

    grace: bool
    crashes: int = 0
    losses: int = 0
    asides: int = 0
    drops: int = 0
    sign_ins: int = 0
    lease_seconds: float = LEASE_SECONDS
    owners: tuple[str, str] = ("a", "b")


@dataclass(frozen=True)
class TokenModel:
    """Everything there is at one moment. ``stories`` are what each worker has been told."""

    rules: Rules
    item: Item
    provider: Provider
    now: float = START
    stories: tuple[tuple[Told, ...], ...] = ((), ())
    over: tuple[str | None, ...] = (None, None)
    crashes: int = 0
    losses: int = 0
    asides: int = 0
    drops: int = 0
    sign_ins: int = 0
    sent: tuple[str, ...] = ()
    """Refresh tokens as the provider got them."""

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Worlds with the same key go on in the same ways."""
        item = self.item
        kept = (item.credentials, item.version, item.dead, item.lease, item.aside)
        faults = (self.crashes, self.losses, self.asides, self.drops, self.sign_ins)
        return (*kept, self.provider, self.now, self.stories, self.over, faults, self.sent)

    def following(self) -> Iterator[TokenModel]:
        """Every model that one step of a worker can lead to."""
        for who, ended in enumerate(self.over):
            if ended is None:
                yield from self._steps(who)
                if self.crashes < self.rules.crashes:
                    yield replace(self._end(who, "crashed"), crashes=self.crashes + 1)

        if self.sign_ins < self.rules.sign_ins and None in self.over:
            yield self._sign_in()

    def _sign_in(self) -> TokenModel:
        """The user has signed in again: a family of its own, whose access token is not known."""
        provider = self.provider.signed_in()
        new = Credentials(access_token="A0", refresh_token=f"R{len(provider.successors)}")
        model = replace(self, provider=provider, sign_ins=self.sign_ins + 1)
        return model.keep(lambda store: store.replace(a_connection(), new))[0]

    def _steps(self, who: int) -> Iterator[TokenModel]:
        try:
            result = replay(self.stories[who], owner=self.rules.owners[who])
        except Pause as pause:
            yield self._after(who, pause)
            if pause.step == "rotate":
                yield from self._not_taken(who, pause)
            if pause.step in {"send", "receive"} and self.losses < self.rules.losses:
                lost = self.hear(who, Told(error=ProviderUnavailable))
                yield replace(lost, losses=self.losses + 1)
        else:
            yield self._end(who, result)

    def _after(self, who: int, pause: Pause) -> TokenModel:
        match pause.step:
            case "clock":
                return self.hear(who, Told(self.now))
            case "sleep":
                return replace(self, now=self.now + GIVEN_UP).hear(who, Told())
            case "send":
                provider, answer = self.provider.exchange(*pause.arguments)
                moved = replace(self, provider=provider, sent=(*self.sent, *pause.arguments))
                return moved.hear(who, Told(answer))
            case "receive":
                return self.hear(who, self._mail(who))
            case "use":
                good = self.provider.accepts(*pause.arguments)
                return self.hear(who, Told("ok") if good else Told(error=TokenRefused))
            case _:
                return self.stored(who, pause)

    def _not_taken(self, who: int, pause: Pause) -> Iterator[TokenModel]:
        """A successor that its table does not take, and one that nothing takes."""
        if self.asides < self.rules.asides:
            yield replace(self, asides=self.asides + 1).stored(who, pause, throttled=True)
        if self.drops < self.rules.drops:
            dropped = self.hear(who, Told(error=PlatformFault))
            yield replace(dropped, drops=self.drops + 1)

    def stored(self, who: int, pause: Pause, *, throttled: bool = False) -> TokenModel:
        """A call to the store of credentials, which is the fake that the suites share."""
        arguments, named = pause.arguments
        model, told = self.keep(
            lambda store: getattr(store, pause.step)(*arguments, **named), throttled=throttled
        )
        return model.hear(who, told)

    def keep(
        self, call: Callable[[Connections], Any], *, throttled: bool = False
    ) -> tuple[TokenModel, Told]:
        tables, clock = Tables(), Clock(self.now)
        tables.connections[CONNECTION] = self.item
        lease = self.rules.lease_seconds
        store = Connections(tables, clock=clock, lease_seconds=lease, throttled=throttled)
        try:
            told = Told(call(store))
        except FreshetError as error:
            told = Told(error=type(error))
        return replace(self, item=tables.connections[CONNECTION]), told

    def _mail(self, who: int) -> Told:
        answer = self.stories[who][-1].value
        assert isinstance(answer, Told)
        return answer

    def hear(self, who: int, told: Told) -> TokenModel:
        stories = list(self.stories)
        stories[who] = (*stories[who], told)
        return replace(self, stories=tuple(stories))

    def _end(self, who: int, how: str) -> TokenModel:
        over, stories = list(self.over), list(self.stories)
        over[who], stories[who] = how, ()
        return replace(self, over=tuple(over), stories=tuple(stories))

    def afterwards(self) -> TokenModel:
        """The same when all leases are over and a third worker has had its turn, undisturbed."""
        model = replace(self, now=self.now + 1000, stories=((),), over=(None,))
        calm = Rules(grace=self.rules.grace, lease_seconds=self.rules.lease_seconds)
        model = replace(model, rules=replace(calm, owners=("c", "c")))
        while model.over[0] is None:
            (model,) = model.following()
        return model


@dataclass
class Replay:
    """The ports of a worker that is told what it has been told before, then paused."""

    story: tuple[Told, ...]
    owner: str
    told: int = 0

    def ask(self, step: str, *arguments: Any) -> Any:
        if self.told == len(self.story):
            raise Pause(step, *arguments)
        told = self.story[self.told]
        self.told += 1
        if told.error is not None:
            raise told.error
        return told.value

    def load(self, *arguments: Any, fresh: bool = True) -> StoredCredentials:
        """Not fresh, it is what an earlier load would have given: a pause of the worker."""
        del fresh
        stored: StoredCredentials = self.ask("load", arguments, {})
        return stored

    def lease(self, *arguments: Any, **named: Any) -> bool:
        return bool(self.ask("lease", arguments, named))

    def release_lease(self, *arguments: Any, **named: Any) -> None:
        self.ask("release_lease", arguments, named)

    def rotate(self, *arguments: Any, **named: Any) -> None:
        self.ask("rotate", arguments, named)

    def mark_dead(self, *arguments: Any, **named: Any) -> None:
        self.ask("mark_dead", arguments, named)

    def exchange(self, token: str) -> Credentials:
        self.ask("send", token)
        new: Credentials = self.ask("receive")
        return new


def replay(story: tuple[Told, ...], *, owner: str) -> str:
    """The end of a worker that was told this: ``ok``, or the name of the error it raises.

    Raises:
        Pause: it has not ended.
    """
    replay = Replay(story, owner)
    ports = ConnectorPorts(
        application=bytes,
        credentials=replay,
        seal=unsealed,
        unseal=unsealed,
        clock=lambda: float(replay.ask("clock")),
        sleep=lambda seconds: replay.ask("sleep", seconds),
        token=lambda: "token",
        owner=owner,
    )
    keeper = TokenKeeper(ports, connection_id=CONNECTION, exchange=replay.exchange)
    try:
        return str(keeper.use(lambda token: replay.ask("use", token)))
    except FreshetError as error:
        return error.name()


def beginning(rules: Rules) -> TokenModel:
    """Both workers are about to need a token, and the one that is stored has expired."""
    expired = Credentials(access_token="A0", refresh_token="R0", expires_at=START - 1)
    item = Item(connection=a_connection(), credentials=expired)
    return TokenModel(rules=rules, item=item, provider=Provider(grace=rules.grace))


def ends(rules: Rules) -> list[TokenModel]:
    """Every model in which both workers are done."""
    start = beginning(rules)
    known, waiting, ended = {start.key}, [start], []
    while waiting:
        model = waiting.pop()
        following = {one.key: one for one in model.following()}
        waiting += [one for key, one in following.items() if key not in known]
        known |= following.keys()
        if not following:
            ended.append(model)
    return ended
