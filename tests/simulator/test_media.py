"""Files, transcription, images, search and the small helper routes."""

import aiohttp
import pytest

from tests.simulator.lab import TURN_PATH, Lab, request_for

FILES = "/backend-api/files"


async def test_file_goes_up_and_belongs_to_its_account(lab: Lab) -> None:
    _, made = await lab.call("POST", FILES, json={"file_name": "a.txt", "file_size": 3, "use_case": "codex"})
    done = f"{FILES}/{made['file_id']}/uploaded"
    assert (await lab.call("POST", done))[1] == {"status": "retry"}
    async with lab.http.put(made["upload_url"], data=b"abc") as refused:
        assert refused.status == 400
    async with lab.http.put(made["upload_url"], data=b"abc", headers={"x-ms-blob-type": "BlockBlob"}) as put:
        assert put.status == 201
    _, answer = await lab.call("POST", done)
    assert (answer["status"], answer["file_size_bytes"]) == ("success", 3)
    assert (await lab.call("POST", done, "acct-2"))[0] == 404
    item = {"type": "message", "role": "user", "content": [{"type": "input_file", "file_id": made["file_id"]}]}
    assert (await lab.call("POST", TURN_PATH, json=request_for(input=[item])))[0] == 200
    assert (await lab.call("POST", TURN_PATH, "acct-2", json=request_for(input=[item])))[0] == 400


async def test_file_without_its_facts_is_refused(lab: Lab) -> None:
    assert (await lab.call("POST", FILES, json={"file_name": "a.txt", "file_size": 3, "use_case": "vision"}))[0] == 422


async def test_transcription_follows_from_the_bytes(lab: Lab) -> None:
    async def heard(audio: bytes) -> str:
        form = aiohttp.FormData()
        form.add_field("file", audio, filename="audio.wav", content_type="audio/wav")
        status, answer = await lab.call("POST", "/backend-api/transcribe", data=form)
        assert status == 200
        return str(answer["text"])

    assert await heard(b"one") == await heard(b"one") != await heard(b"another")


@pytest.mark.parametrize("kind", ["generations", "edits"])
async def test_image_is_a_png(lab: Lab, kind: str) -> None:
    path, words = f"/backend-api/codex/images/{kind}", {"prompt": "a dot", "n": 2, "size": "17x17"}
    images = {"images": [{"image_url": "data:image/png;base64,AA=="}]}
    _, answer = await lab.call("POST", path, json=words | images)
    assert [one["b64_json"][:5] for one in answer["data"]] == ["iVBOR"]
    assert (answer["size"], answer["output_format"]) == ("1254x1254", "png")
    assert (await lab.call("POST", path, json=words))[0] == (400 if kind == "edits" else 200)


async def test_search_gives_results(lab: Lab) -> None:
    _, answer = await lab.call("POST", "/backend-api/codex/alpha/search", json={"query": "dots"})
    assert len(answer["results"]) == 2


async def test_call_wants_an_sdp_offer(lab: Lab) -> None:
    path = "/backend-api/codex/realtime/calls"
    assert (await lab.call("POST", path, json={}))[0] == 400
    status, _ = await lab.call("POST", path, data="v=0", headers={"content-type": "application/sdp"})
    assert status == 201


async def test_unknown_path_is_a_small_json_404(lab: Lab) -> None:
    assert await lab.call("GET", "/backend-api/ps/plugins/installed") == (404, {"detail": "Not Found"})
