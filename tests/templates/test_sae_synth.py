"""The synthetic world of the SAE template: as many features are active as methods aim at, and the truth scores as the truth."""

import pytest
import torch

from tests.templates import sae_template  # noqa: F401 - puts `harness` on the path

from harness import synth  # isort: skip


@pytest.fixture(scope="module")
def points():
    return synth.test_points(8000)


def test_as_many_features_are_active_as_methods_aim_at(points):
    assert float(points[1].float().sum(1).mean()) == pytest.approx(synth.L0, rel=0.02)


def test_every_feature_is_there_often_enough_to_be_found(points):
    often = points[1].float().mean(0)
    assert float(often.min()) > 0.004
    assert float(often.max()) < 0.55


def test_the_second_half_of_the_features_come_with_their_parents_only(points):
    parents, present = synth._truth()[2], points[1]
    children = present[:, synth.FEATURES // 2 :]
    assert not (children & ~present[:, parents]).any()
    assert (present[:, parents] & ~children).any()


def test_the_truth_in_any_order_scores_one_and_other_directions_do_not(points):
    directions, present = synth._truth()[0], points[1]
    order = torch.randperm(synth.FEATURES, generator=torch.Generator().manual_seed(1))
    found = synth.score(present[:, order].numpy(), 3 * directions[order].numpy(), present)
    assert found["mcc"] == pytest.approx(1.0, abs=1e-5)
    assert found["f1"] == 1.0
    silent = synth.score((present & False).numpy(), directions.numpy(), present)
    assert (silent["f1"], silent["mcc"] > 0.99) == (0.0, True)
    turned = synth.score(present.numpy(), -directions.numpy(), present)
    assert turned["mcc"] < 0.5


def test_points_of_another_world_are_not_taken_for_these(monkeypatch):
    name = synth.training_points(1000).name
    synth._truth.cache_clear()
    monkeypatch.setattr(synth, "FREQUENT", synth.FREQUENT / 2)
    assert synth.training_points(1000).name != name
    monkeypatch.undo()
    synth._truth.cache_clear()
    assert synth.training_points(1000).name == name
