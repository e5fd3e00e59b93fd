"""The official SDKs, started with exactly the program that the product shows: a plain, a streamed and a tool turn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from e2e.clients.person import Person
from e2e.clients.pool import Pool
from e2e.clients.programs import modules

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = "Please run the shell command: echo hello"
ANSWERS = ["ok", "streamed", "The command printed: from the tool"]
UNSTORED = "providerOptions: { openai: { store: false } }"
VARIANTS = pytest.mark.parametrize("variant", ["responses", "chat"])

# What follows the product's own program, with the client that it has made: {model} is the pool's.
PYTHON = {
    "responses": """
streamed = ""
with client.responses.stream(model="{model}", input="Reply with exactly: streamed") as stream:
    for event in stream:
        if event.type == "response.output_text.delta":
            streamed += event.delta
    assert stream.get_final_response().output_text == streamed
print(streamed)

shell = {{
    "type": "function",
    "name": "shell_command",
    "parameters": {{"type": "object", "properties": {{"command": {{"type": "string"}}}}, "required": ["command"]}},
}}
items = [{{"role": "user", "content": "{ask}"}}]
first = client.responses.create(model="{model}", input=items, tools=[shell])
(call,) = [item for item in first.output if item.type == "function_call"]
assert call.arguments == '{{"command":"echo hello"}}', call
items += [item.model_dump(exclude_none=True) for item in first.output]
items.append({{"type": "function_call_output", "call_id": call.call_id, "output": "from the tool"}})
print(client.responses.create(model="{model}", input=items, tools=[shell]).output_text)
assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
""",
    "chat": """
from openai import AuthenticationError, BadRequestError

streamed, finish, usage = "", None, None
for chunk in client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Reply with exactly: streamed"}}],
    stream=True,
    stream_options={{"include_usage": True}},
):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        streamed += choice.delta.content or ""
        finish = choice.finish_reason or finish
assert (finish, usage.total_tokens) == ("stop", usage.prompt_tokens + usage.completion_tokens)
print(streamed)

shell = {{
    "type": "function",
    "function": {{
        "name": "shell_command",
        "parameters": {{"type": "object", "properties": {{"command": {{"type": "string"}}}}, "required": ["command"]}},
    }},
}}
messages = [{{"role": "user", "content": "{ask}"}}]
first = client.chat.completions.create(model="{model}", messages=messages, tools=[shell]).choices[0]
assert first.finish_reason == "tool_calls"
(call,) = first.message.tool_calls
assert call.function.arguments == '{{"command":"echo hello"}}', call
messages += [first.message, {{"role": "tool", "tool_call_id": call.id, "content": "from the tool"}}]
last = client.chat.completions.create(model="{model}", messages=messages, tools=[shell]).choices[0]
print(last.message.content)

try:
    client.chat.completions.create(model="{model}", messages=messages, n=2)
except BadRequestError as error:
    assert error.param == "n", error
else:
    raise AssertionError("two answers were promised")
try:
    client.with_options(api_key="sk-cxp-wrong").models.list()
except AuthenticationError as error:
    assert error.code == "invalid_api_key", error
else:
    raise AssertionError("any key will do")
""",
}
NODE = {
    "responses": """
let streamed = "";
for await (const event of await client.responses.create({{
  model: "{model}", input: "Reply with exactly: streamed", stream: true,
}})) {{
  if (event.type === "response.output_text.delta") streamed += event.delta;
}}
console.log(streamed);

const parameters = {{ type: "object", properties: {{ command: {{ type: "string" }} }}, required: ["command"] }};
const tools = [{{ type: "function", name: "shell_command", parameters }}];
const items = [{{ role: "user", content: "{ask}" }}];
const first = await client.responses.create({{ model: "{model}", input: items, tools }});
const call = first.output.find((item) => item.type === "function_call");
items.push(...first.output, {{ type: "function_call_output", call_id: call.call_id, output: "from the tool" }});
console.log((await client.responses.create({{ model: "{model}", input: items, tools }})).output_text);
""",
    "chat": """
let streamed = "";
for await (const chunk of await client.chat.completions.create({{
  model: "{model}", messages: [{{ role: "user", content: "Reply with exactly: streamed" }}], stream: true,
}})) {{
  streamed += chunk.choices[0]?.delta.content ?? "";
}}
console.log(streamed);

