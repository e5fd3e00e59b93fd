"""JSON that is legal but odd, or not quite legal: it is refused as the client's fault or passed on, never a 500."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from tests.gateway.scripted import COMPLETED, CREATED, DELTA, ITEM, SECRET, Rig, event, rig, says, whole

__all__ = ["rig"]

SUMMARY = event("response.output_item.done", item={"type": "compaction", "encrypted_content": "gAAA"})
GOOD = whole(CREATED, DELTA, ITEM, SUMMARY, COMPLETED)
DEEP = 100_000

# name -> the body, and whether the backend may see it
ODD: dict[str, tuple[bytes, bool]] = {
    "a deep list": (b'{"model":"m","input":' + b"[" * DEEP + b"]" * DEEP + b"}", False),
    "deep objects": (b'{"model":"m","input":[' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"]}", False),
    "a deep list that never ends": (b'{"model":"m","input":' + b"[" * DEEP, False),
    "a deep model": (b'{"input":[],"model":' + b"[" * DEEP + b"]" * DEEP + b"}", False),
    "nothing but depth": (b"[" * DEEP, False),
    "a huge integer": (b'{"model":"m","input":[],"n":' + b"9" * 300 + b"}", True),
    "a huge integer in an item": (b'{"model":"m","input":[{"n":' + b"9" * 5000 + b"}]}", True),
    "a huge integer as stream": (
        b'{"model":"m","input":[],"stream":' + b"9" * 300 + b"}",
        True,
    ),  # old clients name none
    "a number beyond all floats": (b'{"model":"m","input":[],"n":1e999}', True),
    "not a number": (b'{"model":"m","input":[],"n":NaN}', False),
    "infinity": (b'{"model":"m","input":[],"n":-Infinity}', False),
    "half a surrogate pair": (b'{"model":"m","input":[{"text":"\\ud800"}]}', True),
    "half a surrogate pair in the model": (b'{"model":"\\ud800","input":[]}', False),
    "half a surrogate pair in a name": (b'{"model":"m","input":[],"\\udfff":1}', True),
    "the same name twice": (b'{"model":"m","input":[],"model":"n","input":[{}]}', True),
    "the same name twice, odd types": (b'{"model":"m","input":[],"model":[]}', False),
    "bytes that are no UTF-8": (b'{"model":"m","input":[{"text":"\xff\xfe"}]}', True),
    "bytes that are no UTF-8 in the model": (b'{"model":"\xff","input":[]}', False),
    "UTF-16": ('{"model":"m","input":[]}'.encode("utf-16"), False),
    "a byte order mark": (b"\xef\xbb\xbf" + b'{"model":"m","input":[]}', False),
    "a NUL": (b'{"model":"m\\u0000","input":[]}', True),
    "a real NUL": (b'{"model":"m\x00","input":[]}', False),
    "many names": (json.dumps({"model": "m", "input": [], **{f"n{i}": i for i in range(1_000_000)}}).encode(), True),
    "many items": (b'{"model":"m","input":[' + b",".join([b"{}"] * 100_000) + b"]}", True),
    "two documents": (b'{"model":"m","input":[]}{"model":"m"}', False),
    "a comma too many": (b'{"model":"m","input":[],}', False),
    "a list": (b'[{"model":"m"}]', False),
    "a string": (b'"model"', False),
    "nothing": (b"", False),
    "blanks": (b" \n\t ", False),
    "a model of the wrong type": (b'{"model":{"a":1},"input":[]}', False),
    "reasoning of the wrong type": (b'{"model":"m","input":[],"reasoning":[1]}', False),
    "effort of the wrong type": (b'{"model":"m","input":[],"reasoning":{"effort":{"a":[]}}}', True),
    "a tier of the wrong type": (b'{"model":"m","input":[],"service_tier":5}', False),
    "a trigger of the wrong type": (b'{"model":"m","input":[{"type":{"compaction_trigger":1}}]}', True),
}


@pytest.mark.parametrize("route", ["", "/compact"])
@pytest.mark.parametrize("case", ODD)
async def test_odd_json(rig: Rig, case: str, route: str) -> None:
    body, may_pass = ODD[case]
    rig.backend.scripts = [says(GOOD)]
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    async with asyncio.timeout(20), rig.http.post(rig.url + route, data=io.BytesIO(body), headers=headers) as answer:
        told = await answer.json()
    if answer.status == 200:
        assert may_pass
        return
    assert answer.status == 400, told
    assert told["error"]["type"] == "invalid_request_error"
    assert rig.backend.arrived == []
    assert "Traceback" not in str(told)
    assert len(str(told)) < 1000
