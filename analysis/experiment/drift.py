"""How conditions of a camera change an image, and the named conditions that the scenario knows.

`expose` is the one optical model: light with its colour, a veil of dust, blur, the sensor's noise, in
the order in which light meets them. The renderer ends with it; `corrupt` applies it to photographs, so
that a data set of the user's own drifts by the same parameters.
"""

from __future__ import annotations

from types import MappingProxyType

import cv2
import numpy as np
from scipy.special import ndtri

from analysis.experiment.scenes import Domain

REFERENCE_WIDTH = 160
"""Width of the image, in pixels, to which `Domain.blur` refers."""

VEIL = 176.0
"""Grey value of the veil that `Domain.haze` lays over an image."""

HUE_OF_NEW_PRODUCT = 90.0
"""Rotation of the hue, in degrees, by which a photograph stands for the new product generation."""

NORMAL_QUANTILES = ndtri((np.arange(256) + 0.5) / 256).astype(np.float32)
"""Standard normal noise in 256 equally likely steps: a random byte each, ten times faster than a draw."""

BASELINE = Domain()

DOMAINS = MappingProxyType(
    {
        "baseline": BASELINE,
        "dim": Domain(light=0.5),
        "blurred": Domain(blur=6.0),
        "noisy": Domain(light=0.6, noise=34.0),
        "warm": Domain(warmth=0.5),
        "hazy": Domain(haze=0.42),
        "generation_2": Domain(new_product=1.0),
    }
)
"""Named conditions: the line as set up, and what may become of it."""


def between(a: Domain, b: Domain, share: float) -> Domain:
    """The conditions of a gradual drift from ``a`` to ``b`` when ``share`` of the way is gone.

    Before 0 these are still ``a``, past 1 they stay ``b``.

    >>> between(DOMAINS["baseline"], DOMAINS["dim"], 0.5).light
    0.75
    """
    return a.towards(b, min(max(share, 0.0), 1.0))


def expose(image: np.ndarray, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """The image as a camera delivers it under these conditions.

    Parameters
    ----------
    image : ndarray of uint8 or float32, shape (height, width, 3), BGR
        What there is to see, in grey values of 255.
    domain : Domain
        Light, warmth, haze, blur and noise are used; wear and product are part of the scene itself.
    rng : numpy Generator
        For the noise: one byte a value, whatever the conditions.

    Returns
    -------
    ndarray of uint8, same shape
    """
    warm, clear = domain.warmth, 1 - domain.haze
    gains = np.array((1 - 0.55 * warm, 1 - 0.12 * abs(warm), 1 + 0.45 * warm)) * domain.light * clear
    optics = np.hstack((np.diag(gains), np.full((3, 1), VEIL * domain.haze)))
    seen = cv2.transform(image.astype(np.float32, copy=False), optics)
    sigma = domain.blur * image.shape[1] / REFERENCE_WIDTH
    if sigma > 0.05:
        seen = cv2.GaussianBlur(seen, (0, 0), sigma)
    grain = cv2.LUT(rng.integers(0, 256, image.shape, dtype=np.uint8), domain.noise * NORMAL_QUANTILES)
    return cv2.add(seen, grain, dtype=cv2.CV_8U)


def corrupt(image: np.ndarray, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """A photograph as it would look had the conditions moved from the baseline to ``domain``.

    The photograph is taken to show the baseline, so only the difference is applied: under the baseline
    the image comes back unchanged. A share ``domain.new_product`` of the images stands for the new
    product generation by a rotated hue. ``domain.wear`` belongs to the belt, which a photograph of
    something else does not show, and is left out.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3), BGR
    domain : Domain
    rng : numpy Generator
        One uniform draw for the product, then one byte a value for the noise.

    Returns
    -------
    ndarray of uint8, same shape
    """
    renewed = rng.random() < domain.new_product
    if renewed:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
        hsv[..., 0] += np.uint8(round(HUE_OF_NEW_PRODUCT / 360 * 256))
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
    change = Domain(
        light=domain.light / BASELINE.light,
        warmth=domain.warmth - BASELINE.warmth,
        blur=_beyond(domain.blur, BASELINE.blur),
        noise=_beyond(domain.noise, BASELINE.noise),
        haze=max(domain.haze - BASELINE.haze, 0.0),
    )
    return expose(image, change, rng)


def _beyond(spread: float, already: float) -> float:
    """The standard deviation that, added to the one already there, makes ``spread``: variances add up."""
    return max(spread**2 - already**2, 0.0) ** 0.5
