"""One picture that the worker dies of does not take the others along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from expnet.expnet_addon.command_line import estimate
from expnet.expnet_addon.engine.jobs import WorkerFault
from expnet.model.worker.messages import EstimateResult, ImageRequest, ImageResult, Pack


class DyingJob:
    """A job whose worker dies of images called "bad"."""

    def __init__(self, request: Any, python: str) -> None:
        self.images = [image.image for image in request.images]

    def __enter__(self) -> DyingJob:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, on_progress: object) -> EstimateResult:
        if any("bad" in image for image in self.images):
            raise WorkerFault("The worker was killed (signal 11)")
        return EstimateResult(tuple(ImageResult(i) for i in self.images), Pack("open", "open-29", "GPL"), ("a note",))


@pytest.mark.parametrize("bad", [{3}, {0, 6}, {4, 5, 6}])
def test_only_the_picture_itself_fails(monkeypatch: pytest.MonkeyPatch, bad: set[int]) -> None:
    monkeypatch.setattr(estimate, "Job", DyingJob)
    listed = [ImageRequest(f"{'bad' if i in bad else 'good'}{i}.png", str(i)) for i in range(7)]
    reply = estimate._read(listed, estimate.EstimateOptions(images=()), estimate.MAX_DEATHS)
    assert [Path(e.image).name for e in reply.estimates] == [face.image for face in listed]
    assert {i for i, e in enumerate(reply.estimates) if "was killed (signal 11)" in e.error} == bad
    assert reply.pack.name == "open" and reply.notes == ("a note",)


def test_a_single_picture_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(estimate, "Job", DyingJob)
    with pytest.raises(WorkerFault):
        estimate._read([ImageRequest("bad.png", "bad")], estimate.EstimateOptions(images=()), estimate.MAX_DEATHS)
