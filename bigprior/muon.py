"""The optimiser of the suite's own networks: Muon for kernels, Adam for the rest."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return about U Vᵀ of a matrix U S Vᵀ (m,n): every singular value is moved into about [0.7, 1.2].

    A quintic Newton–Schulz iteration, in bfloat16.

    Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with its coefficients.
    """
    a, b, c = _COEFFICIENTS
    x = matrix.bfloat16()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Steepest descent in the spectral norm for kernels and matrices, Adam for vectors and for narrow kernels.

    A kernel (out, in, h, w) is taken as the matrix (out, in·h·w). With its Nesterov momentum M, the step is
    rate · √max(1, out/(in·h·w)) · orthogonalized(M). Parameters of fewer than two axes, and those where one side of
    the matrix is under `narrow` (the first and last layers of a network), take Adam steps of a tenth of the rate.

    Deviation from the source: the fallback's rate is tied to Muon's, and there is no weight decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float = 0.95, narrow: int = 16) -> None:
        super().__init__(parameters, {"momentum": momentum, "narrow": narrow, "betas": (0.9, 0.99), "eps": 1e-10})

    @torch.no_grad()
    def step(self, rate: float) -> None:  # type: ignore[override]
        """Take one step at a learning rate."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if min(p.shape[0], p[0].numel()) >= group["narrow"] and p.ndim > 1:
                    self._muon(p, state, rate, group["momentum"])
                else:
                    self._adam(p, state, rate / 10, group["betas"], group["eps"])

    @staticmethod
    def _muon(p: nn.Parameter, state: dict[str, Tensor], rate: float, momentum: float) -> None:
        assert p.grad is not None
        if not state:
            state["momentum"] = torch.zeros_like(p)
        m = state["momentum"].lerp_(p.grad, 1 - momentum)
        direction = p.grad.lerp(m, momentum).flatten(1)
        update = orthogonalized(direction) * max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        p.sub_(update.view_as(p), alpha=rate)

    @staticmethod
    def _adam(p: nn.Parameter, state: dict[str, Tensor], rate: float, betas: tuple[float, float], eps: float) -> None:
        assert p.grad is not None
        b1, b2 = betas
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        mean = state["mean"].lerp_(p.grad, 1 - b1)
        square = state["square"].lerp_(p.grad.square(), 1 - b2)
        t = float(state["step"])
        p.sub_(mean / (1 - b1**t) / ((square / (1 - b2**t)).sqrt() + eps), alpha=rate)
