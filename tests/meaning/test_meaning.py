"""One meaning: random workflows give what the model predicts, in every placement."""

from __future__ import annotations

import pytest

from .suite import SHARD, SHARDS, agree, explore


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_placement_means_what_the_model_means(shard: int) -> None:
    """Return value, channel, completed order, steps, output and error of random programs agree everywhere."""
    explore(agree, shard, SHARD)
