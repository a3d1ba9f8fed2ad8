"""From a face in a picture to a take: what the user guide shows, with what may go wrong on the way."""

from __future__ import annotations

from artist import KEYS, PUSH, RIG, SETTINGS, WORKER, Artist
from screen import until
from sections import open_section


def walk(artist: Artist) -> None:
    screen, a = artist.screen, artist.options
    artist.empty_scene()
    if a.weights:
        weights = screen.debian.bring(a.weights)
        screen.ask(SETTINGS + f"settings.network = 'FILE'; settings.estimator = {weights!r}" + PUSH)
    if a.box:
        screen.ask(SETTINGS + f"settings.use_box = True; settings.box = {a.box}" + PUSH)

    artist.step("Add Face")
    before = artist.state()
    screen.click("add_face")
    until(lambda: screen.ask(RIG + "result = len(faces) == 1"), "the face", screen.alive)
    artist.undo_and_redo(before, "Add Face")
    screen.over_view()
    artist.picture("panel.png")

    artist.step("Estimate Expression")
    screen.ask(SETTINGS + f"settings.source = {artist.image!r}" + PUSH)
    before = artist.state()
    artist.start("estimate_expression")
    artist.ends("the image")
    artist.check(artist.keyed(), "the image left no keys")
    screen.over_view()
    artist.picture("estimate.png")
    artist.undo_and_redo(before, "Estimate Expression")
    screen.xdotool("key", "ctrl+z")
    until(lambda: not artist.keyed(), "undo", screen.alive)

    artist.step("Animate from Footage, ESC")
    screen.ask(SETTINGS + f"settings.source = {screen.debian.longer(artist.clip)!r}" + PUSH)
    before = artist.state()
    animate = screen.find_button("animate_footage")
    artist.start("animate_footage", animate)
    worker = artist.worker()
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")
    screen.over_view()
    screen.xdotool("key", "Escape")
    artist.ends("ESC")
    artist.nothing_changed(before, "ESC", "cancelled")
    artist.nothing_left(worker)

    artist.step("Animate from Footage, Cancel")
    before = artist.state()
    artist.start("animate_footage", animate)
    worker = artist.worker()
    fast = WORKER + "task = tasks.under_way(); fast = '/s' in task.status and task.progress.fraction > 0.3; "
    fast += "result = fast and os.kill(worker, signal.SIGSTOP) is None"
    until(lambda: screen.ask(fast), "progress with its speed", screen.alive)  # the mouse takes longer than the clip
    artist.picture("progress.png")
    screen.click("cancel", screen.find_button("cancel", below=animate[1]))
    artist.ends("Cancel")
    artist.nothing_changed(before, "Cancel", "cancelled")
    artist.nothing_left(worker)

    artist.step("Animate from Footage, its worker killed")  # still the long clip: the short one may be done by then
    before = artist.state()
    artist.start("animate_footage", animate)
    screen.ask(WORKER + "os.kill(worker, signal.SIGKILL)")
    artist.ends("the end of a killed worker")
    artist.nothing_changed(before, "a killed worker", "worker")
    screen.over_view()  # the red report hangs at the pointer until it leaves

    artist.step("Animate from Footage, the face deleted meanwhile")
    actions = screen.ask("result = len(bpy.data.actions)")  # those of chapters before stay
    artist.start("animate_footage", animate)
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")
    screen.ask(RIG + "bpy.data.objects.remove(faces[0])" + PUSH)
    screen.ask(WORKER + "os.kill(worker, signal.SIGCONT)")
    artist.ends("the clip")
    artist.check(screen.ask("result = len(bpy.data.actions)") == actions, "keys were written for a face that is gone")
    screen.dismiss()
    screen.xdotool("key", "ctrl+z", "sleep", 0.5)
    artist.check(screen.ask(RIG + "result = len(faces) == 1"), "undo did not bring the face back")

    artist.step("Animate from Footage")
    screen.ask(SETTINGS + f"settings.source = {artist.clip!r}" + PUSH)
    before = artist.state()
    artist.start("animate_footage", animate)
    artist.ends("the clip")
    artist.check(artist.keyed(), "the clip left no keys")
    print("    " + str(screen.ask(SETTINGS + "result = settings.result")).replace("\n", "; "))
    artist.undo_and_redo(before, "Animate from Footage")
    middle = "scene = bpy.context.scene; scene.frame_set((scene.frame_start + scene.frame_end) // 2)"
    screen.ask(middle + "; sidebar()[1].spaces.active.region_3d.view_perspective = 'CAMERA'" + PUSH)

    artist.step("The take's settings")
    screen.to_bottom()
    gain = screen.find_property("regions[0].gain", across=0.8)
    before = artist.state()
    screen.paste(gain, "0.5")
    artist.undo_and_redo(before, "a gain")
    before = artist.state()
    screen.click("neutral_from_frame", screen.find_button("neutral_from_frame", below=gain[1]))
    until(lambda: artist.state() != before, "the neutral", screen.alive)
    artist.undo_and_redo(before, "Neutral from Current Frame")
    before = artist.state()
    screen.to_bottom()  # the neutral's frame has a row now
    decimate = screen.find_property("expnet.decimate")
    screen.point(*decimate)
    screen.xdotool("click", 1)
    until(lambda: artist.state() != before, "fewer keys", screen.alive)
    artist.undo_and_redo(before, "Fewer Keys")

    artist.step("A second face")
    screen.to_top()
    first = screen.ask(KEYS + "result = data.action.name")
    screen.ask("bpy.ops.expnet.add_face(); bpy.context.object.location.x = 0.3" + PUSH)
    artist.start("animate_footage", animate)
    artist.ends("the clip, for the second face")
    names = screen.ask(RIG + "result = [f.data.shape_keys.animation_data.action.name for f in faces]")
    artist.check(first in names and len(set(names)) == 2, f"two faces, but the actions are {names}")
    screen.ask("[bpy.data.objects.remove(o) for o in (*bpy.context.object.children, bpy.context.object)]" + PUSH)

    artist.step("The Movie Clip editor")
    screen.ask(
        f"show('CLIP_EDITOR'); sidebar()[1].spaces.active.clip = bpy.data.movieclips.load({artist.clip!r})" + PUSH
    )
    artist.open_tab()
    before = artist.state()
    artist.start("estimate_expression")
    artist.ends("the frame")
    artist.check("at frame" in str(screen.ask(SETTINGS + "result = settings.result")), "no frame of the clip was read")
    artist.picture("clip_editor.png")
    artist.undo_and_redo(before, "Estimate Expression in the Movie Clip editor")

    artist.step("Several faces in the picture")
    screen.ask("show('VIEW_3D')")
    artist.open_tab()
    two = screen.debian.two_faces(artist.clip)
    screen.ask(SETTINGS + f"settings.source = {two!r}" + PUSH)
    artist.start("find_faces", open_section(artist, "Which Face", "find_faces"))
    artist.ends("the faces")
    print("    " + str(screen.ask(SETTINGS + "result = settings.result")))
    screen.over_view()
    artist.picture("faces.png")

    artist.step("Animate from Footage, File > New meanwhile")
    # not the short clip: its take has a hand edit now, so the button would ask
    screen.ask(SETTINGS + f"settings.source = {screen.debian.longer(artist.clip)!r}" + PUSH)
    artist.start("animate_footage")
    worker = artist.worker()
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")
    artist.new_file()
    artist.ends("the run whose file was closed")
    until(lambda: screen.ask("result = 'Cube' in bpy.data.objects"), "the new file", screen.alive)
    artist.nothing_left(worker)
    artist.check(screen.ask("result = len(bpy.data.actions)") == 0, "a run went on in another file")
