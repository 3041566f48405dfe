"""check(event, side) says what is wrong with an event, judged by the pinned openai package's own models.

Those models let unknown keys pass and the library itself validates nothing, hence: a strict validation, then a walk
that reports every key that landed in `model_extra`."""

import copy
import typing

import pydantic
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from openai.types.realtime.response_item_reference import ResponseItemReference


def by_type(alias):
    if typing.get_origin(alias) is typing.Annotated:
        alias = typing.get_args(alias)[0]
    return {t: c for c in typing.get_args(alias) for t in typing.get_args(c.model_fields["type"].annotation)}


EVENTS = {"client": by_type(RealtimeClientEvent), "server": by_type(RealtimeServerEvent)}


def extras(value, path="$"):
    if isinstance(value, pydantic.BaseModel):
        yield from (f"{path}.{key}: unknown key for {type(value).__name__}" for key in value.model_extra or {})
        for key in type(value).model_fields:
            yield from extras(getattr(value, key), f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for n, one in enumerate(value):
            yield from extras(one, f"{path}[{n}]")


def validate(model, data):
    try:
        return list(extras(model.model_validate(data, strict=True)))
    except pydantic.ValidationError as error:
        errors = error.errors()
    # A union reports every branch: those whose own tag does not match are dropped.
    dead = [
        e["loc"][:-1]
        for e in errors
        if e["type"] == "literal_error"
        and e["loc"][-1] in ("type", "role")
        and len(e["loc"]) > 1
        and str(e["loc"][-2])[:1].isupper()
    ]
    kept = [e for e in errors if not any(e["loc"][: len(d)] == d for d in dead)] or errors
    return [f"$.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in kept]


def check(event, side):
    model = EVENTS[side].get(event.get("type"))
    if model is None:
        return [f"$.type: {event.get('type')!r} is no {side} event of this openai package"]
    event, out = copy.deepcopy(event), []
    if side == "server" and isinstance(event.get("session"), dict):
        # There the package types the session as it is asked for, not as it is echoed.
        for key in ("id", "object", "expires_at"):
            event["session"].pop(key, None)
    if event["type"] == "response.create":
        # References are in the package's parameter types alone.
        items = (event.get("response") or {}).get("input")
        for item in [i for i in items or [] if isinstance(i, dict) and i.get("type") == "item_reference"]:
            out += validate(ResponseItemReference, item)
            items.remove(item)
    return out + validate(model, event)
