"""What goes out and comes in by UDP: the layouts, byte for byte where a standard fixes them."""

from __future__ import annotations

import socket
import struct
from typing import Any

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.live.faces import LiveFace, listen, nobody
from expnet.model.live.osc import bundle, message
from expnet.model.live.packets import packet_of, parse_packet
from expnet.model.live.send import LAYOUTS, MOST_BYTES, Sender, Target, unified
from expnet.model.performance.channels import ARKIT
from expnet.model.rotations import rotation_of_euler


def face(**eta: float) -> LiveFace:
    values = np.zeros(len(OPEN_KEYS))
    for key, value in eta.items():
        values[OPEN_KEYS.index(key)] = value
    return LiveFace(1.5, 0.0, 0.9, values, np.array([0.1, -0.2]), rotation_of_euler(0.3, 0.1, -0.2), np.zeros(3))


def read_messages(packet: bytes) -> dict[str, list[Any]]:
    """Read a bundle without the writer's code, so that the writer is not tested with itself."""

    def text(data: bytes, at: int) -> tuple[str, int]:
        end = data.index(b"\0", at)
        return data[at:end].decode(), (end // 4 + 1) * 4

    assert packet[:8] == b"#bundle\0"
    at, found = 16, {}
    while at < len(packet):
        (size,) = struct.unpack_from("!i", packet, at)
        one = packet[at + 4 : at + 4 + size]
        address, here = text(one, 0)
        tags, here = text(one, here)
        values: list[Any] = []
        for tag in tags[1:]:
            if tag == "s":
                value, here = text(one, here)
            else:
                (value,) = struct.unpack_from("!" + tag, one, here)
                here += 4
            values.append(value)
        found[f"{address} {values[0]}" if address.endswith("/Val") else address] = values
        at += 4 + size
    return found


def sent(layout: str, what: LiveFace) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for packet in LAYOUTS[layout](what, 0):
        assert len(packet) <= MOST_BYTES
        found |= read_messages(packet)
    return found


def test_messages_are_those_of_osc_1_0() -> None:
    assert message("/a", 1, 0.5, "hi") == b"/a\0\0,ifs\0\0\0\0" + struct.pack("!if", 1, 0.5) + b"hi\0\0"
    one = message("/x", 2)
    assert bundle([one]) == b"#bundle\0" + struct.pack("!Q", 1) + struct.pack("!i", len(one)) + one


def test_vmc_sends_all_shapes_by_name_and_the_head() -> None:
    found = sent("vmc", face(jawOpen=0.5, lid_L=1.0))
    assert sum(name.startswith("/VMC/Ext/Blend/Val") for name in found) == 52
    assert found["/VMC/Ext/Blend/Val JawOpen"][1] == pytest.approx(0.5)
    assert found["/VMC/Ext/Blend/Val EyeBlinkLeft"][1] == pytest.approx(1.0)
    assert np.linalg.norm(found["/VMC/Ext/Bone/Pos"][4:]) == pytest.approx(1, abs=1e-5)


def test_vrchat_gets_unified_expressions() -> None:
    values = unified(face(jawOpen=0.5, lid_L=1.0, mouthSmile_R=0.7, jawSide=0.4).signals)
    assert values["JawOpen"] == pytest.approx(0.5) and values["MouthSmileRight"] == pytest.approx(0.7)
    assert values["EyeLidLeft"] == pytest.approx(0.0) and values["EyeLidRight"] == pytest.approx(0.75)
    assert values["JawX"] == pytest.approx(-0.4), "to the subject's left"
    assert all(-1 <= value <= 1 for value in values.values())
    assert sent("vrchat", face(jawOpen=0.5))["/avatar/parameters/v2/JawOpen"] == [pytest.approx(0.5)]


def test_a_live_link_packet_is_read_back_as_it_was_written() -> None:
    written = face(jawOpen=0.4, browDown_L=0.6, mouthSmile_L=0.3)
    data = packet_of(written.signals, 7, 60, "Anna")
    assert len(data) == 5 + 36 + 4 + 4 + 17 + 4 * 61 and data[:5] == b"\x06\0\0\0\x24"
    packet = parse_packet(data)
    assert packet is not None and packet.name == "Anna"
    np.testing.assert_allclose(packet.eta, written.eta, atol=1e-5)
    np.testing.assert_allclose(packet.gaze, written.gaze, atol=1e-5)
    assert packet.head[0] == pytest.approx(0.3, abs=1e-5)
    weights = struct.unpack_from("!61f", data, len(data) - 4 * 61)
    assert weights[ARKIT.index("jawOpen")] == pytest.approx(0.4)


@pytest.mark.parametrize("size", [0, 1, 5, 40, 60, 200])
def test_packets_that_are_none_are_passed_over(size: int) -> None:
    whole = packet_of(face().signals, 0)
    assert parse_packet(whole[:size]) is None
    assert parse_packet(b"\x06\x7f\xff\xff\xff" + whole[5:]) is None
    assert parse_packet(whole[:-4] + struct.pack("!f", float("nan"))) is None


def test_faces_go_out_and_come_in_over_localhost() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out = face(jawOpen=0.8)
    with Sender(Target("livelink", port=port)) as sender:

        def send() -> None:
            sender.send(nobody(0.0, 0.0))
            sender.send(out)

        received = next(listen(port=port, still_wanted=send))
    np.testing.assert_allclose(received.eta, out.eta, atol=1e-5)
    np.testing.assert_allclose(received.rotation, out.rotation, atol=1e-5)


def test_a_port_in_use_and_a_silent_one_are_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 cannot be used"):
            next(listen(port=port))
    with pytest.raises(InputError, match="nothing came to port"):
        next(listen(port=port, quiet_seconds=0.1))
    with pytest.raises(InputError, match="no address"), Sender(Target("vmc", host="no such host")):
        pass
