"""The networks and heads to choose from, as the panel draws them."""

from __future__ import annotations

from pathlib import Path

import pytest

from expnet.expnet_addon.engine import packs

IMPOSSIBLE = "/" + 300 * "x"  # no file can have so long a name


@pytest.mark.parametrize("choose", [packs.official_network, packs.official_head, packs.own_network])
def test_a_path_that_no_file_can_have_is_said_to_be_missing(choose) -> None:
    assert IMPOSSIBLE in choose(IMPOSSIBLE).missing


def test_a_path_that_is_there_is_not_missing(tmp_path: Path) -> None:
    assert packs.own_network(str(tmp_path)).missing == ""
