"""What a fetch has gathered so far: the labels of parts."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.refresh.progress import MAX_LABEL, Progress


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("Everyday Checking", "Everyday Checking", id="as-it-is"),
        pytest.param("Größe 7 ☕", "Größe 7 ☕", id="any-letters"),
        pytest.param("  two\nlines\t and\x00more ", "two lines and more", id="one-line"),
        pytest.param("\u202egnikcehC", "gnikcehC", id="no-turn-of-the-line"),
        pytest.param("x" * 500, "x" * MAX_LABEL, id="short"),
        pytest.param("x" * (MAX_LABEL - 1) + " y", "x" * (MAX_LABEL - 1), id="no-space-at-its-end"),
        pytest.param(" \u200b\n", None, id="nothing-to-be-seen"),
        pytest.param("", None, id="none"),
    ],
)
def test_a_label_is_one_short_line_that_can_be_shown(text: str, label: str | None) -> None:
    progress = Progress()
    progress.set_labels({"a": text})

    assert progress.labels.get("a") == label


def test_labels_are_put_aside_with_the_rest_and_a_later_one_counts() -> None:
    progress = Progress()
    progress.set_labels({"a": "Old", "b": "Other"})
    again = msgspec.json.decode(msgspec.json.encode(progress), type=Progress)
    again.set_labels({"a": "New", "b": ""})

    assert again.labels == {"a": "New", "b": "Other"}
    assert msgspec.json.decode(b"{}", type=Progress).labels == {}
