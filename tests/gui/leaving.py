"""Disable, enable and uninstall in Blender's preferences: what is left registered, and on the disk."""

from __future__ import annotations

from artist import EXTENSION, Artist
from engine import SHOW
from screen import until

# Everything of ours that Blender knows: classes, properties, operators, handlers
REGISTERED = """
names = [n for n in dir(bpy.types) if n.startswith(("EXPNET_", "ExpNet"))]
names += [f"{kind.__name__}.{n}" for kind in (bpy.types.Scene, bpy.types.Object, bpy.types.Action)
          for n in kind.bl_rna.properties.keys() if n.startswith("expnet")]
for kind in dir(bpy.app.handlers):
    calls = getattr(bpy.app.handlers, kind)
    for call in calls if isinstance(calls, list) else ():
        names += [f"{{kind}}: {{call.__name__}}"] if "expnet" in str(getattr(call, "__module__", "")) else []
names += [f"bpy.ops.expnet.{n}" for n in dir(bpy.ops.expnet)]
result = names
"""
ENABLED = f"result = '{EXTENSION}' in bpy.context.preferences.addons.keys()"
EXTENSIONS = """
bpy.context.preferences.active_section = "EXTENSIONS"
bpy.context.window_manager.extension_search = "expnet"
bpy.context.preferences.extensions.use_online_access_handled = True
"""
# As a preset, a converted face model or the runtime would lie there
KEEP = f"open(bpy.utils.extension_path_user('{EXTENSION}', path='presets', create=True) + '/one.json', 'w').close()"
FILES = """
import pathlib
root = pathlib.Path(bpy.utils.user_resource("EXTENSIONS"))
result = sorted(str(p.relative_to(root)) for p in root.rglob("*") if "expnet" in p.name.lower())
"""


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    screen.ask(SHOW % False)
    check(screen.ask(REGISTERED), "nothing was registered")
    box = screen.find("preferences.addon_disable(", "ctrl+c", "checkbox of the extension", across=0.035)

    artist.step("Disabled by its checkbox")
    artist.insist(lambda: screen.click("", box), lambda: not screen.ask(ENABLED), "a disabled extension")
    check(screen.ask(REGISTERED) == [], f"still registered: {screen.ask(REGISTERED)}")

    artist.step("Enabled again")
    artist.insist(lambda: screen.click("", box), lambda: screen.ask(ENABLED), "an enabled extension")
    check(screen.ask("result = hasattr(bpy.context.scene, 'expnet')"), "it is enabled and has no settings")

    artist.step("Uninstalled")
    screen.ask(KEEP)
    check(len(screen.ask(FILES)) > 1, "nothing is in the extension's folder of its own")
    screen.ask(EXTENSIONS)
    _, y = screen.find("extensions.package_show_set(", "ctrl+c", "row of the extension", across=0.019)
    left, _, right, _ = screen.ask("result = rectangle(sidebar()[2])")
    menu = (left + int(0.98 * (right - left)), y)

    def uninstall() -> None:
        screen.click("", menu)
        screen.xdotool("sleep", 0.5)
        screen.press("u")

    artist.insist(uninstall, lambda: not screen.ask(ENABLED), "the uninstallation")
    until(lambda: screen.ask(FILES) == [], "the files' end", screen.alive)
    check(screen.ask(REGISTERED) == [], f"still registered: {screen.ask(REGISTERED)}")
