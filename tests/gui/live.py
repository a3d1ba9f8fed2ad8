"""Live, from a file that is played in real time: the head moves, rests, is recorded, and is put back."""

from __future__ import annotations

from artist import KEYS, PUSH, RIG, SETTINGS, TASKS, Artist
from screen import until
from sections import alone

FACE = (
    RIG
    + """
result = [round(b.value, 4) for b in faces[0].data.shape_keys.key_blocks], [round(v, 4) for v in faces[0].location]
"""
)
FRAMES = 6000  # four minutes: the walk is slow on a busy machine
TASK = TASKS + "task = tasks.under_way(); "
RANGE = KEYS + "result = list(data.action.frame_range) if data and data.action else None"


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.empty_scene()
    artist.add_face()
    screen.ask(SETTINGS + f"settings.source = {screen.debian.longer(artist.clip, FRAMES)!r}" + PUSH)
    alone(artist, "Live")

    artist.step("Live, from the source of Capture")
    kind = screen.find_property("live.kind", across=0.47)
    artist.insist(
        lambda: screen.click("", kind), lambda: screen.ask(SETTINGS + "result = settings.live.kind") == "FILE", "File"
    )
    screen.over_view()
    artist.picture("live_settings.png")
    before, rest = artist.state(), screen.ask(FACE)
    start = screen.find_button("live", below=kind[1] + 10)
    artist.start("live", start)
    shown: set[str] = set()

    def moves() -> bool:
        shown.add(str(screen.ask(FACE)))
        return len(shown) > 3

    until(moves, "a head that moves", screen.alive)
    screen.over_view()
    artist.picture("live.png")

    artist.step("Pause, and on")
    pause = screen.find_button("live_pause", across=0.25)
    screen.click("", pause)
    until(lambda: screen.ask(TASK + "result = task.paused"), "the pause", screen.alive)
    held = screen.ask(FACE)
    screen.xdotool("sleep", 1.0)
    check(screen.ask(FACE) == held, "the head moves during the pause")
    screen.click("", pause)
    until(lambda: screen.ask(FACE) != held, "a head that moves again", screen.alive)

    artist.step("Neutral")
    screen.click("", screen.find_button("live_neutral", below=pause[1] + 10))
    screen.over_view()

    artist.step("Stop without a recording: the head is as it was")
    stop = screen.find_button("live_stop", below=pause[1] + 10)
    screen.click("", stop)
    artist.ends("live")
    check(screen.ask(FACE) == rest, "the head is not as it was")
    artist.nothing_changed(before, "Live without a recording", "nothing recorded")

    artist.step("Record, and Stop: a take")
    before = artist.state()  # with the line of the live that was not recorded
    artist.start("live", start)
    screen.click("", screen.find_button("live_record", across=0.7))
    until(lambda: screen.ask(TASK + "result = task.recorded > 30"), "some pictures", screen.alive)
    artist.picture("live_record.png")
    screen.click("", screen.find_button("live_stop", below=pause[1] + 10))
    artist.ends("live")
    print("    " + screen.ask(SETTINGS + "result = settings.result").replace("\n", "; "), flush=True)
    check(screen.ask(RANGE), "the recording is no take")
    artist.undo_and_redo(before, "a recording")