const parameters = {{ type: "object", properties: {{ command: {{ type: "string" }} }}, required: ["command"] }};
const tools = [{{ type: "function", function: {{ name: "shell_command", parameters }} }}];
const messages = [{{ role: "user", content: "{ask}" }}];
const first = await client.chat.completions.create({{ model: "{model}", messages, tools }});
const {{ message, finish_reason }} = first.choices[0];
if (finish_reason !== "tool_calls") throw new Error(finish_reason);
messages.push(message, {{ role: "tool", tool_call_id: message.tool_calls[0].id, content: "from the tool" }});
const last = await client.chat.completions.create({{ model: "{model}", messages, tools }});
console.log(last.choices[0].message.content);
""",
}
VERCEL = """
import {{ jsonSchema, stepCountIs, streamText, tool }} from "ai";

const asked = pooler.{variant}("{model}");
const complain = {{ onError: ({{ error }}) => {{ throw error; }} }};
let streamed = "";
const request = {{ model: asked, prompt: "Reply with exactly: streamed", ...complain }};
for await (const piece of streamText(request).textStream) streamed += piece;
console.log(streamed);

const command = {{ type: "object", properties: {{ command: {{ type: "string" }} }}, required: ["command"] }};
const shell_command = tool({{
  description: "Run a command",
  inputSchema: jsonSchema({{ ...command, additionalProperties: false }}),
  execute: async ({{ command }}) => (command === "echo hello" ? "from the tool" : "not what was asked"),
}});
const loop = {{ model: asked, prompt: "{ask}", tools: {{ shell_command }}, stopWhen: stepCountIs(3), {options} }};
const turn = streamText({{ ...loop, ...complain }});
let said = "";
for await (const piece of turn.textStream) said += piece;
if ((await turn.steps).length !== 2) throw new Error("one step for the call, one for the answer");
const again = await generateText(loop);
if (again.text !== said) throw new Error(again.text);
console.log(said);
"""


@pytest.fixture
def person(pool: Pool, tmp_path: Path) -> Person:
    return Person(tmp_path / "home", pool)


def carry_on(person: Person, name: str, program: str, **values: str) -> None:
    """Go on where the product's program ends."""
    file = person.work / name
    model = "gpt-5.5"
    file.write_text(file.read_text() + program.format(model=model, ask=ASK, **values))


async def has_answered_everything(person: Person, output: str, turns: int) -> None:
    """What was printed after the list of models, and what the request log says of it."""
    assert output.splitlines()[-3:] == ANSWERS
    rows = await person.pool.log()
    assert {(row["status"], row["model"]) for row in rows} == {("succeeded", "gpt-5.5")}
    assert len(await person.pool.answered()) == turns


@VARIANTS
async def test_openai_for_python(person: Person, variant: str) -> None:
    person.has("python", sys.executable)
    shown = await person.configures("openai_python", variant)
    assert (await person.checks(shown)).endswith("ok\n")
    carry_on(person, "client.py", PYTHON[variant])
    output = await person.types("python -W error client.py")
    assert output.splitlines() == ANSWERS
    await has_answered_everything(person, output, turns=1 + 4)


@VARIANTS
async def test_openai_for_node(person: Person, variant: str) -> None:
    shown = await person.configures("openai_node", variant)
    (person.work / "node_modules").symlink_to(modules())
    assert (await person.checks(shown)).endswith("ok\n")
    carry_on(person, "client.mjs", NODE[variant])
    output = await person.types("node client.mjs")
    await has_answered_everything(person, output, turns=1 + 4)


# The generation before names earlier calls instead of repeating them, unless it is told that nothing is stored.
@pytest.mark.parametrize(
    ("sdk", "provider", "options"),
    [("ai-5", "2", UNSTORED), ("ai-6", "3", ""), ("ai-7", "4", ""), ("ai-7", "4", UNSTORED)],
)
@VARIANTS
async def test_vercel_ai_sdk(person: Person, variant: str, sdk: str, provider: str, options: str) -> None:
    person.work.mkdir(parents=True)
    with_versions(person.work / "node_modules", modules(), sdk, f"ai-sdk-openai-{provider}")
    shown = await person.configures("vercel_ai_sdk", variant)
    assert (await person.checks(shown)).endswith("ok\n")
    carry_on(person, "client.mjs", VERCEL, variant=variant, options=options)
    output = await person.types("node client.mjs")
    await has_answered_everything(person, output, turns=1 + 2 + 2 + 2)


def with_versions(folder: Path, installed: Path, sdk: str, provider: str) -> None:
    """Let programs import these versions under the names that everybody uses."""
    (folder / "@ai-sdk").mkdir(parents=True)
    os.symlink(installed / sdk, folder / "ai")
    os.symlink(installed / provider, folder / "@ai-sdk" / "openai")
