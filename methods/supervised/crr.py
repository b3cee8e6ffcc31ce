"""CRR-NN: a learned convex regulariser, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised._ridge import RidgeRegularised


@dataclass(frozen=True)
class CRR(RidgeRegularised):
    """x̂ = argmin_x ½‖x − y‖² + R_σ(x) with a convex R_σ (ρ = 0): the minimiser is unique.

    `RidgeRegularised` has the equation, φ and g.

    Source: A. Goujon, S. Neumayer, P. Bohra, S. Ducotterd and M. Unser, "A Neural-Network-Based Convex Regularizer for
    Inverse Problems", IEEE Trans. Computational Imaging 9, 2023; here the one network for all σ that its successor was
    compared with, weights `CRR-CNN` of github.com/axgoujon/weakly_convex_ridge_regularizer.
    """

    name: ClassVar[str] = "crr"
    summary: ClassVar[str] = "learned convex ridge regulariser, published weights for σ 0–30 (over it: image scaled)"
    citation: ClassVar[str] = (
        "A. Goujon et al., A neural-network-based convex regularizer for inverse problems, IEEE TCI 2023"
    )
    file: ClassVar[str] = (
        "axgoujon-weakly_convex_ridge_regularizer/trained_models/CRR-CNN/checkpoints/checkpoint_6000.pth"
    )
    rho: ClassVar[float] = 0
    norm: ClassVar[float] = 302.91
