"""Gradient descent on latents: the loop that the inversions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from bigprior.priors.base import Inversion, NonFiniteInversion, Progress


def descend(
    latents: Sequence[Tensor],
    render: Callable[[Sequence[Tensor]], Tensor],
    loss: Callable[[Sequence[Tensor], Tensor], Tensor],
    satisfied: Callable[[Tensor], Tensor],
    optimiser: Callable[[list[Tensor]], Optimizer],
    iterations: int,
    progress: Progress | None = None,
) -> Inversion:
    """Minimise the loss of each image over its own latents.

    The sum of the losses is minimised, never their mean, by optimisers that act on each number for itself: no image
    feels another. An image that satisfies the stopping rule keeps the state it had then; the loop ends when all have,
    or after the last iteration.

    Args:
        latents: start points, batch first; not changed.
        render: latents to images (N,3,H,W), differentiable, not clipped.
        loss: latents and images to the losses (N,).
        satisfied: images to the stopping rule (N,) bool, asked before each step.
        optimiser: builds an optimiser of a list of tensors.
        iterations: the most steps.
        progress: see `Progress`.

    Returns:
        The inversion; its image is render(latents), neither clipped nor cropped.

    Raises:
        NonFiniteInversion: the loss of an image that still runs is not finite.
    """
    with torch.enable_grad():
        moving = [latent.detach().clone().requires_grad_() for latent in latents]
        stepper = optimiser(moving)
        count, device = len(moving[0]), moving[0].device
        running = torch.ones(count, dtype=torch.bool, device=device)
        used = torch.full((count,), iterations, dtype=torch.int64, device=device)
        kept: list[Tensor] | None = None
        trace: list[Tensor] = []
        for iteration in range(iterations):
            stepper.zero_grad(set_to_none=True)
            image = render(moving)
            losses = loss(moving, image)
            now = losses.detach()
            bad = running & ~torch.isfinite(now)
            if bad.any():
                raise NonFiniteInversion(bad.nonzero().flatten().tolist(), iteration)
            trace.append(torch.where(running, now, torch.nan))
            done = running & satisfied(image.detach())
            if done.any():
                kept = _keep(kept, [image, *moving], done)
                used[done] = iteration
                running = running & ~done
            if progress is not None:
                progress(iteration + 1, iterations, trace[-1])
            if not running.any():
                break
            losses.sum().backward()
            stepper.step()
    if running.any():
        with torch.no_grad():
            kept = _keep(kept, [render(moving), *moving], running)
    assert kept is not None
    image, *found = kept
    history = torch.stack(trace) if trace else image.new_zeros(0, count)
    return Inversion(image, history, used, tuple(found))


def _keep(kept: list[Tensor] | None, state: Sequence[Tensor], which: Tensor) -> list[Tensor]:
    """Return `kept` with the images of `which` taken from `state`."""
    now = [tensor.detach() for tensor in state]
    if kept is None:
        return [tensor.clone() for tensor in now]
    return [torch.where(which.view(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(now, kept, strict=True)]
