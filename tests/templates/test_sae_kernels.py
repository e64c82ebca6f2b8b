"""The SAE template's sparse kernels are the dense computation: outputs and gradients, in double precision."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.templates import sae_template  # noqa: F401 - puts `harness` on the path

from harness import kernels  # isort: skip

close = functools.partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)


@pytest.fixture(autouse=True)
def one_thread():
    """As in the template; and as it was for the tests that come after."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(*shapes, seed=0, dtype=torch.double):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random, dtype=dtype).requires_grad_() for shape in shapes]


def dense_encode(x, weight, bias, k):
    """[B, n]: the k largest of ReLU(x Wᵀ + b) in their places, by autograd."""
    before = x @ weight.T + bias
    kept = torch.zeros_like(before).scatter_(1, before.topk(k, dim=-1).indices, 1.0)
    return before.relu() * kept


def gradients(output, target, inputs):
    return torch.autograd.grad(((output - target) ** 2).sum(), inputs)


@st.composite
def shapes(draw):
    """rows, width, latents, k: k from one to all; now and then more rows than the encoder looks at together."""
    latents = draw(st.integers(1, 40))
    k = draw(st.one_of(st.just(1), st.just(latents), st.integers(1, latents)))
    rows = draw(st.one_of(st.integers(1, 30), st.sampled_from([kernels.ROWS, kernels.ROWS + 1, 2 * kernels.ROWS + 3])))
    return rows, draw(st.integers(1, 20)), latents, k


@settings(deadline=None, max_examples=40)
@given(shapes(), st.integers(0, 2**31))
def test_an_autoencoder_of_the_kernels_has_the_outputs_and_gradients_of_the_dense_one(shape, seed):
    rows, width, latents, k = shape
    x, w_enc, b_enc, w_dec, target = inputs = drawn(
        (rows, width), (latents, width), (latents,), (latents, width), (rows, width), seed=seed
    )
    values, indices = kernels.encode_topk(x, w_enc, b_enc, k)
    expected = dense_encode(x, w_enc, b_enc, k)
    close(kernels.dense(values, indices, latents), expected)
    found = kernels.decode(values, indices, w_dec)
    close(found, expected @ w_dec)
    for ours, theirs in zip(
        gradients(found, target, inputs[:4]), gradients(expected @ w_dec, target, inputs[:4]), strict=True
    ):
        close(ours, theirs)


