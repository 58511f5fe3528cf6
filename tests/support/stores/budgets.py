"""Suite for stores of a provider's budget; see ``stores.suite``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.budget import Level

if TYPE_CHECKING:
    from tests.support.stores.suite import Stores

NOW = 1_800_000_000_000_000
GAP = 50_000


class BudgetBehaviour:
    """One instant that moves on, and only within the bounds that a caller names."""

    def test_a_bucket_that_was_never_used_gives_no_token(self, stores: Stores) -> None:
        untouched = Level(full_at=0, drawn=False)
        assert stores.bucket.draw(gap=GAP, since=NOW, until=NOW + GAP) == untouched
        assert stores.bucket.draw(gap=GAP, since=0, until=NOW) == untouched

    def test_a_token_moves_the_instant_on(self, stores: Stores) -> None:
        stores.bucket.renew(full_at=NOW, before=NOW)
        for count in (1, 2, 3):
            level = stores.bucket.draw(gap=GAP, since=NOW, until=NOW + 2 * GAP)
            assert level == Level(full_at=NOW + count * GAP, drawn=True)

    def test_both_bounds_are_inside(self, stores: Stores) -> None:
        stores.bucket.renew(full_at=NOW, before=NOW)
        assert stores.bucket.draw(gap=GAP, since=NOW, until=NOW).drawn
        beyond = stores.bucket.draw(gap=GAP, since=NOW, until=NOW + GAP - 1)
        assert beyond == Level(full_at=NOW + GAP, drawn=False)
        past = stores.bucket.draw(gap=GAP, since=NOW + GAP + 1, until=NOW + 9 * GAP)
        assert past == Level(full_at=NOW + GAP, drawn=False)

    def test_only_what_lies_before_an_instant_is_begun_anew(self, stores: Stores) -> None:
        assert stores.bucket.renew(full_at=NOW, before=NOW)
        assert not stores.bucket.renew(full_at=NOW + 7, before=NOW)
        assert stores.bucket.renew(full_at=NOW + 7, before=NOW + 1)
        assert stores.bucket.draw(gap=GAP, since=NOW + 7, until=NOW + 7).drawn

    def test_a_bucket_is_open_until_it_is_closed(self, stores: Stores) -> None:
        assert stores.bucket.pause_end() == 0
        stores.bucket.close(until=NOW, full_at=NOW + GAP)
        assert stores.bucket.pause_end() == NOW
        assert stores.bucket.draw(gap=GAP, since=NOW, until=NOW + GAP).drawn

    def test_closing_takes_nothing_back(self, stores: Stores) -> None:
        stores.bucket.close(until=NOW + 9, full_at=NOW + GAP)
        stores.bucket.close(until=NOW + 5, full_at=NOW)
        assert stores.bucket.pause_end() == NOW + 9
        assert stores.bucket.draw(gap=GAP, since=NOW + GAP, until=NOW + GAP).drawn

    def test_closing_a_bucket_with_a_long_queue_leaves_the_queue(self, stores: Stores) -> None:
        stores.bucket.renew(full_at=NOW + 9 * GAP, before=NOW)
        stores.bucket.close(until=NOW + GAP, full_at=NOW + 2 * GAP)
        assert stores.bucket.pause_end() == NOW + GAP
        assert stores.bucket.draw(gap=GAP, since=NOW + 9 * GAP, until=NOW + 9 * GAP).drawn
