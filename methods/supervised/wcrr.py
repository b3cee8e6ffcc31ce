"""WCRR-NN: a learned weakly convex regulariser, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised._ridge import RidgeRegularised


@dataclass(frozen=True)
class WCRR(RidgeRegularised):
    """x̂ = argmin_x ½‖x − y‖² + R_σ(x) with R_σ + ½‖x‖² convex (ρ = 1): the energy as a whole is still convex.

    `RidgeRegularised` has the equation, φ and g. ψ′ falls again beyond its first knot, so edges pay less than in CRR.

    Source: A. Goujon, S. Neumayer and M. Unser, "Learning Weakly Convex Regularizers for Convergent
    Image-Reconstruction Algorithms", SIAM J. Imaging Sciences 17(1), 2024; weights `WCRR-CNN` of
    github.com/axgoujon/weakly_convex_ridge_regularizer.
    """

    name: ClassVar[str] = "wcrr"
    summary: ClassVar[str] = "learned weakly convex regulariser, published weights for σ 0–30 (over it: image scaled)"
    citation: ClassVar[str] = (
        "A. Goujon et al., Learning weakly convex regularizers for convergent image-reconstruction algorithms, "
        "SIAM J. Imaging Sciences 2024"
    )
    file: ClassVar[str] = (
        "axgoujon-weakly_convex_ridge_regularizer/trained_models/WCRR-CNN/checkpoints/checkpoint_6000.pth"
    )
    rho: ClassVar[float] = 1
    norm: ClassVar[float] = 396.06
