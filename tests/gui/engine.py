"""The engine in the preferences: refused offline, installed from a folder with wheels, another Python, a test."""

from __future__ import annotations

import ensurepip
import zipfile
from pathlib import Path

from artist import EXTENSION, Artist
from screen import until

# The extension's row in the preferences, with its settings or without
SHOW = f"""
import addon_utils
show("PREFERENCES")
bpy.context.preferences.active_section = "ADDONS"
bpy.context.window_manager.addon_search = "expnet"
window, area, region = sidebar()
addon_utils.modules(refresh=False)
info = addon_utils.module_bl_info(addon_utils.addons_fake_modules["{EXTENSION}"])
with bpy.context.temp_override(window=window, area=area, region=region):
    if info.get("show_expanded", False) is not %r:
        bpy.ops.preferences.addon_expand(module="{EXTENSION}")
"""
PREFERENCES = f"preferences = bpy.context.preferences.addons['{EXTENSION}'].preferences; "
REPORT = PREFERENCES + "result = preferences.engine_report"
STATUS = (
    f"import {EXTENSION}.expnet_addon.engine.status as status; {PREFERENCES}"
    "result = status.status(preferences.worker_python, preferences.device).line"
)
RUNTIME = f"""
import os
folder = bpy.utils.extension_path_user("{EXTENSION}", path="runtime")
result = sorted(n for n in os.listdir(folder) if not n.startswith(".removed-")) if os.path.isdir(folder) else []
"""
# What pip is asked for, each a module of one line: no network is needed, and no 200 MB
STAND_INS = {
    "torch": ("torch", "2.5"),
    "numpy": ("numpy", "2.1"),
    "opencv-python-headless": ("cv2", "4.13"),
    "safetensors": ("safetensors", "0.4"),
    "scipy": ("scipy", "1.11"),
    "h5py": ("h5py", "3.10"),
    "av": ("av", "15.0"),
}


def find_field(artist: Artist, name: str) -> tuple[int, int]:
    """Return where a text field is. Preferences have no data path to be found by, but Ctrl-C copies a field's text."""
    text = f"the place of {name}"
    artist.screen.ask(f"{PREFERENCES}preferences.{name} = {text!r}")
    at = artist.screen.find(text, "ctrl+c", f"field {name}", across=0.6)
    artist.screen.ask(f"{PREFERENCES}preferences.{name} = ''")
    return at


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    screen.ask(SHOW % True)
    screen.over_view()
    artist.picture("preferences.png")
    check(screen.ask("result = bpy.app.online_access") is False, "this Blender may go online; here it must not")
    install = screen.find_button("install_runtime", across=0.25)

    def says(text: str, what: str) -> None:
        until(lambda: not artist.running() and screen.ask(REPORT), f"words of {what}", screen.alive)
        said = screen.ask(REPORT)
        check(text in said, f"{what} says '{said}' and not '{text}'")
        screen.ask(PREFERENCES + "preferences.engine_report = ''")  # the next words are those of the next step
        screen.dismiss()  # the red report
        print(f"    {what}: " + said.replace("\n", "; "), flush=True)

    artist.step("Install Runtime, offline")
    screen.click("", install)
    says("Blender is offline", "Install Runtime")
    check(screen.ask(RUNTIME) == [], "a refused installation left something")

    artist.step("Install Runtime, from a folder without wheels")
    field = find_field(artist, "wheel_folder")
    screen.paste(field, "/usr/share")
    screen.click("", install)
    says("no folder with wheels", "Install Runtime")

    artist.step("Install Runtime, from a folder with wheels")
    wheels = screen.debian.outside / "wheels"
    write_wheels(wheels)
    screen.paste(field, str(screen.debian.inside / "wheels"))
    install = screen.find_button("install_runtime", across=0.25)
    artist.start("install_runtime", install)
    screen.over_view()
    screen.press("Escape")
    artist.ends("ESC")
    check(screen.ask(RUNTIME) == [], "a cancelled installation left something")
    artist.start("install_runtime", install)
    artist.ends("the installation")
    says("The full engine is installed", "Install Runtime")
    check(screen.ask(RUNTIME) == ["env-1", "installed.json"], f"the runtime's folder has {screen.ask(RUNTIME)}")
    print("    " + screen.ask(STATUS), flush=True)

    artist.step("Remove Runtime")
    screen.click("", screen.find_button("remove_runtime", across=0.75))
    screen.press("Return")
    until(lambda: screen.ask(RUNTIME) == [], "the runtime's end", screen.alive)
    screen.paste(field, "")

    artist.step("Use This Python")
    check_python = screen.find_button("check_python", across=0.6)
    own = find_field(artist, "worker_python")
    for path, text in (
        ("/nowhere/bin/python", "is not a Python interpreter"),
        ("/usr/bin/true", "is no Python"),
        ("/usr/bin/python3", "torch"),
    ):
        screen.paste(own, path)
        artist.start_or_refuse("check_python", check_python)
        says(text, f"Check {path}")
    artist.step("Test")
    test = screen.find_button("test_engine", across=0.93)
    artist.start("test_engine", test)
    artist.ends("the test")
    until(lambda: "ms a frame" in screen.ask(STATUS), "milliseconds", screen.alive)
    print("    " + screen.ask(STATUS), flush=True)
    screen.over_view()
    left, _, right, _ = screen.ask("result = rectangle(sidebar()[2])")
    artist.picture("engine.png", (left + 8, test[1] - 22, right - 8, check_python[1] + 22))
    screen.paste(own, "")

    if artist.options.release:
        artist.step("Import Weights")
        release = screen.debian.bring_folder(artist.options.release)
        button = screen.find_button("import_weights", across=0.6)
        screen.paste(find_field(artist, "release_folder"), release)
        artist.start("import_weights", button)
        artist.ends("the import")
        report = screen.ask(PREFERENCES + "result = preferences.import_report")
        check("Found" in report, "nothing was imported")
        print("    " + report.splitlines()[0])
        screen.over_view()
        artist.picture("imported.png")


def write_wheels(folder: Path) -> None:
    """Return a folder as the guide has the artist fill it: pip's own wheel, and stand-ins for the others."""
    folder.mkdir(exist_ok=True)
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    (folder / pip.name).write_bytes(pip.read_bytes())
    for name, (module, version) in STAND_INS.items():
        distribution = name.replace("-", "_")
        info = f"{distribution}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{distribution}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{module}.py", f"__version__ = '{version}'\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
