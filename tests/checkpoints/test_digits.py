import pytest
import torch

from scheduler.checkpoints import digits
from scheduler.errors import UnknownNameError


@pytest.fixture(scope="module")
def data():
    return digits.load_digits()


def test_dct_is_orthonormal():
    for size in (2, 4):
        matrix = digits.dct_matrix(size).double()
        assert torch.allclose(matrix @ matrix.T, torch.eye(size, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize(("side", "block"), [(32, 4), (16, 2)])
@pytest.mark.slow  # with scikit-learn
def test_latents_are_unit_and_decode_to_the_same_pictures(data, side, block):
    pictures = digits.render(data[0][::3], side)
    transform = digits.Latents.fitted(pictures, block)
    latents = transform.encode(pictures)
    assert latents.shape == (len(pictures), block**2, 8, 8)
    assert torch.allclose(latents.mean(dim=(0, 2, 3)), torch.zeros(block**2), atol=1e-3)
    assert torch.allclose(latents.std(dim=(0, 2, 3)), torch.ones(block**2), atol=1e-3)
    assert (transform.decode(latents) - pictures).abs().max() < 1e-5


def test_latents_survive_the_way_back_and_forth():
    transform = digits.Latents(
        4, tuple(i / 10 for i in range(16)), tuple(0.5 + i for i in range(16))
    )
    # Small latents, so that no picture leaves [0, 1] and nothing is clipped.
    pictures = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(transform.decode(transform.encode(pictures)), pictures, atol=1e-5)


def test_channels_are_frequencies():
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 16, 16)
    latents = digits.Latents(2, (0.0,) * 4, (1.0,) * 4).encode(stripes)
    assert latents[0, :, 0, 0].tolist() == pytest.approx([1, -1, 0, 0], abs=1e-6)


@pytest.mark.slow  # with scikit-learn
def test_jitter_is_seeded_small_and_never_the_same(data):
    pictures = data[0][:200]
    first, second = (
        digits.render(pictures, 16, torch.Generator().manual_seed(7)) for _ in range(2)
    )
    other, plain = (
        digits.render(pictures, 16, torch.Generator().manual_seed(8)),
        digits.render(pictures, 16),
    )
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert 0.01 < (first - plain).square().mean().sqrt() < 0.15
    assert (digits.shrink(plain) - pictures).abs().mean() < 0.06


def test_conditioning_is_what_the_rule_says():
    context, pooled = digits.conditioning(torch.tensor([3, digits.NO_CLASS]))
    assert context.shape == (2, 2, 32) and pooled.shape == (2, 16)
    expected = torch.zeros(2, 32)
    expected[0, 3] = expected[1, 19] = 4
    assert (
        torch.equal(context[0], expected)
        and pooled[0].nonzero().tolist() == [[3]]
        and pooled[0, 3] == 4
    )
    assert not context[1].any() and not pooled[1].any()


@pytest.mark.parametrize("wrong", [-2, 10])
def test_unknown_class_is_refused(wrong):
    with pytest.raises(UnknownNameError, match="0 to 9"):
        digits.conditioning(torch.tensor([1, wrong]))


def test_held_out_is_every_sixth():
    assert digits.held_out(13).nonzero().flatten().tolist() == [5, 11]
