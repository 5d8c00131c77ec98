import pytest
import torch

from scheduler.checkpoints import digits, load_checkpoint
from tools import quality


@pytest.fixture(scope="module")
def class_means():
    pictures, classes = digits.load_digits()
    return torch.stack([pictures[classes == c].mean(dim=0) for c in range(digits.CLASSES)]).flatten(
        1
    )


@pytest.mark.slow  # with scikit-learn
@pytest.mark.parametrize("name", ["flow", pytest.param("eps", marks=pytest.mark.slow)])
def test_few_guided_steps_already_draw_the_class_asked_for(name, class_means):
    checkpoint, classes = load_checkpoint(name), quality.in_turn(30)
    pictures = quality.draw(checkpoint, classes, cfg=3, steps=20)
    assert pictures.shape == (30, *checkpoint.metadata["latent"]["picture"])
    assert pictures.min() >= 0 and pictures.max() <= 1
    nearest_mean = torch.cdist(digits.shrink(pictures).flatten(1), class_means).argmin(dim=1)
    # Of the real digits nine in ten are nearest to their own class's mean.
    assert (nearest_mean == classes).float().mean() >= 0.8


@pytest.mark.parametrize("name", ["flow", "eps"])
def test_the_same_seed_draws_the_same_pictures(name):
    checkpoint, classes = load_checkpoint(name), torch.tensor([7, 3])
    first, again, other = (
        quality.draw(checkpoint, classes, cfg=2, steps=3, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=0.01)


def test_schedules_run_from_sigma_max_to_exactly_0():
    for name in ("flow", "eps"):
        checkpoint = load_checkpoint(name)
        sigmas = quality.schedule(checkpoint, 10)
        assert (
            len(sigmas) == 11
            and sigmas[0] == pytest.approx(checkpoint.sigma_max)
            and sigmas[-1] == 0
        )
        assert all(a > b for a, b in zip(sigmas, sigmas[1:], strict=False))


@pytest.mark.slow
def test_judge_is_good_enough_to_judge():
    assert quality.judge(16)[1] >= 0.97