@settings(deadline=None, max_examples=40)
@given(shapes(), st.integers(0, 2**31))
def test_decoding_indices_that_repeat_adds_their_values_up(shape, seed):
    rows, width, latents, k = shape
    values, weight, target = drawn((rows, k), (latents, width), (rows, width), seed=seed)
    few = max(1, latents // 3)  # k of few latents: most stand there more than once
    indices = torch.randint(few, (rows, k), generator=torch.Generator().manual_seed(seed))
    found = kernels.decode(values, indices, weight)
    expected = kernels.dense(values, indices, latents) @ weight
    close(found, expected)
    for ours, theirs in zip(
        gradients(found, target, (values, weight)), gradients(expected, target, (values, weight)), strict=True
    ):
        close(ours, theirs)


def test_repeated_indices_by_hand():
    values = torch.tensor([[2.0, 3.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 10.0], [100.0, 1000.0]], requires_grad=True)
    found = kernels.decode(values, torch.tensor([[1, 1, 0]]), weight)
    assert found.tolist() == [[500.0, 5000.0]]
    found.sum().backward()
    assert values.grad.tolist() == [[1100.0, 1100.0, 11.0]]  # a value of zero has a gradient here
    assert weight.grad.tolist() == [[0.0, 0.0], [5.0, 5.0]]


@pytest.mark.parametrize(("rows", "latents", "k"), [(1, 6, 1), (5, 6, 6), (4, 12, 3)])
def test_gradcheck(rows, latents, k):
    inputs = drawn((rows, 4), (latents, 4), (latents,), (latents, 4), seed=rows)

    def autoencoder(x, w_enc, b_enc, w_dec):
        values, indices = kernels.encode_topk(x, w_enc, b_enc, k)
        return values, kernels.decode(values, indices, w_dec)

    assert torch.autograd.gradcheck(autoencoder, inputs)


def test_where_a_value_is_not_above_zero_the_encoder_has_no_gradient():
    x, weight = drawn((6, 3), (8, 3))
    bias = torch.full((8,), -1e3, dtype=torch.double)
    bias[2] = 1e3  # fires for every row; the seven others for none, though k asks for four
    bias.requires_grad_()
    values, indices = kernels.encode_topk(x, weight, bias, 4)
    assert ((values > 0) == (indices == 2)).all() and (values > 0).sum() == 6
    to_weight, to_bias = torch.autograd.grad(values.sum(), (weight, bias))
    assert to_bias.tolist() == [0, 0, 6, 0, 0, 0, 0, 0]
    close(to_weight[2], x.detach().sum(0))
    assert to_weight[[0, 1, 3, 4, 5, 6, 7]].abs().max() == 0


def test_at_exactly_zero_there_is_no_gradient():
    x, weight, bias = (torch.zeros(shape, dtype=torch.double, requires_grad=True) for shape in ((3, 2), (5, 2), (5,)))
    values, _ = kernels.encode_topk(x, weight, bias, 5)
    assert values.tolist() == [[0.0] * 5] * 3
    assert all(gradient.abs().max() == 0 for gradient in torch.autograd.grad(values.sum(), (x, weight, bias)))


def test_of_equal_latents_exactly_k_are_kept_each_once():
    weight = torch.ones(9, 3, dtype=torch.double, requires_grad=True)
    x = torch.ones(7, 3, dtype=torch.double)
    values, indices = kernels.encode_topk(x, weight, torch.zeros(9, dtype=torch.double), 4)
    assert values.tolist() == [[3.0] * 4] * 7
    assert all(len(set(row)) == 4 for row in indices.tolist())
    (to_weight,) = torch.autograd.grad(values.sum(), weight)
    close(to_weight[:, 0], torch.bincount(indices.reshape(-1), minlength=9).double())


def test_values_are_never_negative_and_their_latents_carry_no_gradient():
    x, weight, bias = drawn((20, 4), (16, 4), (16,), seed=3)
    values, indices = kernels.encode_topk(x, weight, bias, 16)
    assert values.min() == 0 and values.requires_grad and not indices.requires_grad


@pytest.mark.parametrize("without", range(3))
def test_an_input_that_needs_no_gradient_changes_nothing_for_the_others(without):
    inputs = drawn((10, 4), (16, 4), (16,), seed=5)
    expected = torch.autograd.grad(kernels.encode_topk(*inputs, 3)[0].sum(), inputs)
    inputs[without] = inputs[without].detach()
    others = [number for number in range(3) if number != without]
    found = torch.autograd.grad(kernels.encode_topk(*inputs, 3)[0].sum(), [inputs[number] for number in others])
    assert all(torch.equal(a, expected[number]) for a, number in zip(found, others, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_step_twice_is_the_same_bit_for_bit(threads):
    torch.set_num_threads(threads)

    def step():
        inputs = drawn((1100, 24), (200, 24), (200,), (200, 24), seed=7, dtype=torch.float)
        values, indices = kernels.encode_topk(*inputs[:3], 8)
        found = kernels.decode(values, indices, inputs[3])
        return found, values, indices, *torch.autograd.grad((found - inputs[0]).pow(2).sum(), inputs)

    assert all(torch.equal(a, b) for a, b in zip(step(), step(), strict=True))


def test_single_precision_is_as_near_as_it_can_be():
    x, w_enc, b_enc, w_dec = inputs = drawn((300, 32), (256, 32), (256,), (256, 32), dtype=torch.float)
    found = kernels.decode(*kernels.encode_topk(x, w_enc, b_enc, 16), w_dec)
    x, w_enc, b_enc, w_dec = doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    expected = dense_encode(x, w_enc, b_enc, 16) @ w_dec
    pairs = zip(
        torch.autograd.grad(found.sum(), inputs), torch.autograd.grad(expected.sum(), doubles), strict=True
    )
    for ours, theirs in pairs:
        assert (ours.double() - theirs).norm() / theirs.norm() < 1e-5


def test_the_template_can_test_its_kernels_itself():
    assert kernels.main() == 0
