"""The worker's protocol: messages survive writing and reading, and all other input is refused in one line."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.worker.messages import REQUESTS, Ping, Still
from expnet.model.worker.protocol import (
    VERSION,
    Done,
    Envelope,
    Failure,
    Progress,
    event_line,
    parse_event,
    parse_request,
    request_line,
)

NUMBERS = st.floats(allow_nan=False)
st.register_type_strategy(float, NUMBERS)
KINDS = sorted(REQUESTS.values(), key=lambda kind: kind.verb)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

requests = st.sampled_from(KINDS).flatmap(st.from_type)
envelopes = st.builds(Envelope, requests, st.text(), st.booleans())
results = st.sampled_from(KINDS).flatmap(lambda kind: st.from_type(kind.result))


def refused(parse: Any, *arguments: Any) -> str:
    """Return the one line with which it is refused."""
    with pytest.raises(InputError) as caught:
        parse(*arguments)
    line = str(caught.value)
    assert line and "\n" not in line
    return line


@given(envelopes)
def test_a_request_is_read_as_it_was_written(envelope: Envelope) -> None:
    line = request_line(envelope)
    assert "\n" not in line
    assert parse_request(line) == envelope


@given(results)
def test_a_result_is_read_as_it_was_written(result: Any) -> None:
    line = event_line(Done(result))
    assert "\n" not in line
    assert parse_event(line, type(result)) == Done(result)


@given(st.from_type(Progress) | st.from_type(Failure))
def test_so_are_progress_and_failure(event: Progress | Failure) -> None:
    assert parse_event(event_line(event), Ping.result) == event


@given(envelopes, st.text(min_size=1), JSON)
def test_an_unknown_field_is_one_line(envelope: Envelope, name: str, value: Any) -> None:
    parts = json.loads(request_line(envelope))
    assume(name not in parts and name not in parts["request"])
    assert "unknown field" in refused(parse_request, json.dumps({**parts, name: value}))
    parts["request"][name] = value
    assert "unknown field" in refused(parse_request, json.dumps(parts))


@given(results, st.text(min_size=1), JSON)
def test_an_unknown_field_of_a_result_is_one_line(result: Any, name: str, value: Any) -> None:
    parts = json.loads(event_line(Done(result)))
    assume(name not in parts["result"])
    parts["result"][name] = value
    assert "unknown field" in refused(parse_event, json.dumps(parts), type(result))


def required(kind: type) -> list[str]:
    return [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore[arg-type]


@given(st.sampled_from([kind for kind in KINDS if required(kind)]).flatmap(st.from_type), st.data())
def test_a_missing_field_is_one_line(request: Any, data: st.DataObject) -> None:
    parts = json.loads(request_line(Envelope(request)))
    name = data.draw(st.sampled_from(required(type(request))))
    del parts["request"][name]
    assert f"missing field '{name}'" in refused(parse_request, json.dumps(parts))


@given(results, st.data())
def test_a_missing_field_of_a_result_is_one_line(result: Any, data: st.DataObject) -> None:
    names = required(type(result))
    assume(names)
    parts = json.loads(event_line(Done(result)))
    name = data.draw(st.sampled_from(names))
    del parts["result"][name]
    assert f"missing field '{name}'" in refused(parse_event, json.dumps(parts), type(result))


WRONG = {
    str: [1, True, ["a"], {}],
    int: ["1", 1.5, True, [1], {}],
    float: ["1", True, [1.0], {}],
    bool: [0, 1, "true", []],
    tuple: ["abc", 1, {}, True, {"0": 1}],
    dict: ["abc", 1, [], True],
}


def wrong_for(value: Any) -> list[Any]:
    """JSON of other types than ``value``, a field of a written line. None may stand for many a value."""
    return WRONG[tuple if isinstance(value, list) else type(value)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all fields and entries inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, item in inside for place in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)  # type: ignore[index]
    return copy


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@given(envelopes, st.data())
def test_a_field_of_another_type_is_one_line(envelope: Envelope, data: st.DataObject) -> None:
    parts = json.loads(request_line(envelope))
    path = data.draw(st.sampled_from(places(parts)))
    assume(value_at(parts, path) is not None)  # None stands where a value may be missing
    refused(
        parse_request, json.dumps(changed(parts, path, data.draw(st.sampled_from(wrong_for(value_at(parts, path))))))
    )


@given(results, st.data())
def test_a_field_of_another_type_in_a_result_is_one_line(result: Any, data: st.DataObject) -> None:
    parts = json.loads(event_line(Done(result)))["result"]
    found = [path for path in places(parts) if value_at(parts, path) is not None]
    assume(found)
    path = data.draw(st.sampled_from(found))
    wrong = data.draw(st.sampled_from(wrong_for(value_at(parts, path))))
    line = json.dumps({"event": "done", "result": changed(parts, path, wrong)})
    assert refused(parse_event, line, type(result)).startswith("done: field")


@given(JSON)
def test_whatever_comes_is_understood_or_refused_in_one_line(value: Any) -> None:
    refused(parse_request, json.dumps(value))
    refused(parse_request, json.dumps({"version": VERSION, "verb": "animate", "request": value}))
    refused(parse_event, json.dumps({"event": value}), Ping.result)


@given(st.text())
def test_a_line_that_is_no_event_is_what_a_library_printed(text: str) -> None:
    with suppress(ValueError, RecursionError):
        assume(not isinstance(json.loads(text), dict))
    assert parse_event(text, Ping.result) is None


@pytest.mark.parametrize("version", [0, 2, None, "1", True])
def test_another_version_is_one_line(version: Any) -> None:
    parts = json.loads(request_line(Envelope(Ping())))
    assert "version" in refused(parse_request, json.dumps({**parts, "version": version}))


def test_deeply_nested_json_is_one_line() -> None:
    refused(parse_request, "[" * 100_000)
    assert parse_event("[" * 100_000, Ping.result) is None


def test_whole_numbers_are_numbers_too() -> None:
    line = request_line(Envelope(Still("/a.mp4", 3, (1, 2, 3, 4))))
    assert parse_request(line).request == Still("/a.mp4", 3, (1.0, 2.0, 3.0, 4.0))
