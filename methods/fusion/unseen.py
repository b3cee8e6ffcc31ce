"""The estimate of the prior for colours on training images that it has not seen: φ learns from it."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.phi.train import FromSource, Source
from datasets.dataset import get_dataset
from datasets.observation import Observation
from datasets.training_images import HELD_OUT
from methods.fusion.bigprior import COLOURS
from methods.supervised._chroma import colorize, untrained


class UnseenColours(FromSource):
    """What `belief` would say of the colours of a training image if none of the networks had been trained on it.

    A network is surer of the images that it was trained on, and a φ that learned from those would trust it too much. So
    an image is left to the member that never saw it (`ChromaEnsemble.held_from`). Images that validate were seen by
    none: they get the mean of all, as an image in use does.
    """

    def __call__(self, source: Source, observation: Observation) -> Tensor:
        network = COLOURS.loaded(untrained, observation.y)
        fitted = len(get_dataset(source.dataset).entries("train")) - HELD_OUT
        with torch.inference_mode(), COLOURS.computing(observation.y):
            return colorize(network.held_from(source.number) if source.number < fitted else network, observation.y)
