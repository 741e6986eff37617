"""Location encoders of a run: trained on pairs of place and text, or left as they were born."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tenfold.errors import InputError
from tenfold.papers.calliper.city import City
from tenfold.papers.calliper.parameters import Parameters
from tenfold.urban import Pretrained, Pretraining, pretrain, text_features, untrained
from tenfold.urban.text import kind_here


def plan(parameters: Parameters, **changes: Any) -> dict[str, Any]:
    """Return the plain values of encoder, network, texts and training; `changes` replace some of them."""
    network = ("encoding", "frequencies", "lambda_min", "lambda_max", "width", "out")
    training = ("batch", "epochs", "patience", "normalize_text", "hgi_epochs")
    values = {name: getattr(parameters, name) for name in (*network, *training)}
    values["device"] = device(parameters.device)
    # What is kept of a run must not pass for that of another kind of text, once MiniLM is installed.
    values["text"] = kind_here(parameters.text)
    return values | {"objective": "clip"} | changes


def train(city: City, settings: dict[str, Any], seed: int) -> Pretrained:
    """Train a location encoder on the city's pairs under `settings`, see `plan`."""
    texts, index = city.texts
    features = text_features(texts, settings["text"]).features
    if settings["objective"] == "space2vec":
        # Space2Vec knows no text: its classes take the place of the texts.
        index, features = city.poi_class, np.eye(len(city.classes), dtype=np.float32)
    names = ("batch", "epochs", "patience", "normalize_text", "objective", "device")
    training = Pretraining(**{name: settings[name] for name in names})
    return pretrain(city.poi_xy, index, features, network(settings), training, seed)


def device(wanted: str) -> str:
    """Return the device that "auto" means here, or the one asked for; `InputError` where there is none."""
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise InputError("device: there is no CUDA device here; take cpu or auto")
    return "cuda" if found and wanted != "cpu" else "cpu"


def prepare(city: City, settings: dict[str, Any]) -> None:
    """Read the city and its text features, and what torch loads late: the time that a method takes is then its own."""
    city.load()
    text_features(city.texts[0], settings["text"])
    torch.optim.AdamW([torch.zeros(1)])


def made(method: str, city: City, settings: dict[str, Any], seed: int) -> Pretrained | None:
    """Return the encoder behind a method, or None where there is none."""
    if method == "untrained":
        return born(settings, seed)
    if method in ("calliper", "space2vec"):
        objective = settings["objective"] if method == "calliper" else "space2vec"
        return train(city, settings | {"objective": objective}, seed)
    return None


def born(settings: dict[str, Any], seed: int) -> Pretrained:
    """Return the encoder with the weights that it starts from."""
    return untrained(network(settings), seed)


def network(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the settings that describes encoding and network."""
    names = ("encoding", "frequencies", "lambda_min", "lambda_max", "width", "out")
    return {name: settings[name] for name in names}
