"""How light falls on the synthetic faces: what they mirror, and which colours lamps have."""

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.formats import open_face_model
from expnet.training.synthetic import sample as engine
from expnet.training.synthetic.brows import sample_brows
from expnet.training.synthetic.ingredients import Ingredients
from expnet.training.synthetic.light import Light, sample_light
from expnet.training.synthetic.surface import build_surface

SIZE = 96
SKY = np.zeros((3, 9), np.float32)
SKY[:, 0] = 0.6
LAMP = np.array([[0.0, 0.4, 0.9165]], np.float32)
DULL = Light(SKY, LAMP, np.full((1, 3), 0.5, np.float32), wrap=0.2, specular=0.0, polish=0.0, sheen=0.0, shadow=False)


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"), Ingredients(covers=False, hair=False))


@pytest.fixture
def under(surface, monkeypatch):
    """Return the very same face under a light, (SIZE, SIZE, 3) BGR as the light falls, on black."""
    monkeypatch.setattr(engine, "_exposure", lambda *_: np.float32(1))
    rng = np.random.default_rng(1)
    pose = engine.sample_pose(rng, 0.0, 0.0, 0.0, SIZE, True)
    vertices, eta = surface.model.neutral.astype(np.float32), np.zeros(29, np.float32)
    brows = sample_brows(rng, surface, eta)

    def picture(light):
        monkeypatch.setattr(engine, "sample_light", lambda *_: light)
        marks, black = np.zeros((70, 2)), np.zeros((SIZE, SIZE, 3), np.float32)
        rng = np.random.default_rng(7)
        return engine.render(rng, surface, vertices, eta, brows, pose, SIZE, marks, np.ones(70), True, black)[0]

    return picture


def test_skin_mirrors_the_sky_most_at_the_rim(under):
    dull, shining = under(DULL), under(replace(DULL, sheen=1.0))
    gained = (shining - dull).mean(2)
    assert gained.min() > -1e-4 and gained.max() > 3 * np.median(gained[gained > 1e-3])


def test_a_polished_skin_mirrors_a_lamp_in_smaller_spots(under):
    dull = under(DULL)
    soft, sharp = ((under(replace(DULL, specular=0.8, polish=p)) - dull).mean(2) for p in (0.0, 1.0))
    skin = ~np.isclose(soft, sharp, atol=1e-6)  # not the wet eyes, which are polished anyway
    assert sharp[skin].max() > soft[skin].max()
    assert (sharp[skin] > 0.01).sum() < 0.7 * (soft[skin] > 0.01).sum()


def test_some_lamps_are_coloured_and_most_are_not():
    lights = [sample_light(np.random.default_rng(i)) for i in range(400)]
    hues = np.array([np.ptp(np.log(light.colors[0])) for light in lights])
    assert np.median(hues) < 0.3 and 0.05 < (hues > 0.7).mean() < 0.2


def test_one_scene_in_seven_is_lit_from_beside_the_lens():
    rng = np.random.default_rng(3)
    lights = [sample_light(rng, natural=True) for _ in range(2000)]
    frontal = np.mean([light.lights[0, 2] > 0.95 for light in lights])
    assert 0.13 < frontal < 0.25, frontal
