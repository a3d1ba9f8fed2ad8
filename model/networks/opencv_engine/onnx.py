"""ONNX models of convolutions as bytes for OpenCV's DNN: float32, opset 13.

Only the operators of the open networks are supported. The format is protobuf; its messages and field numbers are
those of onnx.proto3 (ONNX 1.8, IR version 7).
"""

from __future__ import annotations

import numpy as np

from ...array_types import FloatArray

IR_VERSION, OPSET = 7, 13
FLOAT, INT64 = 1, 7  # TensorProto.DataType
ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_INTS = 1, 2, 3, 7  # AttributeProto.AttributeType


class Graph:
    """An ONNX graph built node by node; every method adds one and returns its output's name.

    ``inputs`` are names and shapes; weights are (out, in, height, width).
    """

    def __init__(self, **inputs: tuple[int, ...]) -> None:
        self._inputs = inputs
        self._nodes: list[bytes] = []
        self._weights: list[bytes] = []

    def conv(self, x: str, weight: FloatArray, bias: FloatArray, stride: int = 1) -> str:
        """Add a convolution with "same" padding."""
        size, pad = weight.shape[2], weight.shape[2] // 2
        return self._node(
            "Conv",
            [x, self._tensor(weight), self._tensor(bias)],
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def relu(self, x: str) -> str:
        return self._node("Relu", [x])

    def add(self, a: str, b: str) -> str:
        return self._node("Add", [a, b])

    def average_pool(self, x: str, size: int) -> str:
        return self._node("AveragePool", [x], kernel_shape=[size, size], strides=[size, size])

    def twice_as_large(self, x: str) -> str:
        """Repeat every pixel as 2 x 2 pixels."""
        scales = self._tensor(np.array([1, 1, 2, 2], np.float32))
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self._node("Resize", [x, "", scales], **modes)

    def model(self, *outputs: str) -> bytes:
        """Return the graph as the bytes of an ONNX file, with these outputs in this order."""
        graph = b"".join(
            [
                *(_message(1, node) for node in self._nodes),
                _message(2, b"g"),
                *(_message(5, tensor) for tensor in self._weights),
                *(_message(11, _value(name, shape)) for name, shape in self._inputs.items()),
                *(_message(12, _value(name)) for name in outputs),
            ]
        )
        return _number(1, IR_VERSION) + _message(7, graph) + _message(8, _number(2, OPSET))

    def _node(self, kind: str, inputs: list[str], **attributes: str | list[int]) -> str:
        name = f"n{len(self._nodes)}"
        parts = [_message(1, i.encode()) for i in inputs]
        parts += [_message(2, name.encode()), _message(3, name.encode()), _message(4, kind.encode())]
        parts += [_message(5, _attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join(parts))
        return name

    def _tensor(self, values: FloatArray) -> str:
        name = f"w{len(self._weights)}"
        dims = b"".join(_number(1, size) for size in values.shape)
        data = np.ascontiguousarray(values, "<f4").tobytes()
        self._weights.append(dims + _number(2, FLOAT) + _message(8, name.encode()) + _message(9, data))
        return name


def _attribute(name: str, value: str | list[int]) -> bytes:
    if isinstance(value, str):
        return _message(1, name.encode()) + _message(4, value.encode()) + _number(20, ATTRIBUTE_STRING)
    return _message(1, name.encode()) + b"".join(_number(8, v) for v in value) + _number(20, ATTRIBUTE_INTS)


def _value(name: str, shape: tuple[int, ...] = ()) -> bytes:
    dims = b"".join(_message(1, _number(1, size)) for size in shape)
    return _message(1, name.encode()) + _message(2, _message(1, _number(1, FLOAT) + _message(2, dims)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
